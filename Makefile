# `make demo` and `make test` do all the set-up on a fresh machine with Python 3.11 or 3.12.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
# The interpreter that makes the environment; override with `make PYTHON=python3.12 …`.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3,$(shell $(p) -c 'import sys; print("$(p)") if (3,11) <= sys.version_info[:2] < (3,13) else None' 2>/dev/null | grep -v None)))
EXTRAS := lean,dev
STAMP := $(VENV)/.installed
TFLITE_VENV := .venv-tflite
TFLITE_STAMP := $(TFLITE_VENV)/.installed
# Measuring takes 40 % more processor time on Python 3.11 (`make test COVERAGE=` does without).
COVERAGE ?= --cov --cov-report=
TFLITE_TESTS := tests/export/test_tflite.py tests/runtime/test_tflite_graph.py

export RAY_AUTH_MODE ?= disabled
export TOKENIZERS_PARALLELISM = false
# Compiled modules are kept, or each of Ray's many processes would compile everything anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test test-slow test-tflite bench lint types docs serve dashboard clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s$$'\t'

install: $(STAMP)  ## make .venv with the pinned versions

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or 3.12 found: install one, or run make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot make environments: apt-get install python3-venv"; exit 2; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q -c constraints.txt uv
	UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" $(VENV)/bin/uv pip install -q --python $(PY) -c constraints.txt -e '.[$(EXTRAS)]'
	@UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" $(VENV)/bin/uv pip install -q --python $(PY) -c constraints.txt ttspico \
	  || echo "note: the speech engine pico was not compiled (no C compiler, or no headers of Python): recipes do without its voices"
	@touch $(STAMP)

demo: $(STAMP)  ## from a phrase to a trained, measured, exported detector, in 12 minutes on two cores
	$(VENV)/bin/wakeword demo

test: $(STAMP) lint types  ## lint, types, import rules and every test that is not slow; coverage by package
	OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 -m "not slow and not ray and not browser" $(COVERAGE)
	OMP_NUM_THREADS=1 $(PY) -m tests.ray_files $(COVERAGE)
	@$(if $(COVERAGE),$(PY) -m coverage combine --append -q && $(PY) -m tests.coverage_by_room)

test-slow: $(STAMP)  ## the suites that take minutes each (one compares with ffmpeg, where it is installed)
	OMP_NUM_THREADS=1 $(PY) -m pytest -m slow --timeout 1800

# TensorFlow takes 2 GB, so its tests have an environment of their own; without it they are skipped.
test-tflite: $(TFLITE_STAMP)  ## the suites of the TFLite export, in an environment of their own (.venv-tflite)
	OMP_NUM_THREADS=1 $(TFLITE_VENV)/bin/python -m pytest --timeout 1800 $(TFLITE_TESTS)

$(TFLITE_STAMP): $(STAMP) pyproject.toml constraints.txt
	test -x $(TFLITE_VENV)/bin/python || $(PYTHON) -m venv $(TFLITE_VENV)
	UV_FIND_LINKS="$${UV_FIND_LINKS:-$$PIP_FIND_LINKS}" $(VENV)/bin/uv pip install -q --python $(TFLITE_VENV)/bin/python -c constraints.txt -e '.[lean,tflite,dev]'
	@touch $(TFLITE_STAMP)

bench: $(STAMP)  ## every benchmark, a JSON each under runs/bench
	@mkdir -p runs/bench
	@for script in $$(grep -lE '^if __name__' benchmarks/*.py); do \
	  echo "== $$script"; $(PY) $$script --json runs/bench/$$(basename $$script .py).json || exit 1; done

lint: $(STAMP)  ## ruff and import-linter
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

types: $(STAMP)  ## mypy on everything but the tests
	$(VENV)/bin/mypy

docs: $(STAMP)  ## the documentation's site in site/, offline; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

serve: $(STAMP)  ## serve the demo's bundle (make demo first)
	$(VENV)/bin/wakeword serve runs/demo/bundle

dashboard: $(STAMP)  ## the dashboard on its own
	$(VENV)/bin/wakeword dashboard

clean:  ## remove the environment and caches (runs stay)
	rm -rf $(VENV) $(TFLITE_VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* site
