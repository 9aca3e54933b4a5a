"""`wakeword data report CONFIG|FOLDER` and `wakeword data cut CONFIG`: check prepared data, cut words out of speech."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import Local, Overrides, Recipe, command_text, path, path_argument, read_config, value
from wakeword.cli.stages import display_path
from wakeword.errors import ConfigError, DataError, MissingExtraError

if TYPE_CHECKING:
    from wakeword.config import Config
    from wakeword.data.cutting.cut import CutSummary

_ALIGNER = "pocketsphinx, or ctc:PATH_OR_ID for a CTC model of transformers; same as cutting.aligner=NAME"
SPLIT_COLUMNS = ("train (speakers)", "val (speakers)", "test (speakers)")


def report(
    target: Annotated[str, path_argument("CONFIG|FOLDER", "YAML recipe that was prepared, or a prepared folder")],
    overrides: Overrides,
    html: Annotated[str | None, path("OUT", "write the full report with figures to one HTML file")] = None,
) -> int:
    """Report hours, speakers, voices, noise, sources and faults of prepared data, with advice.

    The exit code is 3 if a speaker is in two splits.
    """
    try:
        from wakeword.data.report import wording
        from wakeword.data.report.report import data_report, write_html
    except ImportError as error:
        raise MissingExtraError("The data report", "train", error) from error
    config, folder = _prepared(target, overrides)
    made = data_report(folder, config.evaluation if config else None)
    for table in wording.tables(made.facts).values():
        if table.rows:
            print_table(table.title, table.columns, table.rows)
    print(f"\ncopies: {wording.duplicates_text(made.facts)}")
    for warning in made.facts.warnings:
        print(f"note: {warning}")
    print(f"\n{made.verdict}")
    for line in wording.advice_lines(made.findings):
        print(f"  {line}")
    if html:
        line = command_text("data report", target, overrides, f"--html {shlex.quote(html)}")
        write_html(made, Path(html), line)
        print(f"\nreport: {html}")
    if not made.errors and not html:
        print_next(command_text("data report", target, overrides, "--html data.html"))
    else:
        command = "prepare" if made.errors else "train"
        print_next(command_text(command, target, overrides) if config else f"wakeword {command} CONFIG")
    return DataError.exit_code if made.errors else 0


def _prepared(target: str, overrides: list[str]) -> tuple[Config | None, Path]:
    """The recipe (None for a folder) and the folder of prepared data."""
    if not Path(target).is_dir():
        config = read_config(target, overrides)
        return config, prepared_or_refuse(config, target, overrides)
    if overrides:
        raise ConfigError(f"{target} is a folder: remove {' '.join(overrides)}, which applies to recipes only")
    return None, Path(target)


def prepared_or_refuse(config: Config, recipe: str, overrides: list[str]) -> Path:
    """The folder of a recipe's prepared data.

    Raises:
        DataError: the data are not prepared.
    """
    from wakeword.pipeline import prepared_folder

    folder = prepared_folder(config)
    if not (folder / "index.json").is_file():
        line = command_text("prepare", recipe, overrides)
        raise DataError(f"{recipe} is not prepared yet: run `{line}` first")
    return folder


def cut(
    config: Recipe,
    overrides: Overrides,
    out: Annotated[str | None, path("FOLDER", "output folder of clips and manifest.csv; not with --count")] = None,
    aligner: Annotated[str | None, value("NAME", _ALIGNER)] = None,
    count: Annotated[bool, Option("--count", help="count the words in the transcripts, without cutting")] = False,
    local: Local = False,
) -> None:
    """Cut a phrase and its words out of transcribed speech.

    Counts the words of the recipe's phrases in the transcripts of its sources, and cuts them out by forced alignment:
    wake words and near misses in real voices. Prints the lines to add to the recipe. The recipe's section `cutting`
    holds the limits of a usable cut.
    """
    if aligner:
        overrides = [*overrides, f"cutting.aligner={aligner}"]
    if bool(out) == count:
        raise ConfigError("wakeword data cut needs either --out FOLDER to cut words out, or --count to count them")
    loaded = read_config(config, overrides)
    try:
        from wakeword.data.cutting.cut import cut_words_out, find_speech
        from wakeword.data.cutting.occurrences import count_texts
    except ImportError as error:
        raise MissingExtraError("Cutting words out of speech", "train", error) from error
    corpus = find_speech(loaded)
    counts = count_texts(corpus.rows, loaded.words)
    print_table("clips by text in their transcript", ("word", "text", "way", *SPLIT_COLUMNS), counts)
    for warning in corpus.warnings:
        print(f"note: {warning}")
    if not out:
        print_next(command_text("data cut", config, overrides, "--out cuts"))
        return
    _print_cuts(cut_words_out(loaded, corpus, out, "local" if local else "ray"), config)


def _print_cuts(summary: CutSummary, recipe: str) -> None:
    folder = display_path(summary.out_dir)
    print_table("cut out", ("text", "way", *SPLIT_COLUMNS), summary.rows())
    print(
        f"\n{summary.clips} clips in {folder} ({summary.clips - summary.made} of them from an earlier run), "
        f"{summary.recordings} recordings ({summary.aligned} aligned now)"
    )
    if summary.refused:
        reasons = ", ".join(f"{number} {reason}" for reason, number in summary.refused.items())
        print(f"left out: {reasons} (see {folder}/quarantine.parquet)")
    if summary.holding:
        print(
            f"note: {summary.holding} recordings contain a phrase: prepare excludes them from plain speech "
            "(contains_word) and uses their cuts instead"
        )
    print(f"\nadd to data.sources of {recipe}:\n    - type: csv\n      uri: {folder}/manifest.csv")
    print_next(command_text("prepare", recipe, []))
