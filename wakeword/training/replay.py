"""Embeddings that are kept and trained on again, for families with a frozen body.

To cut, augment and embed a window costs a hundred times what a head takes to learn from its embedding, and the
embedding never changes. So every new window is kept, and each head draws batches of its own from all that are there:
as in experience replay (Lin 1992, "Self-improving reactive agents"), but nothing in it ages. Heads that have seen other
windows in another order make other mistakes, which their mean leaves out.

What is kept is a function of the plans of the last steps alone, so a run that goes on makes it again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """Windows and what is asked of a student there; on the training device.

    `content`: audio `(windows, samples)`, or embeddings `(windows, channels, times)`. `target`: `(windows, words)`.
    `word_end_s`: `(windows,)`. `soft`: a teacher's logits `(windows, scores, words)`, None without a teacher.
    """

    content: Tensor
    target: Tensor
    word_end_s: Tensor
    soft: Tensor | None = None


class Replay:
    """The newest `capacity` windows; their embeddings in half precision."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.added = 0
        self._ring: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    def add(self, new: Windows) -> None:
        """Keep windows; the oldest make room."""
        rows = len(new.target)
        places = (torch.arange(rows) + self.added) % self.capacity
        for name in (field.name for field in fields(Windows)):
            value = getattr(new, name)
            if value is None:
                continue
            value = value.half() if name == "content" else value
            if name not in self._ring:
                self._ring[name] = value.new_zeros(self.capacity, *value.shape[1:])
            self._ring[name][places.to(value.device)] = value
        self.added += rows

    def draw(self, rows: int, generator: torch.Generator) -> Windows:
        """So many windows, any of them as often as chance has it; `generator` lives on the CPU."""
        chosen = torch.randint(len(self), (rows,), generator=generator)
        drawn = {name: value[chosen.to(value.device)] for name, value in self._ring.items()}
        return Windows(**{**drawn, "content": drawn["content"].float()})
