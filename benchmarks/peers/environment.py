"""The peers' virtual environment under `runs/`, apart from the project's."""

from __future__ import annotations

import venv
from pathlib import Path

from benchmarks.harness import pip_install
from wakeword.errors import RunError

REQUIREMENTS = Path(__file__).resolve().parent.parent / "peers_requirements.txt"


def peers_python(folder: Path) -> Path:
    """Interpreter of the environment in `folder`, which is rebuilt when the pinned requirements have changed.

    Raises RunError where the packages cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if python.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making the peers' environment in {folder}", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    if fault := pip_install(python, "--only-binary", ":all:", "-r", str(REQUIREMENTS)):
        raise RunError(
            f"the peers' packages cannot be installed into {folder} ({fault}): this benchmark needs a package index"
            " and, for its wheels, Linux on x86-64 with Python 3.11 or 3.12"
        )
    stamp.write_text(wanted, encoding="utf-8")
    return python
