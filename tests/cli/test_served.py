"""Which `serve` package is taken: ours, and nobody else's of that name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from wakeword.cli.served import is_ours, served

ROOT = Path(__file__).resolve().parents[2]


def _resolve(cwd: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys; sys.path[:0] = {[str(p) for p in path]!r}\n"
        "from wakeword.cli.served import served\nfrom wakeword.errors import ServingError\n"
        "try: print(served('auth').__name__)\nexcept ServingError as error: print('refused', error)"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True)


def test_the_checkout_serves() -> None:
    assert served("auth").__name__ == "serve.auth"
    assert is_ours(ROOT / "serve")


def test_a_users_own_serve_package_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "serve").mkdir()
    (tmp_path / "serve" / "__init__.py").write_text("")
    (tmp_path / "serve" / "app.py").write_text("raise SystemExit('a stranger ran')")
    (tmp_path / "serve" / "auth.py").write_text("raise SystemExit('a stranger ran')")
    answer = _resolve(tmp_path, tmp_path)
    assert answer.stdout.startswith("refused the package `serve` that Python finds")
    assert str(tmp_path) in answer.stdout


def test_the_wheels_name_wins(tmp_path: Path) -> None:
    (tmp_path / "wakeword_serve").symlink_to(ROOT / "serve")
    assert _resolve(tmp_path, tmp_path).stdout == "wakeword_serve.auth\n"
