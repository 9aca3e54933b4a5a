"""Importing the package loads no heavy module, measured in a separate process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("ray", "torch", "tensorflow", "pandas", "pyarrow", "gradio", "scipy", "yaml", "rich", "structlog", "psutil")


def _loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(answer.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "statement",
    [
        "import wakeword",
        "import wakeword.config",
        "import wakeword.runtime.detector",
        "import wakeword.stages.ray_session, wakeword.system.log, wakeword.system.resources",
        "import wakeword.cli.main",
        "from wakeword.cli.main import main; main(['--help']); main(['mine', 'run', '--help'])",
    ],
)
def test_nothing_heavy_is_loaded(statement: str) -> None:
    assert not _loaded(statement) & set(HEAVY)


RUNTIME_MIB = 60
"""Largest resident size of a process that has imported `wakeword.runtime`."""


def test_the_runtime_is_light() -> None:
    # `peak_rss_mib`, since `ru_maxrss` starts at the size of the process that runs the tests.
    code = "import wakeword.runtime; from wakeword.system.resources import peak_rss_mib; print(peak_rss_mib())"
    command = ["/usr/bin/env", "-i", sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(answer.stdout) < RUNTIME_MIB
    assert "onnxruntime" not in _loaded("import wakeword.runtime")


def test_the_check_can_fail() -> None:
    assert "yaml" in _loaded("import yaml")
