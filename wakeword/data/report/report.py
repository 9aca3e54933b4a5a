"""`wakeword data report`: what a prepared folder holds, and what to improve before anything is trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.report import wording
from wakeword.data.report.advice import MALE_BELOW_HZ, Advice, advise
from wakeword.data.report.facts import DataFacts, read_facts
from wakeword.errors import MissingExtraError
from wakeword.system.files import write_text


@dataclass(frozen=True)
class DataReport:
    """Facts and findings (errors first, then by severity)."""

    facts: DataFacts
    findings: list[Advice]

    @property
    def errors(self) -> list[Advice]:
        """Findings that forbid to train on these data."""
        return [finding for finding in self.findings if finding.error]

    @property
    def verdict(self) -> str:
        """One sentence: whether the data can be trained on."""
        return wording.verdict(self.findings)


def data_report(folder: str | Path, evaluation: EvaluationConfig | None = None) -> DataReport:
    """Report on the prepared data in `folder`; the targets of `evaluation` decide how large the test split must be.

    Raises:
        DataError: the folder is not prepared, is of another version, or a table of it is absent or damaged.
    """
    facts = read_facts(folder)
    return DataReport(facts, advise(facts, evaluation or EvaluationConfig()))


def write_html(report: DataReport, path: Path, command: str = "") -> None:
    """Write the report as one HTML file that fetches nothing, atomically; `command` is printed at its end.

    Raises:
        MissingExtraError: plotly or jinja2 is not installed.
    """
    try:
        from wakeword.data.report.figures import all_figures
        from wakeword.pages.page import render
    except ImportError as error:
        raise MissingExtraError("The report on data as HTML", "train", error) from error
    text = render(
        "data_report.html.j2",
        report=report,
        facts=report.facts,
        command=command,
        advice=wording.advice_lines(report.findings),
        tables=wording.tables(report.facts),
        figures=all_figures(report.facts),
        duplicates=wording.duplicates_text(report.facts),
        near_miss_texts=wording.near_miss_texts(report.facts),
        male_below_hz=MALE_BELOW_HZ,
    )
    write_text(path, text)
