"""`wakeword mine run|sounds|review`: find hard negatives with a bundle or by their sound, and review them."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from wakeword.cli.console import print_next, print_table
from wakeword.cli.data import prepared_or_refuse
from wakeword.cli.options import Bundle, Local, Overrides, Recipe, path, path_argument, read_config, value
from wakeword.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from wakeword.mining.find import Mined
    from wakeword.stages.runner import Runner

_SOURCE = (
    "negatives: a folder of recordings of any length, or a source as in data.sources, such as "
    "librispeech:/data/LibriSpeech; may be repeated"
)
_HALF = "half of a word's threshold"
_KEEP_ALL = "keep all undecided candidates"


def run(
    bundle: Bundle,
    config: Recipe,
    overrides: Overrides,
    out: Annotated[str, path("DIR", "mining folder: candidates, clips, decisions")],
    source: Annotated[list[str] | None, path("FOLDER|TYPE:URI", _SOURCE, "the recipe's training data")] = None,
    threshold: Annotated[float | None, value("X", "lowest score of a candidate", _HALF)] = None,
    most: Annotated[int, value("N", "largest number of candidates")] = 300,
    local: Local = False,
) -> None:
    """Score hours of negatives with a bundle and keep those with high scores.

    Candidates are free of duplicates, grouped in clusters, and reviewed in DIR/review.html. Val and test clips of the
    recipe's data are excluded. After an interruption the same command continues where it stopped.
    """
    from wakeword.runtime import load_bundle

    loaded = read_config(config, overrides)
    try:
        from wakeword.mining.find import mine
        from wakeword.mining.negatives import source_of
    except ImportError as error:
        raise MissingExtraError("Mining", "train", error) from error
    prepared_dir = prepared_or_refuse(loaded, config, overrides)
    sources = [source_of(text) for text in source or []]
    mined = mine(load_bundle(bundle), loaded, prepared_dir, out, sources, threshold, most, "local" if local else "ray")
    _print(mined)
    if mined.candidates:
        print_next(f"wakeword mine review {shlex.quote(out)} --keep ID … --discard ID …")


def sounds(
    config: Recipe,
    overrides: Overrides,
    out: Annotated[str, path("DIR", "mining folder: candidates, clips, decisions")],
    source: Annotated[list[str] | None, path("FOLDER|TYPE:URI", _SOURCE, "the recipe's training data")] = None,
    per_hour: Annotated[float, value("N", "candidates for an hour of negatives, the highest of all")] = 60.0,
    most: Annotated[int, value("N", "largest number of candidates")] = 300,
    local: Local = False,
) -> None:
    """Find the stretches of negatives that sound most like the recipe's words, without a detector.

    A phoneme recogniser compares the negatives with the sounds of each word. Their score is 1 for the word itself:
    listen, since it may have been said. The rest is as in `wakeword mine run`.
    """
    loaded = read_config(config, overrides)
    try:
        from wakeword.mining.negatives import source_of
        from wakeword.mining.phonetic import mine_by_sound
    except ImportError as error:
        raise MissingExtraError("Mining", "train", error) from error
    prepared_dir = prepared_or_refuse(loaded, config, overrides)
    sources = [source_of(text) for text in source or []]
    runner: Runner = "local" if local else "ray"
    mined = mine_by_sound(loaded, prepared_dir, out, sources, per_hour, most, runner=runner)
    _print(mined)
    if mined.candidates:
        print_next(f"wakeword mine review {shlex.quote(out)} --keep ID … --discard ID …")


def _print(mined: Mined) -> None:
    from wakeword.mining.review import PAGE

    rows = [*mined.per_word.items(), ("all", mined.candidates)]
    print_table(f"{mined.hours:.2f} h of negatives scored", ("word", "candidates"), rows)
    print(f"{mined.clusters} clusters; {_decided(mined.decisions)}")
    if mined.left_out:
        print("left out: " + ", ".join(f"{number} {reason}" for reason, number in mined.left_out.items()))
    print(f"\nlisten: {mined.folder / PAGE}")


def _decided(counts: dict[str, int]) -> str:
    return f"{counts['keep']} kept, {counts['discard']} discarded, {counts['undecided']} undecided"


def review(
    folder: Annotated[str, path_argument("DIR", "mining folder")],
    keep: Annotated[list[str] | None, value("ID…", "keep candidates")] = None,
    discard: Annotated[list[str] | None, value("ID…", "discard candidates")] = None,
    keep_cluster: Annotated[list[int] | None, value("N…", "keep undecided candidates of clusters")] = None,
    discard_cluster: Annotated[list[int] | None, value("N…", "discard undecided candidates of clusters")] = None,
    keep_undecided: Annotated[bool, Option("--keep-undecided", help=_KEEP_ALL)] = False,
) -> None:
    """Keep or discard candidates by id or by cluster.

    Without options, candidates are only counted. Training does not use undecided ones.
    """
    try:
        from wakeword.data.mined import decide
        from wakeword.mining.review import refresh_page
    except ImportError as error:
        raise MissingExtraError("Mining", "train", error) from error
    if not Path(folder).is_dir():
        raise ConfigError(f"{folder} is not a folder: give the --out folder of `wakeword mine run`")
    counts = decide(folder, keep or [], discard or [], keep_cluster or [], discard_cluster or [], keep_undecided)
    refresh_page(Path(folder))
    print(_decided(counts))
    if counts["keep"]:
        print(f"\nin a recipe, under data.sources:\n  - type: mined\n    uri: {Path(folder).absolute()}")
