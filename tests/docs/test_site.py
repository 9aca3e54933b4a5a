"""The site builds without a network, and its reference says what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT
from wakeword.config.schema import Config

pytest.importorskip("mkdocs", reason="the extra [docs] is not installed")

SUFFIXES = (".py", ".yaml", ".yml", ".toml", ".md")
OFFLINE = """
import socket, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise OSError(f"the build wants the network: {event} {arguments}")
sys.addaudithook(refuse)
from mkdocs.__main__ import cli
cli()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning is a failure."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-c", OFFLINE, "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.timeout(300)
def test_a_reader_needs_no_network(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="(https?://[^"]+)"', text)
        assert not fetched, f"{page.relative_to(site)} fetches {fetched}"


def test_the_reference_holds_every_command_key_and_class(site: Path) -> None:
    commands = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    for command in ("demo", "new", "pipeline", "mine review", "data report", "config show", "doctor"):
        assert f"wakeword {command}" in commands
    keys = (site / "reference" / "config.html").read_text(encoding="utf-8")
    for section, field in Config.model_fields.items():
        for name in getattr(field.annotation, "model_fields", {section: None}):
            assert f"<code>{name}</code>" in keys or f"{section}.{name}" in keys, f"{section}.{name}"
    for page, name in (("runtime", "Detector"), ("models", "register"), ("evaluation", "compare"), ("data", "Engine")):
        assert name in (site / "reference" / "api" / f"{page}.html").read_text(encoding="utf-8")


def test_pages_that_files_name_are_there() -> None:
    """Comments, messages and recipes name pages as docs/PAGE.md."""
    folders = ("wakeword", "serve", "jobs", "benchmarks", "configs", "tests", ".github")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES]
    named: dict[str, str] = {}
    for path in [*files, *(path for path in ROOT.iterdir() if path.suffix in SUFFIXES)]:
        found = re.findall(r"(?<![\w/.-])docs/([a-z_/]+\.md)", path.read_text(encoding="utf-8"))
        named |= dict.fromkeys(found, path.name)
    absent = {page: where for page, where in named.items() if not (DOCS / page).is_file()}
    # Of livekit-wakeword's repository.
    absent.pop("data-generation.md", None)
    assert not absent
