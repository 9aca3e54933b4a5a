"""The HTML page of the report on data."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword.data.report import figures, wording
from wakeword.data.report.advice import MALE_BELOW_HZ
from wakeword.system import html_page as page

if TYPE_CHECKING:
    from wakeword.data.report.report import DataReport


def report_page(report: DataReport, command: str) -> str:
    """The whole file as text."""
    facts = report.facts
    parts = [
        _judgement(report),
        page.section(
            "What there is",
            page.plot(figures.hours_figure(facts), "no clips"),
            _table(wording.clips_table(facts)),
        ),
        page.section("Labels", _table(wording.labels_table(facts))),
        _speakers(report),
        _measures(report),
        page.section("Sources and licences", _table(wording.sources_table(facts))),
        page.section("Copies", page.note(wording.duplicates_text(facts))),
        _near_misses(report),
        _refused(report),
    ]
    if facts.warnings:
        parts.append(page.section("What preparation said", page.items(facts.warnings)))
    told = f"<pre>{html.escape(command)}</pre>" if command else ""
    parts.append(page.section("To reproduce", told, page.note(f"data {facts.config_hash} in {facts.root}")))
    words = ", ".join(facts.labels)
    subtitle = f"{facts.clips()} clips, {facts.hours():.2f} h, prepared for {words}"
    return page.page(f"{words}: data", f"Data for {words}", subtitle, parts)


def _table(table: wording.Table) -> str:
    return page.table(table.columns, table.rows) if table.rows else page.note("none")


def _judgement(report: DataReport) -> str:
    good = not report.errors and report.score >= wording.FAIR
    badge = page.verdict(str(report.score), good, report.verdict)
    lines = wording.advice_lines(report.findings)
    return page.section("Judgement", badge, page.items(lines) if lines else "")


def _speakers(report: DataReport) -> str:
    facts = report.facts
    parts = [_table(wording.speakers_table(facts)), "<h3>Voices of the words</h3>", _table(wording.voices_table(facts))]
    if facts.overlap:
        lines = [f"{speaker}: {', '.join(splits)}" for speaker, splits in facts.overlap.items()]
        parts.append(page.folded(f"in more than one split: {len(lines)}", page.items(lines)))
    parts += [
        "<h3>Pitch</h3>",
        page.plot(figures.by_split_figure(facts, "pitch_hz"), "no voiced clips"),
        page.note(
            f"Pitch stands for sex and age where no source tells them: most men speak below {MALE_BELOW_HZ:g} Hz "
            "(dotted), most women above, children higher still. Splits whose lines lie apart hold other voices."
        ),
    ]
    return page.section("Speakers", *parts)


def _measures(report: DataReport) -> str:
    facts = report.facts
    parts = ['<div class="two">']
    for title, figure in (
        ("Level of speech", figures.by_kind_figure(facts, "loudness_db")),
        ("Signal to noise", figures.by_kind_figure(facts, "snr_db")),
        ("Signal to noise by split", figures.by_split_figure(facts, "snr_db")),
        ("Length", figures.by_kind_figure(facts, "duration_s")),
    ):
        parts.append(f"<div><h3>{html.escape(title)}</h3>{page.plot(figure, 'nothing measured')}</div>")
    parts += [
        "</div>",
        _table(wording.measures_table(facts)),
        page.note(
            "Words and other speech whose lines lie apart can be told by level or noise instead of by the word. Clips "
            "without a pause have no ratio."
        ),
    ]
    return page.section("Levels, noise, lengths", *parts)


def _near_misses(report: DataReport) -> str:
    facts = report.facts
    texts = [page.folded(heading, page.note(text)) for heading, text in wording.near_miss_texts(facts)]
    return page.section("Phrases that resemble a word", _table(wording.near_miss_table(facts)), *texts)


def _refused(report: DataReport) -> str:
    facts = report.facts
    rows = [(one.reason, str(one.count)) for one in facts.refused]
    examples = [page.folded(f"{one.reason}: examples", page.items(one.examples)) for one in facts.refused]
    table = page.table(("reason", "rows"), rows) if rows else page.note("Nothing was left out.")
    where = page.note(f"All rows: {Path(facts.root) / 'quarantine.parquet'}") if rows else ""
    return page.section("Left out", table, *examples, where)
