"""The report on data as people read it: tables that the terminal and the page share, and sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wakeword.data.label_uses import LABEL_COLUMNS, label_table
from wakeword.data.manifest import SPLITS, VOICED
from wakeword.data.report.advice import Advice, side_of
from wakeword.data.report.facts import Amount, DataFacts

GOOD, FAIR = 80, 50
"""Scores from which data are called good, or fair."""
_NAMES = {"pitch_hz": "pitch, Hz", "loudness_db": "level, dBFS", "snr_db": "SNR, dB"}


@dataclass(frozen=True)
class Table:
    """A table of text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def verdict(score: int, findings: list[Advice]) -> str:
    """One sentence on the score."""
    errors = sum(finding.error for finding in findings)
    if errors:
        return f"score {score} of 100: not to be trained on, {errors} error{'' if errors == 1 else 's'}"
    word = "good" if score >= GOOD else "fair" if score >= FAIR else "poor"
    return f"score {score} of 100: {word}" + ("" if findings else ", nothing to say against it")


def advice_lines(findings: list[Advice]) -> list[str]:
    """A sentence per finding, with what it costs."""
    return [f"{'ERROR' if one.error else f'-{one.points}'} {one.rule}: {one.text}." for one in findings]


def clips_table(facts: DataFacts) -> Table:
    """Clips and hours per kind, label and split."""
    pairs = sorted({(amount.kind, amount.label) for amount in facts.amounts})
    rows = []
    for kind, label in pairs:
        cells = []
        for split in SPLITS:
            clips, hours = facts.clips(split, kind, label), facts.hours(split, kind, label)
            cells.append(f"{clips} ({hours:.2f} h)" if clips else "-")
        rows.append((kind, label, *cells))
    totals = (f"{facts.clips(split)} ({facts.hours(split):.2f} h)" for split in SPLITS)
    return Table("clips", ("kind", "label", *SPLITS), (*rows, ("all", "", *totals)))


def labels_table(facts: DataFacts) -> Table:
    """What became of each label: positives of which word, negatives, or left out."""
    return Table("labels", LABEL_COLUMNS, tuple(label_table(facts.labelled)))


def speakers_table(facts: DataFacts) -> Table:
    """Speakers of each wake word and of everything with a voice, per split; clips of nobody's or of a guessed name."""
    rows = []
    for label in facts.labels:
        cells = []
        for split in SPLITS:
            amounts = facts.of(split, "wakeword", label)
            cells.append(_named(sum(one.speakers for one in amounts), amounts))
        rows.append((label, *cells))
    everyone = tuple(_named(facts.voiced.get(split, 0), facts.of(split, tuple(VOICED))) for split in SPLITS)
    return Table("speakers", ("of", *SPLITS), (*rows, ("all voices", *everyone)))


def _named(speakers: int, amounts: list[Amount]) -> str:
    unnamed, guessed = sum(one.unnamed for one in amounts), sum(one.guessed for one in amounts)
    told = f" + {unnamed} clips without a name" if unnamed else ""
    return f"{speakers}{told}" + (f" ({guessed} clips by a guess)" if guessed else "")


def voices_table(facts: DataFacts) -> Table:
    """Women and men (or high and low voices) among the speakers of each word; what cannot be told is `unknown`."""
    rows = []
    for label in facts.labels:
        for split in SPLITS:
            voices = [voice for voice in facts.voices if voice.label == label and voice.split == split]
            if voices:
                sides = [side_of(voice) for voice in voices]
                told = sum(voice.gender is not None for voice in voices)
                counts = (sides.count("female"), sides.count("male"), sides.count(None), told)
                rows.append((label, split, *(str(count) for count in counts)))
    columns = ("word", "split", "female or high", "male or low", "unknown", "told by the source")
    return Table("voices of the words", columns, tuple(rows))


def measures_table(facts: DataFacts) -> Table:
    """5th, 50th and 95th percentile of pitch, level and SNR per kind and split."""
    rows = []
    keys = sorted({key for name in _NAMES for key in facts.values.get(name, {})}, key=lambda key: (key[1], key[0]))
    for split, kind in keys:
        cells = []
        for name in _NAMES:
            values = facts.values.get(name, {}).get((split, kind))
            low, middle, high = np.percentile(values, [5, 50, 95]) if values is not None else (0, 0, 0)
            cells.append("-" if values is None else f"{middle:.0f} ({low:.0f} to {high:.0f})")
        rows.append((kind, split, *cells))
    rows.sort(key=lambda row: (row[0], SPLITS.index(row[1])))
    return Table("median (5 % to 95 %)", ("kind", "split", *_NAMES.values()), tuple(rows))


def sources_table(facts: DataFacts) -> Table:
    """Clips and hours per source and licence, with the kinds and splits that it serves."""
    rows = []
    for source, licence in sorted({(one.source, one.licence) for one in facts.sources}):
        own = [one for one in facts.sources if (one.source, one.licence) == (source, licence)]
        kinds = ", ".join(sorted({one.kind for one in own}))
        splits = ", ".join(split for split in SPLITS if any(one.split == split for one in own))
        clips, hours = sum(one.clips for one in own), sum(one.hours for one in own)
        rows.append((source or "(none)", licence or "(unknown)", kinds, splits, str(clips), f"{hours:.2f}"))
    return Table("sources", ("source", "licence", "kinds", "splits", "clips", "hours"), tuple(rows))


def quarantine_table(facts: DataFacts) -> Table:
    """What was left out, by reason, with one example."""
    rows = tuple((one.reason, str(one.count), one.examples[0] if one.examples else "") for one in facts.refused)
    return Table("left out", ("reason", "rows", "for example"), rows)


def near_miss_table(facts: DataFacts) -> Table:
    """How many texts and clips resemble each word, by distance in phonemes."""
    keys = sorted({(one.word, one.distance) for one in facts.near_misses}, key=lambda key: (key[0], key[1] or 99))
    rows = []
    for word, distance in keys:
        own = [one for one in facts.near_misses if (one.word, one.distance) == (word, distance)]
        clips = [str(sum(one.clips for one in own if one.split == split)) for split in SPLITS]
        away = "unknown" if distance is None else str(distance)
        rows.append((word or "(no word)", away, str(len({one.text for one in own})), *clips))
    return Table("phrases that resemble a word", ("word", "phonemes away", "texts", *SPLITS), tuple(rows))


def near_miss_texts(facts: DataFacts) -> list[tuple[str, str]]:
    """Heading and the texts of each word, distance and split."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in facts.near_misses:
        away = "at an unknown distance" if one.distance is None else f"{one.distance} away"
        found.setdefault((one.word or "(no word)", away, one.split), []).append(one.text)
    return [
        (f"{word}, {away}, {split} (texts: {len(set(texts))})", ", ".join(sorted(set(texts))))
        for (word, away, split), texts in found.items()
    ]


def duplicates_text(facts: DataFacts) -> str:
    """What was looked for and found of copies."""
    counts = facts.duplicates
    if not counts:
        return "Copies were not looked for (data.quality.duplicates is keep, or the folder does not say)."
    return (
        f"Pairs of clips with the same samples: {counts.get('equal', 0)}; pairs that are copies by fingerprint: "
        f"{counts.get('copies', 0)}; clips taken out because another split holds the same: "
        f"{counts.get('across_splits', 0)}."
    )


def terminal_tables(facts: DataFacts) -> list[Table]:
    """What the command prints, in order; tables without rows are left out."""
    tables = [clips_table, labels_table, speakers_table, voices_table, measures_table, sources_table, near_miss_table]
    return [table for make in [*tables, quarantine_table] if (table := make(facts)).rows]
