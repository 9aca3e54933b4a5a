"""The whole path of training on a simulated accelerator: no tensor on the wrong device, no wait, the CPU's numbers.

The files `check_*.py` run in a process of their own, because the device is registered for the whole process:

    python -m pytest -q tests/device/check_training.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CHECKS = sorted(str(path) for path in HERE.glob("check_*.py"))


def test_checks() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *CHECKS]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command,
        cwd=HERE.parent.parent,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert CHECKS
    assert re.search(r"100%", done.stdout)
    assert "skipped" not in done.stdout
