"""Hard negatives train and do nothing else: they come into no other split, and nothing that is evaluated becomes one.

Three more rules hold elsewhere: a voice of val or test keeps its hard negatives out (`splits`), a copy of a clip of val
or test is taken out whatever `data.quality.duplicates` says (`duplicates`), and mining refuses both before anybody
listens (`wakeword.mining.find`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from wakeword.data.manifest import Row, quarantine_row, set_column

KIND = "hard_negative"


def train_only(clips: pa.Table) -> tuple[pa.Table, list[Row]]:
    """Put hard negatives without a split into train and leave out those that are marked val or test.

    Returns:
        the table, and the rows left out (`wrong_split`).
    """
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
    """Leave out hard negatives that were cut out of a recording which is in val or test now.

    Args:
        clips: the manifest with splits.
        origins: the recording's `uri` by the clip's own, of mined clips.

    Returns:
        the table, and the rows left out (`mined_from_evaluation`).
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
