"""Learning rate as a function of the step: linear warm-up, then a half cosine down to zero."""

from __future__ import annotations

import math


def learning_rate(step: int, total_steps: int, peak: float, warmup_share: float) -> float:
    """Rate of step `step` (from 0) of `total_steps`.

    The warm-up takes `warmup_share` of the steps and ends at `peak`; the cosine (Loshchilov and Hutter 2017, without
    restarts) reaches 0 one step after the last. A pure function of the step, so that a resumed run needs no state.
    """
    warmup = round(total_steps * warmup_share)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
    return peak * 0.5 * (1.0 + math.cos(math.pi * progress))
