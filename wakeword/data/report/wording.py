"""The report on data in text: tables that the terminal and the page share, and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from wakeword.data.label_uses import LABEL_COLUMNS, label_table
from wakeword.data.manifest import SPLITS, VOICED
from wakeword.data.report.advice import Advice, sides_of
from wakeword.data.report.facts import DataFacts

_WORST_VOICES = 5
"""Voices of each engine that the table names."""
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


def tables(facts: DataFacts) -> dict[str, Table]:
    """All tables by name, in the order in which the command prints them."""
    voices = ("word", "split", "female or high", "male or low", "unknown", "stated by the source")
    sources = ("source", "licence", "kinds", "splits", "clips", "hours")
    near = ("word", "phonemes away", "texts", *SPLITS)
    spoken = ("engine", "voice", "clips of words", "left out", "share", "why")
    measures = ("kind", "split", *_MEASURES.values())
    return {
        "clips": Table("clips", ("kind", "label", *SPLITS), list(_clips(facts))),
        "labels": Table("labels", LABEL_COLUMNS, label_table(facts.labelled)),
        "speakers": Table("speakers", ("of", *SPLITS), list(_speakers(facts))),
        "voices": Table("voices of the words", voices, list(_voices(facts))),
        "measures": Table("median (5 % to 95 %)", measures, list(_measures(facts))),
        "sources": Table("sources", sources, list(_sources(facts))),
        "near_misses": Table("phrases that resemble a word", near, list(_near_misses(facts))),
        "spoken": Table("synthetic clips of the words", spoken, list(_spoken(facts))),
        "quarantine": Table("left out", ("reason", "rows", "for example"), list(_refused(facts))),
    }


def _clips(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """Clips and hours per kind, label and split."""
    keys: list[Any] = [*facts.amounts.groupby(["kind", "label"]).groups, (None, None)]
    for kind, label in keys:
        sums = facts.of(None, kind or (), label).groupby("split")[["clips", "hours"]].sum().reindex(SPLITS).fillna(0)
        cells = (f"{row.clips:.0f} ({row.hours:.2f} h)" if row.clips or not kind else "-" for row in sums.itertuples())
        yield kind or "all", label or "", *cells


def _speakers(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """Speakers of each wake word and of everything with a voice; clips without or with a guessed speaker."""
    for label in [*facts.labels, None]:
        cells = []
        for split in SPLITS:
            speakers = facts.speakers(split, label)["speaker"].nunique()
            amounts = facts.of(split, "wakeword" if label else VOICED, label)
            unnamed, guessed = int(amounts["unnamed"].sum()), int(amounts["guessed"].sum())
            notes = f" + {unnamed} clips without a name" if unnamed else ""
            cells.append(f"{speakers}{notes}" + (f" ({guessed} clips by a guess)" if guessed else ""))
        yield label or "all voices", *cells


def _voices(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """Women and men (or high and low voices) among the speakers of each word."""
    for label in facts.labels:
        for split in SPLITS:
            voices = facts.speakers(split, label)
            sides = sides_of(voices)
            counts = [*((sides == side).sum() for side in ("female", "male", "")), voices["gender"].notna().sum()]
            if len(voices):
                yield label, split, *map(str, counts)


def _measures(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """5th, 50th and 95th percentile of pitch, level and SNR per kind and split."""
    groups = dict(list(facts.measures.groupby(["kind", "split"])))
    for kind, split in sorted(groups, key=lambda key: (key[0], SPLITS.index(key[1]))):
        quantiles = groups[kind, split][list(_MEASURES)].quantile([0.05, 0.5, 0.95]).T.to_numpy()
        if not pd.isna(quantiles).all():
            cells = ("-" if low != low else f"{mid:.0f} ({low:.0f} to {high:.0f})" for low, mid, high in quantiles)
            yield kind, split, *cells


def _sources(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """Clips and hours per source and licence, with their kinds and splits."""
    for (source, licence), own in facts.amounts.groupby(["source", "licence"]):
        kinds, splits = ", ".join(sorted(set(own["kind"]))), ", ".join(sorted(set(own["split"]), key=SPLITS.index))
        amounts = (str(own["clips"].sum()), f"{own['hours'].sum():.2f}")
        yield source or "(none)", licence or "(unknown)", kinds, splits, *amounts


def _refused(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """Refused clips by reason, the most frequent first, with at most three examples."""
    for reason, count in facts.refused["reason"].value_counts().items():
        examples = facts.refused[facts.refused["reason"] == reason].head(3).itertuples()
        yield str(reason), str(count), "; ".join(f"{row.uri}: {row.detail}" for row in examples)


def _near_misses(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """How many texts and clips resemble each word, by distance in phonemes."""
    for (word, distance), own in facts.near_misses.groupby(["word", "phoneme_distance"], dropna=False):
        clips = own.groupby("split")["clips"].sum().reindex(SPLITS, fill_value=0)
        yield word or "(no word)", _away(distance), str(own["text"].nunique()), *map(str, clips)


def _spoken(facts: DataFacts) -> Iterator[tuple[Any, ...]]:
    """Each engine, and those of its voices with most clips left out."""
    words = facts.spoken[facts.spoken["label"].isin(facts.labels)]
    for engine, own in words.groupby("engine"):
        yield engine, f"all {own['voice'].nunique()}", *_left_out(own)
        refused = own[own["reason"] != ""].groupby("voice")["clips"].sum().sort_values(ascending=False, kind="stable")
        for voice in refused.index[:_WORST_VOICES]:
            yield engine, voice, *_left_out(own[own["voice"] == voice])


def _left_out(rows: pd.DataFrame) -> tuple[str, str, str, str]:
    refused = rows[rows["reason"] != ""]
    why = refused.groupby("reason")["clips"].sum()
    made, bad = int(rows["clips"].sum()), int(refused["clips"].sum())
    return str(made), str(bad), f"{bad / made:.0%}", ", ".join(f"{reason} {count}" for reason, count in why.items())


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
    """Which copies were searched for and found."""
    counts = facts.duplicates
    if not counts:
        return "Copies were not searched for (data.quality.duplicates is keep, or the folder does not state it)."
    return (
        f"Pairs of clips with the same samples: {counts.get('equal', 0)}; pairs that are copies by fingerprint: "
        f"{counts.get('copies', 0)}; clips removed because another split holds the same: "
        f"{counts.get('across_splits', 0)}."
    )
