"""What works where only the base dependencies of `pyproject.toml` are installed: everything else fails to import."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from tests.bundles import track, write_tone_bundle
from wakeword.audio.io import write_wav

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from wakeword.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def plain(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0]).lower()


def blocked() -> set[str]:
    """Top-level modules of all distributions that the base install does not bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting, brought = [plain(text) for text in project["dependencies"]], {"wakeword"}
    while waiting:
        if (name := waiting.pop()) not in brought:
            brought.add(name)
            try:
                needed = metadata.requires(name) or []
            except metadata.PackageNotFoundError:
                continue  # of another system
            waiting += [plain(text) for text in needed if "extra ==" not in text]
    homes = metadata.packages_distributions()
    found = {top for top, names in homes.items() if not {plain(name) for name in names} & brought}
    return found - {"wakeword", "serve", "jobs", "tests"}


BLOCKED = blocked()


def wakeword(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"BLOCKED = {BLOCKED!r}\n{RUN}", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_much_is_blocked() -> None:
    assert {"torch", "ray", "yaml", "pyarrow", "soundfile", "psutil", "structlog", "sklearn"} <= BLOCKED
    assert not {"numpy", "onnxruntime", "pydantic", "typer", "rich"} & BLOCKED


def test_detection_works(tmp_path: Path) -> None:
    bundle = write_tone_bundle(tmp_path / "bundle")
    write_wav(tmp_path / "a.wav", track([("alpha", 1.0), ("beta", 2.5)], 4.0))
    done = wakeword("detect", bundle, tmp_path / "a.wav", "--threshold", "0.5")
    assert done.returncode == 0, done.stderr
    assert "2 events in 1 of 1 files" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "printed"),
    [
        (("--help",), 0, "Use it:"),
        (("config", "schema"), 0, '"training"'),
        (("doctor", "--only", "numpy", "onnxruntime", "pydantic"), 0, "finds a tone at 440 Hz"),
        (("train", "recipe.yaml"), 6, "pip install 'wakeword[train]'"),
        (("new", "hey nova"), 6, "pip install 'wakeword[train]'"),
        (("data", "report", "."), 6, "pip install 'wakeword[train]'"),
        (("serve", "bundle"), 4, "no bundle folder or zip"),
    ],
)
def test_what_needs_more_names_its_extra(arguments: tuple[str, ...], code: int, printed: str) -> None:
    done = wakeword(*arguments)
    assert done.returncode == code, done.stderr
    assert printed in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
