"""Changing some clips of a batch in place."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

PIECE = 16
"""Measured on one thread with 64 clips of 2 s: 8 take about a tenth longer, 64 and 2 nearly twice as long."""


def replace_rows(audio: Tensor, rows: Tensor, transform: Callable[..., Tensor], *others: Tensor) -> None:
    """`audio[rows] = transform(audio[rows], *others)`, on a CPU a few rows at a time, so that all work stays in cache.

    Args:
        audio: `(batch, samples)`, changed in place.
        rows: int64 `(rows,)`, each once.
        transform: of which every row depends on that row of its arguments alone.
        others: `(rows, ...)`.
    """
    if not len(rows):
        return
    size = PIECE if audio.device.type == "cpu" else len(rows)
    for piece, *more in zip(*(values.split(size) for values in (rows, *others)), strict=True):
        audio[piece] = transform(audio[piece], *more)
