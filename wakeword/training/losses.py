"""Frame-level losses on the scores of a training window, and the distillation loss against a teacher.

`wake_loss` is a max-pooling loss (Sun et al. 2017, "Max-pooling loss training of long short-term memory networks for
small-footprint keyword spotting", eq. 5-6) adapted to the evaluation of events. An event is a hit from shortly before
the word's end on, so the loss of a positive clip demands one peak there and low scores wherever an event would be a
false alarm. The exact place of the peak is free.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

PEAK_FROM_S = -0.1
"""The peak of a positive lies in [word end + PEAK_FROM_S, word end + PEAK_TO_S] ..."""
PEAK_TO_S = 0.4
QUIET_BEFORE_S = -0.2
"""... and scores before word end + QUIET_BEFORE_S or after word end + QUIET_AFTER_S must be low; between: free."""
QUIET_AFTER_S = 1.0
PEAK_S = 0.08
"""The peak is the mean of the best scores in this time, because the detector smooths away single scores."""
HARDEST_SHARE = 0.5
"""Negatives: this share of the loss is the hardest score of the clip, the rest the mean over all its scores."""
_LOW = -1e4


@dataclass(frozen=True)
class LossTerms:
    """`total` (scalar, differentiable) and its two parts, all means over the clips of the batch."""

    total: torch.Tensor
    positive: torch.Tensor
    negative: torch.Tensor


def score_times_s(scores: int, context_samples: int, step_samples: int, sample_rate_hz: int) -> torch.Tensor:
    """When each score of a window becomes available, seconds from the window's first sample: `(scores,)`."""
    return (context_samples + torch.arange(scores) * step_samples) / sample_rate_hz


def peak_scores_of(step_samples: int, sample_rate_hz: int) -> int:
    """Scores in `PEAK_S`, at least one."""
    return max(1, round(PEAK_S * sample_rate_hz / step_samples))


def wake_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    word_end_s: torch.Tensor,
    times_s: torch.Tensor,
    label_smoothing: float,
    negative_weight: float,
    peak_scores: int = 4,
) -> LossTerms:
    """Loss of a batch of windows.

    Args:
        logits: `(batch, scores, words)`.
        targets: `(batch, words)`, 1 where the window holds that word; all 0 for a negative.
        word_end_s: `(batch,)` end of the word in window time; ignored for negatives.
        times_s: `(scores,)` when each score becomes available, window time.
        label_smoothing: positives aim at 1 - smoothing, negatives at smoothing.
        negative_weight: factor of the negative part.
        peak_scores: scores within `PEAK_S` (`peak_scores_of`); 4 at 20 ms per score.
    """
    logits = logits.float()
    relative = (times_s[None, :] - word_end_s[:, None])[:, :, None]
    positive = targets[:, None, :] > 0.5
    in_peak = positive & (relative >= PEAK_FROM_S) & (relative <= PEAK_TO_S)
    quiet = ~positive | (relative < QUIET_BEFORE_S) | (relative > QUIET_AFTER_S)
    rows = logits.shape[0]

    count = min(peak_scores, logits.shape[1])
    best = logits.masked_fill(~in_peak, _LOW).topk(count, dim=1)
    usable = (best.values > _LOW / 2).float()
    peak = (best.values * usable).sum(1) / usable.sum(1).clamp(min=1)
    has_peak = in_peak.any(1).float()
    positive_loss = (_cross_entropy(peak, 1.0 - label_smoothing) * has_peak).sum() / rows

    every = _cross_entropy(logits, label_smoothing) * quiet
    mean = every.sum(1) / quiet.sum(1).clamp(min=1)
    hardest_logit = logits.masked_fill(~quiet, _LOW).amax(1)
    hardest = _cross_entropy(hardest_logit, label_smoothing) * quiet.any(1)
    negative_loss = (HARDEST_SHARE * hardest + (1 - HARDEST_SHARE) * mean).sum() / rows
    return LossTerms(positive_loss + negative_weight * negative_loss, positive_loss.detach(), negative_loss.detach())


def _cross_entropy(logits: torch.Tensor, target: float) -> torch.Tensor:
    """Binary cross-entropy of logits against one constant target, elementwise."""
    return F.softplus(logits) - target * logits


def distillation_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cross-entropy of the student's softened frame scores against the teacher's (Hinton et al. 2015, section 2).

    Both are logits `(batch, scores, words)`. They are divided by the temperature, and the loss is multiplied by its
    square, so that the gradients keep their size. The teacher's entropy is subtracted: equal scores cost 0.
    """
    student = student.float() / temperature
    soft = torch.sigmoid(teacher.float() / temperature)
    cross = F.binary_cross_entropy_with_logits(student, soft)
    entropy = F.binary_cross_entropy(soft, soft)
    return (cross - entropy) * temperature**2
