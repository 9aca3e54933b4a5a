"""`wakeword evaluate CONFIG`: choose thresholds, measure the bundle, write the report; or compare finished ones."""

from __future__ import annotations

import argparse
from pathlib import Path

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import OVERRIDES_HELP, VARIANTS, add_variant_argument, read_config
from wakeword.cli.stages import evaluate_command, shown
from wakeword.errors import ConfigError
from wakeword.system.files import user_path

FLOAT = VARIANTS[0]


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("evaluate", help="choose thresholds, measure the bundle, write the report; compare")
    parser.add_argument(
        "config", metavar="CONFIG", type=user_path, nargs="?", help="a YAML recipe, such as configs/demo.yaml"
    )
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    add_variant_argument(parser)
    parser.add_argument(
        "--compare",
        metavar="DIR",
        type=user_path,
        nargs="+",
        help="finished evaluation folders: each against the first, on the same words",
    )
    parser.add_argument(
        "--from-scores",
        metavar="DIR",
        type=user_path,
        help="a finished evaluation folder: all tables again from its scores, with evaluation settings as key=value",
    )
    parser.add_argument(
        "--out", metavar="DIR", type=user_path, help="with --from-scores: write here instead of replacing its report"
    )
    parser.set_defaults(func=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    if args.out and not args.from_scores:
        raise ConfigError("--out goes with --from-scores: an evaluation of a recipe is written into its run")
    if args.variant != FLOAT and (args.compare or args.from_scores):
        raise ConfigError("--variant goes with a recipe: a finished evaluation has the model it was made with")
    if args.compare:
        if args.config or args.from_scores:
            raise ConfigError("--compare takes finished evaluations alone: leave out the recipe and --from-scores")
        return _compare(args.compare)
    if args.from_scores:
        return _from_scores(args)
    if args.config is None:
        raise ConfigError("evaluate needs a recipe (wakeword evaluate CONFIG), or --compare DIR DIR")
    return evaluate_command(args) if args.variant == FLOAT else _evaluate_variant(args)


def _evaluate_variant(args: argparse.Namespace) -> int:
    """Evaluate another form of the model in a finished run's bundle; the bundle keeps its operating points."""
    from wakeword.evaluation.evaluate import evaluate
    from wakeword.evaluation.report.wording import text_table
    from wakeword.pipeline import prepared_folder, run_folder

    config = read_config(args)
    run_dir = run_folder(config)
    out = run_dir / f"evaluation-{args.variant}"
    report = evaluate(run_dir / "bundle", prepared_folder(config), config, out, run_dir=run_dir, variant=args.variant)
    print(text_table(report))
    print(f"\nreport: {shown(out / 'report.html')}")
    print_next(f"wakeword evaluate --compare {shown(run_dir / 'evaluation')} {shown(out)}")
    return 0


def _from_scores(args: argparse.Namespace) -> int:
    from wakeword.evaluation.evaluate import evaluate_scores
    from wakeword.evaluation.report.wording import text_table

    # Without a recipe the first key=value lands in its place.
    overrides = [*([args.config] if args.config else []), *args.overrides]
    if unfit := [text for text in overrides if "=" not in text]:
        raise ConfigError(f"--from-scores takes no recipe, only settings such as operating_fah=1; got {unfit[0]!r}")
    out = Path(args.out or args.from_scores)
    report = evaluate_scores(args.from_scores, overrides, args.out)
    print(text_table(report))
    print(f"\nreport: {shown(out / 'report.html')}")
    print_next(f"wakeword evaluate --compare {shown(Path(args.from_scores))} OTHER_EVALUATION")
    return 0


def _compare(folders: list[str]) -> int:
    from wakeword.evaluation.compare import compare

    if len(folders) < 2:
        raise ConfigError(
            "--compare needs two evaluation folders or more: the first is what the others are held against"
        )
    first, *others = folders
    for other in others:
        found = compare(first, other)
        rows = []
        for word in found.words:
            for c in word.conditions:
                spread = "-" if c.interval is None else f"{100 * c.interval[0]:+.1f} to {100 * c.interval[1]:+.1f}"
                only = f"{c.only_a_missed} / {c.only_b_missed}"
                missed = f"{c.missed_a} / {c.missed_b} of {c.words}"
                rows.append(
                    (word.label, c.condition, missed, only, f"{100 * c.difference:+.1f}", spread, f"{c.p_value:.3g}")
                )
            if word.alarms is not None:
                alarms = f"{word.alarms.false_alarms_a} / {word.alarms.false_alarms_b}"
                hours = f"false alarms in {word.alarms.hours:.2f} h"
                rows.append((word.label, hours, alarms, "-", "-", "-", f"{word.alarms.p_value:.3g}"))
        header = ("word", "condition", "missed A / B", "only A / B", "B - A, points", "interval", "p")
        print_table(f"A = {first}, B = {other}", header, rows)
        for word in found.words:
            print(f"{word.label}: is B better than A? {word.better}. {word.verdict}")
    print_next("wakeword dashboard")
    return 0
