"""The report on data in text: tables that the terminal and the page share, and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from wakeword.data.label_uses import LABEL_COLUMNS, label_table
from wakeword.data.manifest import SPLITS, VOICED
from wakeword.data.report.advice import Advice, sides_of
from wakeword.data.report.facts import DataFacts

_MEASURES = {"pitch_hz": "pitch, Hz", "loudness_db": "level, dBFS", "snr_db": "SNR, dB"}


class Table(NamedTuple):
    """A table of text."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


def verdict(findings: list[Advice]) -> str:
    """One sentence: whether the data can be trained on, and how many errors and warnings there are."""
    errors = sum(finding.error for finding in findings)
    counts = ((errors, "error"), (len(findings) - errors, "warning"))
    parts = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    return f"{'not to be trained on' if errors else 'can be trained on'}: {', '.join(parts) or 'no warnings'}"


def advice_lines(findings: list[Advice]) -> list[str]:
    """A sentence per finding."""
    return [f"{'ERROR' if one.error else 'warning'} {one.rule}: {one.text}." for one in findings]


def clips_table(facts: DataFacts) -> Table:
    """Clips and hours per kind, label and split."""
    keys: list[Any] = [*facts.amounts.groupby(["kind", "label"]).groups, (None, None)]
    rows: list[tuple[Any, ...]] = []
    for kind, label in keys:
        cells = []
        for split in SPLITS:
            clips, hours = facts.clips(split, kind or (), label), facts.hours(split, kind or (), label)
            cells.append(f"{clips} ({hours:.2f} h)" if clips or kind is None else "-")
        rows.append((kind or "all", label or "", *cells))
    return Table("clips", ("kind", "label", *SPLITS), rows)


def labels_table(facts: DataFacts) -> Table:
    """What became of each label: positives of which word, negatives, or left out."""
    return Table("labels", LABEL_COLUMNS, label_table(facts.labelled))


def speakers_table(facts: DataFacts) -> Table:
    """Speakers of each wake word and of everything with a voice, per split; clips without or with a guessed speaker."""
    rows = []
    for label in [*facts.labels, None]:
        kinds, cells = ("wakeword",) if label else VOICED, []
        for split in SPLITS:
            speakers, amounts = facts.speakers(split, label)["speaker"].nunique(), facts.of(split, kinds, label)
            unnamed, guessed = int(amounts["unnamed"].sum()), int(amounts["guessed"].sum())
            cells.append(
                f"{speakers}"
                + (f" + {unnamed} clips without a name" if unnamed else "")
                + (f" ({guessed} clips by a guess)" if guessed else "")
            )
        rows.append((label or "all voices", *cells))
    return Table("speakers", ("of", *SPLITS), rows)


def voices_table(facts: DataFacts) -> Table:
    """Women and men (or high and low voices) among the speakers of each word."""
    rows = []
    for label in facts.labels:
        for split in SPLITS:
            voices = facts.speakers(split, label)
            sides = sides_of(voices)
            counts = [*((sides == side).sum() for side in ("female", "male", "")), voices["gender"].notna().sum()]
            if len(voices):
                rows.append((label, split, *map(str, counts)))
    columns = ("word", "split", "female or high", "male or low", "unknown", "stated by the source")
    return Table("voices of the words", columns, rows)


def measures_table(facts: DataFacts) -> Table:
    """5th, 50th and 95th percentile of pitch, level and SNR per kind and split."""
    rows = []
    for (kind, split), clips in facts.measures.groupby(["kind", "split"]):
        quantiles = clips[list(_MEASURES)].quantile([0.05, 0.5, 0.95]).T.to_numpy()
        if not pd.isna(quantiles).all():
            cells = (
                "-" if low != low else f"{middle:.0f} ({low:.0f} to {high:.0f})" for low, middle, high in quantiles
            )
            rows.append((kind, split, *cells))
    rows.sort(key=lambda row: (row[0], SPLITS.index(row[1])))
    return Table("median (5 % to 95 %)", ("kind", "split", *_MEASURES.values()), rows)


def sources_table(facts: DataFacts) -> Table:
    """Clips and hours per source and licence, with the kinds and splits that it serves."""
    rows = []
    for (source, licence), own in facts.amounts.groupby(["source", "licence"]):
        kinds, splits = ", ".join(sorted(set(own["kind"]))), ", ".join(sorted(set(own["split"]), key=SPLITS.index))
        clips, hours = own["clips"].sum(), own["hours"].sum()
        rows.append((source or "(none)", licence or "(unknown)", kinds, splits, str(clips), f"{hours:.2f}"))
    return Table("sources", ("source", "licence", "kinds", "splits", "clips", "hours"), rows)


def quarantine_table(facts: DataFacts) -> Table:
    """What was left out, by reason, the most frequent first, with at most three examples."""
    rows = []
    for reason, count in facts.refused["reason"].value_counts().items():
        examples = facts.refused[facts.refused["reason"] == reason].head(3).itertuples()
        rows.append((reason, str(count), "; ".join(f"{row.uri}: {row.detail}" for row in examples)))
    return Table("left out", ("reason", "rows", "for example"), rows)


def near_miss_table(facts: DataFacts) -> Table:
    """How many texts and clips resemble each word, by distance in phonemes."""
    rows = []
    for (word, distance), own in facts.near_misses.groupby(["word", "phoneme_distance"], dropna=False):
        clips = own.groupby("split")["clips"].sum().reindex(SPLITS, fill_value=0)
        rows.append((word or "(no word)", _away(distance), str(own["text"].nunique()), *map(str, clips)))
    return Table("phrases that resemble a word", ("word", "phonemes away", "texts", *SPLITS), rows)


def near_miss_texts(facts: DataFacts) -> list[tuple[str, str]]:
    """Heading and the texts of each word, distance and split."""
    groups: Any = facts.near_misses.groupby(["word", "phoneme_distance", "split"], dropna=False, sort=False)
    return [
        (f"{word or '(no word)'}, phonemes away: {_away(distance)}, {split}", ", ".join(rows["text"].unique()))
        for (word, distance, split), rows in groups
    ]


def _away(distance: Any) -> str:
    return "unknown" if pd.isna(distance) else f"{distance:.0f}"


def duplicates_text(facts: DataFacts) -> str:
    """Which copies were looked for and found."""
    counts = facts.duplicates
    if not counts:
        return "Copies were not looked for (data.quality.duplicates is keep, or the folder does not say)."
    return (
        f"Pairs of clips with the same samples: {counts.get('equal', 0)}; pairs that are copies by fingerprint: "
        f"{counts.get('copies', 0)}; clips removed because another split holds the same: "
        f"{counts.get('across_splits', 0)}."
    )


def tables(facts: DataFacts) -> dict[str, Table]:
    """All tables by name, in the order in which the command prints them."""
    return {
        "clips": clips_table(facts),
        "labels": labels_table(facts),
        "speakers": speakers_table(facts),
        "voices": voices_table(facts),
        "measures": measures_table(facts),
        "sources": sources_table(facts),
        "near_misses": near_miss_table(facts),
        "quarantine": quarantine_table(facts),
    }


def terminal_tables(facts: DataFacts) -> list[Table]:
    """What the command prints; tables without rows are left out."""
    return [table for table in tables(facts).values() if table.rows]
