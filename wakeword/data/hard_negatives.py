"""Hard negatives are in train alone, and no recording of val or test becomes one.

Other modules apply three more rules: hard negatives of a voice of val or test are left out (`splits`), copies of val
and test clips are removed whatever `data.quality.duplicates` is (`duplicates`), and mining refuses both
(`wakeword.mining.find`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from wakeword.data.manifest import Row, quarantine_row, set_column

KIND = "hard_negative"


def train_only(clips: pa.Table) -> tuple[pa.Table, list[Row]]:
    """Put hard negatives into train; also returns those left out because they are marked val or test."""
    kinds, splits = clips.column("kind").to_pylist(), clips.column("split").to_pylist()
    if KIND not in kinds:
        return clips, []
    rows = zip(kinds, splits, clips.column("uri").to_pylist(), clips.column("source").to_pylist(), strict=True)
    keep, refused, placed = [], [], []
    for kind, split, uri, source in rows:
        keep.append(kind != KIND or split in ("", "train"))
        placed.append("train" if kind == KIND else split)
        if not keep[-1]:
            detail = f"a hard negative is for training alone, this one is marked {split}"
            refused.append(quarantine_row(uri, source, "source", "wrong_split", detail))
    return set_column(clips, "split", placed).filter(pa.array(keep, pa.bool_())), refused


def without_evaluated_origins(clips: pa.Table, origins: Mapping[str, str]) -> tuple[pa.Table, list[Row]]:
    """Leave out hard negatives cut out of a recording that is in val or test now; also returns the rows left out.

    Args:
        clips: the manifest with splits.
        origins: `uri` of the recording by the `uri` of the mined clip.
    """
    if not origins:
        return clips, []
    uris, splits = clips.column("uri").to_pylist(), clips.column("split").to_pylist()
    evaluated = {uri: split for uri, split in zip(uris, splits, strict=True) if split != "train"}
    keep, left_out = [], []
    for uri, source in zip(uris, clips.column("source").to_pylist(), strict=True):
        origin = origins.get(uri, "")
        keep.append(origin not in evaluated)
        if not keep[-1]:
            detail = f"was mined from {origin}, which is in {evaluated[origin]}"
            left_out.append(quarantine_row(uri, source, "splits", "mined_from_evaluation", detail))
    return clips.filter(pa.array(keep, pa.bool_())), left_out
