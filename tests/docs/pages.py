"""Examples of the documentation: the fenced blocks of a page, and how each is run.

A block is `bash`, `python` or `yaml`. With `title="path"` it is a file, which is written there; a `diff` with a title
changes that file. Without a title bash and Python run in the page's working folder, and YAML is read as (a part of) a
recipe. HTML comments directly before a block change this:

* `<!-- not run: reason -->`: the block is not run.
* `<!-- slow -->`: it is run by the slow suite only.
* `<!-- with: key=value … -->`: overrides that keep a `wakeword` command short in the test.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from wakeword.cli.main import main
from wakeword.config import load_config, validate_config
from wakeword.config.schema import Config

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RUN = ("bash", "python", "yaml", "diff")
SHOWN = ("text", "json", "csv", "console")
"""Languages of blocks that are only to be read."""
_FENCE = re.compile(r"^```(\w*)(.*)$")
_COMMENT = re.compile(r"^<!-- (not run|slow|with)(?:: (.*?))? -->$")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    title: str = ""
    not_run: str = ""
    slow: bool = False
    overrides: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page in their order."""
    found: list[Block] = []
    comments: list[re.Match[str]] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if fence := _FENCE.match(line):
            end = lines.index("```", number + 1)
            title = _TITLE.search(fence[2])
            block = Block(
                page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else page.name,
                number + 1,
                fence[1],
                "\n".join(lines[number + 1 : end]) + "\n",
                title[1] if title else "",
            )
            for comment in comments:
                block.not_run = comment[2] if comment[1] == "not run" else block.not_run
                block.slow = block.slow or comment[1] == "slow"
                block.overrides += shlex.split(comment[2]) if comment[1] == "with" else []
            found.append(block)
            comments = []
            number = end
        elif comment := _COMMENT.match(line):
            comments.append(comment)
        else:
            comments = []
        number += 1
    return found


def run_block(block: Block) -> None:
    """Run one block in the working folder; a failure raises AssertionError that names the block."""
    if block.title and block.language == "diff":
        apply_diff(block)
    elif block.title:
        # A file of the example.
        path = Path(block.title)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if block.language == "yaml" and "words" in yaml.safe_load(block.text):
            load_config(path)
    elif block.language == "yaml":
        check_yaml(block)
    elif block.language == "python" and _in_checkout():
        run_command(block, f"python -c {shlex.quote(block.text)}")
    elif block.language == "python":
        exec(compile(block.text, str(block), "exec"), {"__name__": "__main__"})
    elif block.language == "bash":
        for command in commands_of(block):
            run_command(block, command)


def check_yaml(block: Block) -> None:
    """A part of a recipe must be valid beside a word."""
    tree = yaml.safe_load(block.text)
    unknown = set(tree) - set(Config.model_fields)
    assert not unknown, f"{block}: no sections of a recipe: {sorted(unknown)}"
    validate_config({"words": [{"label": "hey_nova"}], **tree}, str(block))


def commands_of(block: Block) -> list[str]:
    """The command lines of a block: continued lines joined, empty lines and comments left out."""
    joined = re.sub(r"\\\n\s*", " ", block.text)
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def run_command(block: Block, command: str) -> None:
    """`wakeword …` in this process, anything else by bash."""
    parts = shlex.split(command, comments=True)
    if parts[0] == "wakeword" and not _in_checkout() and not set(parts) & {"|", ">", "&&", "&", "<"}:
        code = main([*parts[1:], *block.overrides])
        assert code == 0, f"{block}: `{command}` ended with {code}"
        return
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([os.getcwd(), str(ROOT)]),
    }
    line = command.split("  #")[0] + "".join(f" {shlex.quote(one)}" for one in block.overrides)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{block}: `{line}` ended with {done.returncode}\n{done.stdout}\n{done.stderr}"


def _in_checkout() -> bool:
    """True where the working folder holds a copy of the package, which the commands must then use."""
    return Path("wakeword/cli").is_dir()


def apply_diff(block: Block) -> None:
    """Replace the block's `-` lines by its `+` lines in the file that the title names."""
    path = Path(block.title)
    before = "".join(f"{line[1:]}\n" for line in block.text.splitlines() if line[:1] in "- ")
    after = "".join(f"{line[1:]}\n" for line in block.text.splitlines() if line[:1] in "+ ")
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{block}: {path} holds {text.count(before)} times:\n{before}"
    path.write_text(text.replace(before, after), encoding="utf-8")
