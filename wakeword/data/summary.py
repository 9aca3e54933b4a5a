"""The result of a preparation: counts, hours, refused rows and reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wakeword.data.label_uses import LABEL_COLUMNS, LabelUse, label_table, uses_of
from wakeword.data.manifest import SPLITS


@dataclass
class PreparedSummary:
    """Result of `prepare`.

    Attributes:
        counts: clips by split, kind and label.
        hours: audio by split and kind.
        quarantined: refused rows by reason (`contains_word` and `speaker_in_two_splits` are left out on purpose).
        shards: shard files in all.
        resumed_shards: of these, found complete from an earlier run.
        up_to_date: nothing had to be done.
        labelled: the use of each label of each source.
        peak_memory_bytes: highest use of memory by the process and its children during this run, 0 if nothing was done.
    """

    out_dir: Path
    config_hash: str
    counts: dict[str, dict[str, dict[str, int]]]
    hours: dict[str, dict[str, float]]
    quarantined: dict[str, int]
    shards: int
    resumed_shards: int = 0
    up_to_date: bool = False
    peak_memory_bytes: int = 0
    warnings: list[str] = field(default_factory=list)
    labelled: list[LabelUse] = field(default_factory=list)

    @classmethod
    def from_index(cls, out_dir: Path, index: dict[str, Any], **extra: Any) -> PreparedSummary:
        """The summary of an index."""
        return cls(
            out_dir=out_dir,
            config_hash=index["config_hash"],
            counts=index["counts"],
            hours=index["hours"],
            quarantined=index["quarantined"],
            shards=sum(len(split["shards"]) for split in index["splits"].values()),
            warnings=list(index["warnings"]),
            labelled=uses_of(index),
            **extra,
        )

    def clips(self, split: str | None = None, kind: str | None = None, label: str | None = None) -> int:
        """Number of clips of a split, kind and label (None: all)."""
        return sum(
            number
            for s, kinds in self.counts.items()
            for k, labels in kinds.items()
            for name, number in labels.items()
            if split in (None, s) and kind in (None, k) and label in (None, name)
        )

    def rows(self) -> list[tuple[str, ...]]:
        """Lines of the table: kind, label, clips in train, val and test, hours of the kind."""
        pairs = sorted({(k, name) for kinds in self.counts.values() for k, labels in kinds.items() for name in labels})
        lines = [(kind, label, *(str(self.clips(split, kind, label)) for split in SPLITS)) for kind, label in pairs]
        for kind in sorted({kind for kind, _ in pairs}):
            lines.append((kind, "hours", *(f"{self.hours.get(split, {}).get(kind, 0.0):.2f}" for split in SPLITS)))
        return lines

    def table(self) -> str:
        """The summary as plain text."""
        text = [*_aligned([("kind", "label", *SPLITS), *self.rows()], right=(2, 3, 4)), ""]
        if self.labelled:
            text += [*_aligned([LABEL_COLUMNS, *label_table(self.labelled)], right=(2,)), ""]
        state = "up to date" if self.up_to_date else f"{self.resumed_shards} of them from an earlier run"
        text.append(f"{self.shards} shards ({state}) in {self.out_dir}")
        if self.quarantined:
            reasons = ", ".join(f"{number} {reason}" for reason, number in self.quarantined.items())
            text.append(f"left out: {reasons} (see {self.out_dir / 'quarantine.parquet'})")
        text += [f"note: {warning}" for warning in self.warnings]
        if self.peak_memory_bytes:
            text.append(f"peak memory {self.peak_memory_bytes / 2**20:.0f} MiB")
        return "\n".join(text)


def _aligned(lines: list[tuple[str, ...]], right: tuple[int, ...]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
