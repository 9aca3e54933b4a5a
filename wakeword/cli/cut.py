"""`wakeword data cut CONFIG --out FOLDER`: real voices for a phrase, cut out of transcribed speech."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import OVERRIDES_HELP, read_config
from wakeword.errors import ConfigError, MissingExtraError
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.data.cutting.cut import CutSummary

SPLIT_COLUMNS = ("train (speakers)", "val (speakers)", "test (speakers)")


def add_cut(nouns: argparse._SubParsersAction) -> None:
    """Add the noun."""
    parser = nouns.add_parser(
        "cut",
        help="cut a phrase and its words out of transcribed speech",
        description="Find the words of the recipe's phrases in the transcripts of its sources, count them, and cut "
        "them out by forced alignment: wake words in real voices, and real near misses. Prints the lines to add to "
        "the recipe. The recipe's section `cutting` says what makes a cut unfit.",
    )
    # The recipe's path and overrides are those of every command.
    parser.add_argument(
        "config", metavar="CONFIG", type=user_path, help="a YAML recipe whose data.sources have transcripts"
    )
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    parser.add_argument(
        "--out", metavar="FOLDER", type=user_path, help="where clips and their manifest.csv go; not with --count"
    )
    parser.add_argument(
        "--aligner",
        metavar="NAME",
        help="pocketsphinx, or ctc:PATH_OR_ID for a CTC model of transformers; the same as cutting.aligner=NAME",
    )
    parser.add_argument("--count", action="store_true", help="only count the words in the transcripts")
    parser.add_argument("--local", action="store_true", help="align and cut in this process, without Ray")
    parser.set_defaults(func=_cut)


def _cut(args: argparse.Namespace) -> int:
    if args.aligner:
        args.overrides = [*args.overrides, f"cutting.aligner={args.aligner}"]
    if bool(args.out) == args.count:
        raise ConfigError("wakeword data cut needs --out FOLDER to cut into, or --count to count alone")
    config = read_config(args)
    try:
        from wakeword.data.cutting.cut import cut_words_out, find_speech
        from wakeword.data.cutting.occurrences import count_texts
    except ImportError as error:
        raise MissingExtraError("Cutting words out of speech", "train", error) from error
    corpus = find_speech(config)
    counts = [count.cells() for count in count_texts(corpus.rows, config.words)]
    print_table("clips whose transcript holds it", ("word", "text", "way", *SPLIT_COLUMNS), counts)
    for warning in corpus.warnings:
        print(f"note: {warning}")
    if args.count:
        words = [shlex.quote(part) for part in (args.config, *args.overrides)]
        print_next(" ".join(["wakeword data cut", *words, "--out cuts"]))
        return 0
    summary = cut_words_out(config, corpus, args.out, "local" if args.local else "ray")
    _print_summary(summary, args)
    return 0


def _print_summary(summary: CutSummary, args: argparse.Namespace) -> None:
    from wakeword.cli.stages import shown

    folder = shown(summary.out_dir)
    print_table("cut out", ("text", "way", *SPLIT_COLUMNS), summary.rows())
    print(
        f"\n{summary.clips} clips in {folder} ({summary.clips - summary.made} of them from an earlier run), "
        f"{summary.recordings} recordings ({summary.aligned} aligned now)"
    )
    if summary.refused:
        told = ", ".join(f"{number} {reason}" for reason, number in summary.refused.items())
        print(f"left out: {told} (see {folder}/quarantine.parquet)")
    if summary.holding:
        print(
            f"note: {summary.holding} recordings hold a phrase: prepare leaves them out of the plain speech "
            "(contains_word), their cuts stand for them"
        )
    print(f"\nadd to data.sources of {args.config}:\n    - type: csv\n      uri: {folder}/manifest.csv")
    print_next(f"wakeword prepare {shlex.quote(args.config)}")
