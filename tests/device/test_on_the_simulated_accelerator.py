"""The whole path of training on a simulated accelerator: no tensor on the wrong device, no wait, the CPU's numbers.

Each `check_*.py` runs in a process of its own, because the device is registered for the whole process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKS = sorted(path.name for path in HERE.glob("check_*.py"))


@pytest.mark.parametrize("name", CHECKS)
def test_checks(name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", str(HERE / name)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=HERE.parent.parent, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
