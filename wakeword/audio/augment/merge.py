"""Plans of single clips to one plan of a batch: views of a teacher's clips have a generator each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from itertools import accumulate
from typing import Any

import torch

from wakeword.audio.augment.plan import AugmentPlan, Floor, Noise


def merged(plans: Sequence[AugmentPlan]) -> AugmentPlan:
    """The plan of all clips together, of plans of one clip each, by the same settings and for the same samples."""
    return _merged(plans, range(len(plans)))  # type: ignore[no-any-return]


def _merged(parts: Sequence[Any], first_rows: Sequence[int]) -> Any:
    """One object of several of its kind; `first_rows` is what each one's rows count from."""
    kind = parts[0]
    if isinstance(kind, torch.Tensor):
        return torch.cat(list(parts))
    if isinstance(kind, tuple):
        return tuple(_merged(column, first_rows) for column in zip(*parts, strict=True))
    if not is_dataclass(kind) or isinstance(kind, type):
        return kind
    return type(kind)(**{field.name: _field(parts, first_rows, field.name) for field in fields(kind)})


def _field(parts: Sequence[Any], first_rows: Sequence[int], name: str) -> Any:
    values = [getattr(part, name) for part in parts]
    if name == "rows":
        return torch.cat([rows + first for rows, first in zip(values, first_rows, strict=True)])
    if isinstance(parts[0], Floor) and name == "start":
        # Each clip's stretch of noise lies behind those before it.
        return torch.cat([part.start + row * len(part.stretch) for row, part in enumerate(parts)])
    if isinstance(parts[0], Noise) and name == "wet":
        first_rows = [0, *accumulate(len(part.rows) for part in parts)][:-1]
    there = [(value, first) for value, first in zip(values, first_rows, strict=True) if value is not None]
    if not there:
        return None
    return _merged([value for value, _ in there], [first for _, first in there])
