"""Every command, recipe and program of the tutorial and the how-to pages is run as it stands in the page."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, RUN, SHOWN, blocks_of, run_block
from tests.docs.scenes import OVERRIDES, SCENES, Scene
from wakeword.config import validate_config

PAGES = {
    path.relative_to(DOCS).as_posix(): blocks_of(path)
    for part in ("tutorial", "howto")
    for path in sorted((DOCS / part).glob("*.md"))
}


def cases(slow: bool) -> Iterator[object]:
    """A case for each page that has something to run, with the marks that it needs."""
    for page, blocks in PAGES.items():
        marks = [pytest.mark.ray] if slow and SCENES.get(page, Scene()).slow_ray else []
        if slow:
            marks.append(pytest.mark.slow)
        if any(not block.not_run and block.slow == slow for block in blocks):
            yield pytest.param(page, marks=marks)


def test_every_example_is_run_or_says_why_not() -> None:
    assert set(SCENES) <= set(PAGES)
    for block in (block for blocks in PAGES.values() for block in blocks):
        assert block.language in (*RUN, *SHOWN), f"{block}: mark the block as one of {', '.join((*RUN, *SHOWN))}"
        if block.not_run:
            assert len(block.not_run.split()) >= 3, f"{block}: say why it is not run"


def test_programs_of_the_pages_keep_the_rules_of_the_code(tmp_path: Path) -> None:
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    programs = (block for blocks in PAGES.values() for block in blocks if block.language == "python")
    for block in programs:
        if block.not_run.startswith("a part of"):  # its names are defined elsewhere
            continue
        path = tmp_path / (block.title or f"{Path(block.page).stem}_{block.line}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    # The order of imports depends on which packages lie beside the file.
    command = [sys.executable, "-m", "ruff", "check", "--extend-ignore", "I001", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], None]:
    """Fill a folder for a page; what takes seconds to make is made once and copied."""
    made: dict[Callable[[Path], None], Path] = {}

    def fill(page: str, folder: Path) -> None:
        wanted = SCENES.get(page, Scene())
        make = wanted.make
        if make not in made:
            made[make] = tmp_path_factory.mktemp(make.__name__)
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(made[make])
                make(made[make])
        shutil.copytree(made[make], folder, dirs_exist_ok=True)
        if wanted.without:
            (folder / wanted.without).unlink()

    return fill


@pytest.fixture(scope="module")
def one_ray() -> Iterator[Callable[[], None]]:
    """Start a Ray that all later commands of this process use."""
    from contextlib import ExitStack

    from wakeword.stages.ray_session import ray_session

    with ExitStack() as stack:
        opened: list[bool] = []

        def start() -> None:
            if not opened:
                stack.enter_context(ray_session(validate_config({"words": [{"label": "hey_nova"}]})))
                opened.append(True)

        yield start


@pytest.fixture
def run_page(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scene: Callable[[str, Path], None],
    one_ray: Callable[[], None],
) -> Callable[[str, bool], None]:
    """Run the blocks of a page in a folder of its own."""

    def run(page: str, slow: bool) -> None:
        scene(page, tmp_path)
        monkeypatch.chdir(tmp_path)
        if slow and SCENES.get(page, Scene()).slow_ray:
            one_ray()
        with SCENES.get(page, Scene()).beside():
            for block in PAGES[page]:
                shown = block.language in SHOWN and not block.title
                if shown or block.not_run or (block.slow and not slow):
                    continue
                block.overrides = [one for name in block.overrides for one in OVERRIDES.get(name, [name])]
                run_block(block)

    return run


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", cases(slow=False))
def test_the_examples_of_a_page_run(page: str, run_page: Callable[[str, bool], None]) -> None:
    run_page(page, False)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", cases(slow=True))
def test_all_examples_of_a_page_run(page: str, run_page: Callable[[str, bool], None]) -> None:
    run_page(page, True)
