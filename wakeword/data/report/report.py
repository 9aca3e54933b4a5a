"""`wakeword data report`: what a prepared folder holds, how good it is to train on, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.report import wording
from wakeword.data.report.advice import Advice, advise, score_of
from wakeword.data.report.facts import DataFacts, read_facts
from wakeword.system.files import write_text


@dataclass(frozen=True)
class DataReport:
    """Facts, findings and the score.

    Attributes:
        findings: errors first, then what costs most.
        score: 0 to 100; 0 with any error.
    """

    facts: DataFacts
    findings: list[Advice]
    score: int

    @property
    def errors(self) -> list[Advice]:
        """Findings that forbid to train on these data."""
        return [finding for finding in self.findings if finding.error]

    @property
    def verdict(self) -> str:
        """The score in words."""
        return wording.verdict(self.score, self.findings)


def data_report(folder: str | Path, evaluation: EvaluationConfig | None = None) -> DataReport:
    """Look through a prepared folder; no audio is read.

    Args:
        folder: what `wakeword prepare` wrote.
        evaluation: its targets say how large the test split must be; the defaults where None.

    Raises:
        DataError: the folder is not prepared, is of another version, or a table of it is absent or damaged.
    """
    facts = read_facts(folder)
    findings = advise(facts, evaluation or EvaluationConfig())
    return DataReport(facts, findings, score_of(findings))


def write_html(report: DataReport, path: Path, command: str = "") -> None:
    """Write the report as one HTML file that fetches nothing, atomically.

    Args:
        report: what to show.
        path: the file.
        command: the exact command to make it again.

    Raises:
        MissingExtraError: plotly is not installed.
    """
    from wakeword.errors import MissingExtraError

    try:
        from wakeword.data.report.page import report_page
    except ImportError as error:
        raise MissingExtraError("The report on data as HTML", "train", error) from error
    write_text(path, report_page(report, command))
