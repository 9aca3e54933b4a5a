"""Which `serve` package is taken: ours, and nobody else's of that name."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wakeword.system.endpoint import in_checkout, served

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A folder with somebody else's package `serve`, which must never be imported."""
    package = tmp_path / "stranger" / "serve"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for name in ("app.py", "auth.py"):
        (package / name).write_text("raise SystemExit('a stranger ran')")
    return package.parent


def _resolve(*path: Path) -> str:
    code = (
        f"import sys; sys.path[:0] = {[str(p) for p in path]!r}\n"
        "from wakeword.system.endpoint import served\nfrom wakeword.errors import ServingError\n"
        "try: print(served('auth').__file__)\nexcept ServingError as error: print('refused:', error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=path[0], capture_output=True, text=True, check=False)
    return answer.stdout.strip() + answer.stderr


def test_a_checkout_serves_its_own_code() -> None:
    assert in_checkout()
    assert served("auth").__name__ == "serve.auth"
    assert _resolve(ROOT) == str(ROOT / "serve" / "auth.py")


def test_a_users_own_serve_package_is_not_run(stranger: Path) -> None:
    message = _resolve(stranger)
    assert message.startswith("refused: the package `serve` that Python finds")
    assert str(stranger) in message


def test_a_wheel_serves_under_its_own_name(stranger: Path, tmp_path: Path) -> None:
    """Laid out as the wheel does it, with a stranger's `serve` installed beside it."""
    site = tmp_path / "site"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "wakeword", site / "wakeword", ignore=skip)
    shutil.copytree(ROOT / "serve", site / "wakeword_serve", ignore=skip)
    shutil.copytree(stranger / "serve", site / "serve")
    assert _resolve(site) == str(site / "wakeword_serve" / "auth.py")
