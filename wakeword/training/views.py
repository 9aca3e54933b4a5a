"""Plans to augmented audio: what a student trains on, and what its teacher scores."""

from __future__ import annotations

import torch

from wakeword.audio.augment import Augmenter
from wakeword.training.batches import WindowPlan
from wakeword.training.windows import WindowMaker


class ViewMaker:
    """Cuts the windows of a plan and augments them; every draw is a function of the rows' seeds."""

    def __init__(self, windows: WindowMaker, augmenter: Augmenter) -> None:
        self.windows = windows
        self.augmenter = augmenter
        self.device = windows.device

    @torch.no_grad()
    def __call__(self, plan: WindowPlan) -> tuple[torch.Tensor, torch.Tensor]:
        """Audio `(batch, samples)` and the word ends `(batch,)` in seconds of window time."""
        raise NotImplementedError
