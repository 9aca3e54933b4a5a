"""A replay memory of embeddings for families with a frozen body.

Rendering and embedding a window takes about a hundred times as long as training a head on its embedding, and the
embedding never changes. Every new window is therefore kept, and each head draws separate batches from all kept windows
(as in experience replay, Lin 1992, "Self-improving reactive agents"). Heads trained on different batches make different
errors, which their mean reduces.

The memory is a function of the plans of the last steps alone, so a continued run can rebuild it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from wakeword.system.device import uploaded


@dataclass(frozen=True)
class Windows:
    """Windows and their targets, on the training device.

    `content`: audio `(windows, samples)`, or embeddings `(windows, channels, times)`. `target`: `(windows, words)`.
    `word_end_s`: `(windows,)`. `soft`: a teacher's logits `(windows, scores, words)`, None without a teacher.
    """

    content: Tensor
    target: Tensor
    word_end_s: Tensor
    soft: Tensor | None = None


class Replay:
    """The newest `capacity` windows, embeddings in half precision."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.added = 0
        self._ring: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, new: Windows) -> None:
        """Add windows; they replace the oldest."""
        rows = len(new.target)
        places = (torch.arange(rows, device=new.target.device) + self.added) % self.capacity
        for name in (field.name for field in fields(Windows)):
            value = getattr(new, name)
            if value is None:
                continue
            value = value.half() if name == "content" else value
            if name not in self._ring:
                self._ring[name] = value.new_zeros(self.capacity, *value.shape[1:])
            self._ring[name][places] = value
        self.added += rows

    def draw(self, rows: int, generator: torch.Generator) -> Windows:
        """Draw `rows` windows with replacement; `generator` is on the CPU."""
        chosen = torch.randint(len(self), (rows,), generator=generator)
        rows_ = uploaded(chosen, self._ring["target"].device)
        drawn = {name: value[rows_] for name, value in self._ring.items()}
        return Windows(**{**drawn, "content": drawn["content"].float()})
