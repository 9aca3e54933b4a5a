"""The peers' own environment: made by the benchmark under `runs/`, never part of the project's."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

from wakeword.errors import RunError

REQUIREMENTS = Path(__file__).resolve().parent.parent / "peers_requirements.txt"


def peers_python(folder: Path) -> Path:
    """Interpreter of the environment in `folder`, which is made anew when the pinned requirements differ from its own.

    Raises RunError where the packages cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if python.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making the peers' environment in {folder}", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    command = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "-r", REQUIREMENTS]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
        raise RunError(
            f"the peers' packages cannot be installed into {folder} ({last[-1]}): this benchmark needs a package index"
            " and, for its wheels, Linux on x86-64 with Python 3.11 or 3.12"
        )
    stamp.write_text(wanted, encoding="utf-8")
    return python
