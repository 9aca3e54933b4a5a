"""The use of each label: positives of a word, negatives, or left out, with counts and warnings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from wakeword.config.labels import fold
from wakeword.data.manifest import Row

LABEL_COLUMNS = ("label", "became", "clips", "left out", "from")
"""Headings of `label_table`."""
COLUMNS = ("source", "kind", "label")
BY_DEFAULT = "negative (names no configured word)"
LEFT_OUT = "left out"
_SCENERY = frozenset({"negative (noise)", "negative (music)", "room response"})
HANDFUL = 5
"""Labels with at most so many clips give no warning."""
SHORT_WORDS = 3
"""A label of more words is a sentence and gives no warning."""
KNOWN_WORDS = frozenset({"speech_commands"})
"""Sources whose labels are words of a published list, which give no warning."""
_MOST_NAMED = 8
_MOST_LETTERS = 36


@dataclass(frozen=True)
class LabelUse:
    """The clips of one label of one source.

    Attributes:
        label: empty for files without one.
        became: `positive of WORD`, `negative (KIND)`, `negative (names no configured word)`, `room response` or
            `left out`.
        clips: in the shards (of long recordings, pieces).
        left_out: rows of the quarantine by reason.
    """

    label: str
    source: str
    became: str
    clips: int
    left_out: dict[str, int] = field(default_factory=dict)


def uses_of(index: dict[str, Any]) -> list[LabelUse]:
    """The rows of an `index.json`."""
    return [LabelUse(**row) for row in index.get("labelled", ())]


def labels_by_default(given: pa.Table, words: Collection[str]) -> set[tuple[str, str]]:
    """Source and label of clips that are negatives only because their label names no configured word.

    Args:
        given: clips before `assign_words`.
        words: labels of the configured words.
    """
    found = given.group_by(list(COLUMNS)).aggregate([]).to_pylist()
    return {(row["source"], row["label"]) for row in found if row["kind"] == "wakeword" and row["label"] not in words}


def with_labels(rows: Iterable[Row], given: pa.Table) -> list[Row]:
    """Quarantine rows with the labels of their clips."""
    labels = dict(zip(given.column("uri").to_pylist(), given.column("label").to_pylist(), strict=True))
    return [{**row, "label": row["label"] or labels.get(row["uri"], "")} for row in rows]


def label_uses(manifest: pa.Table, quarantine: Iterable[Row], defaults: Collection[tuple[str, str]]) -> list[LabelUse]:
    """A row for each source, label and use, sorted by label.

    Args:
        manifest: `COLUMNS` of every clip in the shards.
        quarantine: rows of `QUARANTINE_SCHEMA`; those of synthesis have no label.
        defaults: `labels_by_default`.
    """
    left_out: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in quarantine:
        if row["stage"] != "synthesis":
            left_out[row["source"], row["label"]][row["reason"]] += 1
    uses = []
    counted = manifest.group_by(list(COLUMNS)).aggregate([("label", "count")]).to_pylist()
    for row in sorted(counted, key=lambda row: tuple(row[name] for name in COLUMNS)):
        key = (row["source"], row["label"])
        became = _became(row["kind"], row["label"], key in defaults)
        # Refusals are counted once, beside the first kind of the label.
        reasons = dict(sorted(left_out.pop(key, Counter()).items()))
        uses.append(LabelUse(row["label"], row["source"], became, row["label_count"], reasons))
    for (source, label), reasons in left_out.items():
        uses.append(LabelUse(label, source, LEFT_OUT, 0, dict(sorted(reasons.items()))))
    return sorted(uses, key=lambda use: (use.label, use.source, use.became))


def _became(kind: str, label: str, default: bool) -> str:
    if kind == "wakeword":
        return f"positive of {label}"
    if kind == "rir":
        return "room response"
    return BY_DEFAULT if default and kind == "speech" else f"negative ({kind})"


def label_table(uses: Sequence[LabelUse]) -> list[tuple[str, ...]]:
    """Lines of the table: label, what its clips became, clips, left out (with reasons), sources.

    Sources are summed. Noise, music and room impulse responses are one line each, files without a label another.
    """
    groups: dict[tuple[str, str], list[LabelUse]] = defaultdict(list)
    for use in uses:
        groups["" if use.became in _SCENERY else use.label, use.became].append(use)
    lines = []
    for (label, became), own in groups.items():
        clips, reasons = sum(use.clips for use in own), Counter[str]()
        for use in own:
            reasons.update(use.left_out)
        left_out = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        sources = sorted({use.source for use in own})
        listed = ", ".join(name if len(name) <= _MOST_LETTERS else f"{name[:_MOST_LETTERS]}…" for name in sources[:2])
        listed += f" and {len(sources) - 2} more" if len(sources) > 2 else ""
        names = {use.label for use in own}
        name = names.pop() if len(names) == 1 else f"({len(names)} labels)"
        order = 0 if became.startswith("positive") else 1 if became == BY_DEFAULT else 3 if became == LEFT_OUT else 2
        line = (name or "(no label)", became, str(clips), left_out or "-", listed)
        lines.append(((order, -clips, label, became), line))
    return [line for _, line in sorted(lines)]


def label_warnings(
    uses: Sequence[LabelUse], defaults: Collection[tuple[str, str]], negative_labels: Collection[str]
) -> list[str]:
    """Warnings of sets of recordings that became negatives or were left out because of their label alone.

    Args:
        uses: `label_uses`.
        defaults: `labels_by_default`.
        negative_labels: `data.negative_labels`.
    """
    listed = {fold(label) for label in negative_labels}
    negatives: Counter[str] = Counter()
    holding: Counter[str] = Counter()
    unlabelled = 0
    for use in uses:
        short = use.label and use.label.count("_") < SHORT_WORDS
        if use.label in listed or use.source in KNOWN_WORDS:
            continue
        if short and use.became == BY_DEFAULT:
            negatives[use.label] += use.clips
        if short and (use.source, use.label) in defaults:
            holding[use.label] += use.left_out.get("contains_word", 0)
        unlabelled += use.left_out.get("no_label", 0)
    warnings = []
    if counts := _counted(negatives):
        warnings.append(
            f"{counts} became negatives, since no configured word has such a label: if they are the wake word, name "
            "them by its label or phrase; if not, data.negative_labels ends this warning"
        )
    if counts := _counted(holding):
        warnings.append(
            f"{counts} were left out: the label holds a configured word beside others. If they are the wake word "
            "alone, name them by its label or phrase"
        )
    if unused := sorted(listed - {use.label for use in uses}):
        warnings.append(
            f"data.negative_labels: no clip has the label {', '.join(unused)}: is it spelled as the folder?"
        )
    if unlabelled:
        files = "1 file" if unlabelled == 1 else f"{unlabelled} files"
        warnings.append(f"{files} left out, since they have no label (no_label in quarantine.parquet)")
    return warnings


def _counted(labels: Counter[str]) -> str:
    """`30 clips labelled hey_schatz, 12 labelled stop and 4 labels more`, the most first."""
    found = [(label, number) for label, number in labels.most_common() if number > HANDFUL]
    named = [f"{number} labelled {label}" for label, number in found[:_MOST_NAMED]]
    if not named:
        return ""
    named[0] = named[0].replace(" labelled", " clips labelled", 1)
    rest = len(found) - len(named)
    return ", ".join(named) + (f" and {rest} label{'s' if rest > 1 else ''} more" if rest else "")
