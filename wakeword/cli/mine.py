"""`wakeword mine run BUNDLE CONFIG --out DIR` and `wakeword mine review DIR`: what fires wrongly, heard and kept."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import OVERRIDES_HELP, read_config
from wakeword.errors import ConfigError, DataError, MissingExtraError
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.mining.find import Mined


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("mine", help="find negatives that a bundle scores high, to train on them")
    nouns = parser.add_subparsers(dest="noun", metavar="WHAT", required=True)
    run = nouns.add_parser(
        "run",
        help="hear hours of negatives and keep what scores high",
        description="Run a bundle over hours of negatives with Ray Data and keep what scores high, without copies and "
        "in clusters, to be heard in DIR/review.html. Val and test clips of the recipe's prepared data cannot come in. "
        "Ended in any way, the same command goes on where it stopped.",
    )
    run.add_argument("bundle", metavar="BUNDLE", type=user_path, help="folder or zip that `wakeword export` wrote")
    run.add_argument("config", metavar="CONFIG", type=user_path, help="a YAML recipe that was prepared")
    run.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    run.add_argument(
        "--out", metavar="DIR", type=user_path, required=True, help="mining folder: candidates, clips, decisions"
    )
    run.add_argument(
        "--source",
        metavar="FOLDER|TYPE:URI",
        type=user_path,
        action="append",
        default=[],
        help="negatives: a folder of recordings of any length, or a source as in data.sources, such as "
        "librispeech:/data/LibriSpeech; may be given again (default: what the recipe trains on)",
    )
    run.add_argument(
        "--threshold", type=float, metavar="X", help="least score of a candidate (default: half of a word's threshold)"
    )
    run.add_argument("--most", type=int, default=300, metavar="N", help="candidates at most, the highest (300)")
    run.add_argument("--local", action="store_true", help="hear in this process, without Ray")
    run.set_defaults(func=_run)
    review = nouns.add_parser(
        "review",
        help="keep or discard candidates",
        description="Decide about candidates by id or by cluster; without options, only count. Undecided ones are not "
        "used in training.",
    )
    review.add_argument("folder", metavar="DIR", type=user_path, help="mining folder")
    for name in ("keep", "discard"):
        review.add_argument(f"--{name}", nargs="+", default=[], metavar="ID", help=f"{name} candidates")
        review.add_argument(
            f"--{name}-cluster",
            nargs="+",
            type=int,
            default=[],
            metavar="N",
            help=f"{name} what is undecided in clusters",
        )
    review.add_argument("--keep-undecided", action="store_true", help="keep all that is still undecided, unheard")
    review.set_defaults(func=_review)


def _run(args: argparse.Namespace) -> int:
    try:
        from wakeword.mining.find import mine
        from wakeword.mining.negatives import source_of
    except ImportError as error:
        raise MissingExtraError("Mining", "train", error) from error
    from wakeword.pipeline import prepared_folder
    from wakeword.runtime import load_bundle

    config = read_config(args)
    prepared_dir = prepared_folder(config)
    if not (prepared_dir / "index.json").is_file():
        recipe = " ".join(shlex.quote(part) for part in [args.config, *args.overrides])
        raise DataError(f"{args.config} is not prepared yet: run `wakeword prepare {recipe}` first")
    mined = mine(
        load_bundle(args.bundle),
        config,
        prepared_dir,
        args.out,
        [source_of(text) for text in args.source],
        args.threshold,
        args.most,
        "local" if args.local else "ray",
    )
    _print(mined)
    if mined.candidates:
        print_next(f"wakeword mine review {shlex.quote(args.out)} --keep ID … --discard ID …")
    return 0


def _print(mined: Mined) -> None:
    from wakeword.mining.review import PAGE

    rows = [(word, number) for word, number in mined.per_word.items()]
    print_table(f"{mined.hours:.2f} h of negatives heard", ("word", "candidates"), [*rows, ("all", mined.candidates)])
    print(f"{mined.clusters} clusters; {_decided(mined.decisions)}")
    if mined.left_out:
        print("left out: " + ", ".join(f"{number} {reason}" for reason, number in mined.left_out.items()))
    print(f"\nlisten: {mined.folder / PAGE}")


def _decided(counts: dict[str, int]) -> str:
    return f"{counts['keep']} kept, {counts['discard']} discarded, {counts['undecided']} undecided"


def _review(args: argparse.Namespace) -> int:
    try:
        from wakeword.data.mined import decide
        from wakeword.mining.review import refresh_page
    except ImportError as error:
        raise MissingExtraError("Mining", "train", error) from error
    if not Path(args.folder).is_dir():
        raise ConfigError(f"{args.folder} is no folder: give the one that `wakeword mine run --out` wrote")
    counts = decide(args.folder, args.keep, args.discard, args.keep_cluster, args.discard_cluster, args.keep_undecided)
    refresh_page(Path(args.folder))
    print(_decided(counts))
    if counts["keep"]:
        print(f"\nin a recipe, under data.sources:\n  - type: mined\n    uri: {Path(args.folder).absolute()}")
    return 0
