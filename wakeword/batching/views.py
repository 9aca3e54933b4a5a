"""Plans to augmented audio: the input of training, and of the teacher that scores the same windows."""

from __future__ import annotations

import torch

from wakeword.audio.augment import Augmenter
from wakeword.batching.plans import WindowPlan
from wakeword.batching.windows import WindowMaker


class ViewMaker:
    """Cuts the windows of a plan and augments them; every draw is a function of the rows' seeds.

    Rows of a plan without views share one generator on the device (fast). Rows that are views are augmented one by one
    with a separate generator on the CPU, so that a view is the same in any batch, process and device.
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
        audio = self.windows.render(plan)
        anchor = torch.as_tensor(plan.anchor, dtype=torch.float32, device=self.device)
        if (plan.view >= 0).any():
            rows = range(len(plan))
            changed = [self._augment(audio[i : i + 1], anchor[i : i + 1], int(plan.seed[i]), "cpu") for i in rows]
            audio, speed = (torch.cat(parts) for parts in zip(*changed, strict=True))
        else:
            audio, speed = self._augment(audio, anchor, int(plan.seed[0]), self.device)
        return audio, torch.as_tensor(plan.word_end_s, dtype=torch.float32, device=self.device), speed

    def _augment(
        self, audio: torch.Tensor, anchor: torch.Tensor, seed: int, device: torch.device | str
    ) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator(device).manual_seed(seed >> 1)
        changed = self.augmenter(audio, generator, anchor)
        return changed.audio, changed.speed
