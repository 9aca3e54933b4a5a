"""`wakeword data report CONFIG|FOLDER`: what prepared data hold and what would make them better.

`wakeword data cut` is in `wakeword.cli.cut`.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword.cli.console import print_next, print_table
from wakeword.cli.cut import add_cut
from wakeword.cli.options import OVERRIDES_HELP
from wakeword.errors import ConfigError, DataError, MissingExtraError
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.config import Config

REFUSED = DataError.exit_code


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("data", help="look through prepared data, cut words out of transcribed speech")
    nouns = parser.add_subparsers(dest="noun", metavar="WHAT", required=True)
    report = nouns.add_parser(
        "report",
        help="hours, speakers, voices, noise, sources, faults and advice",
        description="Show what prepared data hold and what would make them better. "
        f"A speaker in two splits is an error: the exit code is then {REFUSED}.",
    )
    report.add_argument(
        "target", metavar="CONFIG|FOLDER", type=user_path, help="a YAML recipe that was prepared, or a prepared folder"
    )
    report.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    report.add_argument(
        "--html", metavar="OUT", type=user_path, help="write the whole report, with figures, as one HTML file"
    )
    report.set_defaults(func=_report)
    add_cut(nouns)


def _report(args: argparse.Namespace) -> int:
    try:
        from wakeword.data.report import wording
        from wakeword.data.report.report import data_report, write_html
    except ImportError as error:
        raise MissingExtraError("The report on data", "train", error) from error
    config, folder = _found(args)
    report = data_report(folder, config.evaluation if config else None)
    for table in wording.terminal_tables(report.facts):
        print_table(table.title, table.columns, table.rows)
    print(f"\ncopies: {wording.duplicates_text(report.facts)}")
    for warning in report.facts.warnings:
        print(f"note: {warning}")
    print(f"\n{report.verdict}")
    for line in wording.advice_lines(report.findings):
        print(f"  {line}")
    if args.html:
        write_html(report, Path(args.html), _line("wakeword data report", args, f"--html {shlex.quote(args.html)}"))
        print(f"\nreport: {args.html}")
    print_next(_next(args, bool(report.errors)))
    return REFUSED if report.errors else 0


def _found(args: argparse.Namespace) -> tuple[Config | None, Path]:
    """The recipe, where one is given, and the folder of its data."""
    if Path(args.target).is_dir():
        if args.overrides:
            raise ConfigError(f"{args.target} is a folder: key=value is for recipes, leave it out")
        return None, Path(args.target)
    from wakeword.cli.options import read_config
    from wakeword.pipeline import prepared_folder

    args.config = args.target
    config = read_config(args)
    folder = prepared_folder(config)
    if not (folder / "index.json").is_file():
        raise DataError(f"{args.target} is not prepared yet: run `{_line('wakeword prepare', args)}` first")
    return config, folder


def _next(args: argparse.Namespace, wrong: bool) -> str:
    if not wrong and not args.html:
        return _line("wakeword data report", args, "--html data.html")
    command = "wakeword prepare" if wrong else "wakeword train"
    # A folder does not tell which recipe it was prepared for.
    return f"{command} CONFIG" if Path(args.target).is_dir() else _line(command, args)


def _line(command: str, args: argparse.Namespace, options: str = "") -> str:
    parts = [command, shlex.quote(args.target), *(shlex.quote(part) for part in args.overrides), options]
    return " ".join(part for part in parts if part)
