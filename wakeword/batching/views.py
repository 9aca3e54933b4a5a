"""Plans to augmented audio: the input of training, and of the teacher that scores the same windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from wakeword.audio.augment import Augmenter, AugmentPlan
from wakeword.audio.augment.merge import merged
from wakeword.batching.plans import WindowPlan
from wakeword.batching.windows import Placement, WindowMaker
from wakeword.system.device import moved


@dataclass(frozen=True)
class Draws:
    """All that a batch needs of the host, drawn before any audio is touched; it moves to the device in one copy."""

    place: Placement
    anchor: torch.Tensor
    word_end_s: torch.Tensor
    parts: tuple[AugmentPlan, ...]
    """Plans of the augmentation: one for all rows, or one for each row."""


class ViewMaker:
    """Cuts the windows of a plan and augments them; every draw is a function of the rows' seeds.

    All draws are made on the host, so that they are the same on every device. Rows of a plan without views share one
    generator. Rows that are views have a generator each, so that a view is the same in any batch, process and device.
    """

    def __init__(self, windows: WindowMaker, augmenter: Augmenter) -> None:
        self.windows = windows
        self.augmenter = augmenter
        self.device = windows.device

    def __call__(self, plan: WindowPlan) -> tuple[torch.Tensor, torch.Tensor]:
        """Audio `(batch, samples)` and the word ends `(batch,)` in seconds of window time.

        The anchor, which is the word's end in a positive, stays in place when the speed changes.
        """
        audio, word_end_s, _ = self.with_speed(plan)
        return audio, word_end_s

    @torch.no_grad()
    def with_speed(self, plan: WindowPlan) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """As a call, and the factor on the tempo of each window, `(batch,)`."""
        draws = moved(self.draw(plan), self.device)
        audio = self.windows.rendered(draws.place)
        if len(draws.parts) == 1:
            changed = self.augmenter.apply(audio, draws.parts[0], draws.anchor)
            return changed.audio, draws.word_end_s, changed.speed
        # A CPU is as fast row by row, and the numbers are then those of the row alone to the last bit.
        rows = (slice(row, row + 1) for row in range(len(plan)))
        views = [
            self.augmenter.apply(audio[row], part, draws.anchor[row])
            for row, part in zip(rows, draws.parts, strict=True)
        ]
        audio, speed = (torch.cat([getattr(view, name) for view in views]) for name in ("audio", "speed"))
        return audio, draws.word_end_s, speed

    def draw(self, plan: WindowPlan) -> Draws:
        """What the batch needs, on the host."""
        samples = self.windows.window_samples
        if (plan.view >= 0).any():
            parts = tuple(self.augmenter.draw(1, samples, _generator(seed)) for seed in plan.seed)
            if self.device.type != "cpu":
                parts = (merged(parts),)
        else:
            parts = (self.augmenter.draw(len(plan), samples, _generator(plan.seed[0])),)
        anchor, word_end_s = (torch.as_tensor(values, dtype=torch.float32) for values in (plan.anchor, plan.word_end_s))
        return Draws(Placement.of(plan), anchor, word_end_s, parts)


def _generator(seed: np.uint64) -> torch.Generator:
    return torch.Generator().manual_seed(int(seed) >> 1)
