"""Clips of each word and of other speech in each split, and those that were refused on the way to the shards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from wakeword.config.data import SplitConfig
from wakeword.data.balance import FEW_PEOPLE, wanted_splits
from wakeword.data.manifest import SPLITS, Row
from wakeword.data.splits import shortened

_COLUMNS = ("label", "split", "speaker", "clip_id", "synthetic", "uri")
_WITHOUT = {
    "train": "training cannot start",
    "val": "thresholds are chosen without it",
    "test": "false alarms in speech are not judged",
}


@dataclass
class Coverage:
    """Clips of a manifest.

    Attributes:
        words: files of each speaker, by `(label, split)`; a clip without a speaker counts as a speaker.
        engines: the speakers that are engines' voices.
        speech: clips of other speech in each split.
    """

    words: dict[tuple[str, str], dict[str, list[str]]] = field(default_factory=lambda: defaultdict(dict))
    engines: set[str] = field(default_factory=set)
    speech: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, tables: Iterable[pa.Table]) -> Coverage:
        """Count tables of `MANIFEST_SCHEMA`."""
        found = cls()
        for table in tables:
            kind = table.column("kind")
            found.speech.update(table.column("split").filter(pc.equal(kind, "speech")).to_pylist())
            words = table.select(_COLUMNS).filter(pc.equal(kind, "wakeword"))
            columns = (words.column(name).to_pylist() for name in _COLUMNS)
            for label, split, speaker, clip_id, synthetic, uri in zip(*columns, strict=True):
                name = speaker or clip_id
                found.words[label, split].setdefault(name, []).append(uri)
                if synthetic:
                    found.engines.add(name)
        return found


def coverage_warnings(
    planned: Coverage, kept: Coverage, labels: Sequence[str], config: SplitConfig, refused: Iterable[Row]
) -> list[str]:
    """Sentences on splits that lost a speaker, all of a word or all other speech, or never had any.

    Args:
        planned: clips that were assigned to the splits.
        kept: clips in the shards.
        labels: wake words.
        config: shares of the splits.
        refused: rows of the quarantine table, for the reasons.
    """
    reasons = {row["uri"]: row["reason"] for row in refused}
    usable = [label for label in labels if any(kept.words.get((label, split)) for split in SPLITS)]
    sentences = [f"no usable clip of the wake word {label} is left" for label in labels if label not in usable]
    for label in usable:
        for split in SPLITS:
            sentences += _lost_voices(planned, kept, label, split, reasons)
    wanted = wanted_splits(config)
    for split in SPLITS:
        if kept.speech[split] or not (split in wanted or any(kept.words.get((label, split)) for label in labels)):
            continue
        if planned.speech[split]:
            why = f"lost all {planned.speech[split]} clips of speech besides the wake words (see quarantine.parquet)"
        else:
            why = "holds no speech besides the wake words"
        sentences.append(
            f"{split} {why}, so {_WITHOUT[split]}: add a source of kind speech with {len(wanted)} speakers or more, "
            "or set synthesis.speech_clips"
        )
    return sentences


def _lost_voices(planned: Coverage, kept: Coverage, label: str, split: str, reasons: dict[str, str]) -> Iterator[str]:
    before, after = planned.words.get((label, split), {}), kept.words.get((label, split), {})
    lost = {name: files for name, files in before.items() if name not in after}
    people = [name for name in before if name not in planned.engines]
    gone = sorted(name for name in lost if name not in planned.engines)
    if not lost:
        return
    if not after:
        if len(before) == 1:
            yield f"{split} lost {next(iter(before))}, its only speaker of {label}: {_why(lost, lost, reasons)}"
        else:
            yield f"{split} lost all of {label}, {len(before)} speakers: {_why(lost, lost, reasons)}"
    elif gone and len(gone) == len(people):
        yield (
            f"{split} lost {shortened(gone)}, all people who say {label} there, and holds engines alone: "
            f"{_why(lost, gone, reasons)}"
        )
    elif gone and len(people) < FEW_PEOPLE:
        yield f"{split} lost {shortened(gone)} of {len(people)} people who say {label}: {_why(lost, gone, reasons)}"


def _why(lost: dict[str, list[str]], names: Iterable[str], reasons: dict[str, str]) -> str:
    files = [uri for name in names for uri in lost[name]]
    counts = Counter(reasons.get(uri, "left out") for uri in files)
    of_what = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.items()))
    return f"of {len(files)} clips none can be used ({of_what})"
