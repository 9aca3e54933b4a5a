"""Pages name configuration keys, commands and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, blocks_of
from wakeword.cli.main import main
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.keys import key_fault
from wakeword.config.schema import Config
from wakeword.data.manifest import MANIFEST_SCHEMA
from wakeword.data.report.advice import RULES
from wakeword.data.sources.types import source_types
from wakeword.data.synthesis import ENGINES
from wakeword.models.families import families

PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
SPAN = re.compile(r"`([^`\n]+)`")
FILES = ("py", "yaml", "md", "json", "txt", "parquet", "npz", "onnx", "tflite", "safetensors", "")


def spans(page: Path) -> list[str]:
    """Code spans of a page outside its blocks."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return SPAN.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_keys_that_a_page_names_are_keys(page: Path) -> None:
    sections = "|".join(Config.model_fields)
    wrong = []
    # `words` and `detector` are also keys of wake.json.
    ours = [span for span in spans(page) if page.name != "bundle.md" or not span.startswith("words[]")]
    for span in ours:
        found = re.fullmatch(rf"((?:{sections})(?:\[\])?\.[\w.\[\]]+)(?:[=:].*)?", span)
        if not found or found[1].rpartition(".")[2] in FILES:
            continue
        key = found[1].replace("[]", ".0")
        fault = key_fault(Config, key)
        if fault and "it is a section" not in fault:
            wrong.append(f"{span}: {fault}")
    assert not wrong


def test_the_page_on_augmentation_has_every_field() -> None:
    named = set(spans(DOCS / "explanation" / "augmentation.md"))
    fields = set(AugmentationConfig.model_fields)
    assert fields <= named, f"not in the page: {sorted(fields - named)}"


def test_the_pages_on_data_have_every_rule_column_source_and_engine() -> None:
    named = {
        name: set(spans(DOCS / name))
        for name in ("explanation/data.md", "reference/manifest.md", "reference/sources.md", "explanation/voices.md")
    }
    assert set(RULES) <= named["explanation/data.md"]
    assert set(MANIFEST_SCHEMA.names) <= named["reference/manifest.md"]
    assert set(source_types()) <= named["reference/sources.md"]
    assert set(ENGINES) <= named["explanation/voices.md"]
    assert set(families()) <= set(spans(DOCS / "explanation" / "accuracy.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_that_a_page_shows_are_there(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also those of blocks that are not run."""
    for block in blocks_of(page):
        if block.language != "bash":
            continue
        for words in re.findall(r"(?:^|\|\s*)wakeword ([a-z]+)(?: ([a-z]+)\b)?", block.text, re.MULTILINE):
            command = [word for word in words if word]
            # The second word is a verb only of commands that have some.
            if command[0] not in ("data", "mine", "config"):
                command = command[:1]
            assert main([*command, "--help"]) == 0, f"{block}: wakeword {' '.join(command)}"
    capsys.readouterr()
