"""Clip-level validation with the averaged weights, to rank epochs: a clip's score is its maximum over time.

Clips are cut into pieces of `PIECE_S` that are scored without augmentation, over a fixed noise floor. At the threshold
of `val_frr` at most `FALSE_SHARE` of the negative pieces fire, none of fewer than 1 / FALSE_SHARE. Misses at a rate of
false alarms per hour come from `wakeword.evaluation`, on continuous tracks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from wakeword.batching.plans import word_targets
from wakeword.batching.windows import WindowMaker
from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.data.resident import ResidentClips
from wakeword.errors import RunError
from wakeword.models.streaming import StreamingModel
from wakeword.ranking import equal_error_rate, roc_auc
from wakeword.system.device import uploaded

PIECE_S = 3.0
TAIL_S = 0.5
"""Time after a clip's end that is scored too, because the peak may come late."""
FALSE_SHARE = 0.005
NEGATIVES_S = 1200.0
"""Validation takes at most about this much negative audio, evenly chosen: it runs after every epoch and only ranks
epochs. All of it chooses the thresholds, in evaluation."""
_FLOOR_GAIN = 10 ** (-70 / 20)
_BATCH = 64


class Validator:
    """Scores the val split; uses no random numbers."""

    def __init__(self, config: Config, clips: ResidentClips, context_samples: int) -> None:
        self.labels = config.labels
        self.targets, self.safe = word_targets(clips.columns, self.labels)
        # Evaluation measures near misses separately; a few dozen of them would dominate the ranking.
        self.safe &= np.array([kind != "confusable" for kind in clips.columns["kind"]], dtype=bool)
        piece = round(PIECE_S * SAMPLE_RATE_HZ)
        self.windows = WindowMaker(clips, context_samples + piece)
        lengths = clips.length.cpu().numpy()
        positive = self.targets.any(1)
        kept = positive | _some(self.safe & ~positive, lengths, round(NEGATIVES_S * SAMPLE_RATE_HZ))
        owners, starts = [], []
        for clip, length in enumerate(lengths):
            if not kept[clip]:
                continue
            count = math.ceil((int(length) + TAIL_S * SAMPLE_RATE_HZ) / piece)
            owners += [clip] * count
            starts += [number * piece - context_samples for number in range(count)]
        self.owner = np.array(owners, dtype=np.int64)
        self.start = np.array(starts, dtype=np.int64)

    @property
    def complete(self) -> bool:
        """Whether there are positives of every word, and negatives."""
        return bool(len(self.owner)) and bool(self.targets.any(0).all()) and bool(self.safe.any())

    @torch.inference_mode()
    def piece_logits(self, model: StreamingModel) -> np.ndarray:
        """Highest logit of each piece and word: `(pieces, words)`."""
        device = self.windows.device
        best = []
        for at in range(0, len(self.owner), _BATCH):
            clip, start = (uploaded(values[at : at + _BATCH], device) for values in (self.owner, self.start))
            best.append(model.offline(self.windows.clean(clip, start, _FLOOR_GAIN)).float().amax(1))
        return torch.cat(best).cpu().numpy()

    def __call__(self, model: StreamingModel) -> dict[str, Any]:
        """Metrics `val_frr`, `val_eer`, `val_auc`, `val_loss` (means over the words) and `val_frr_<label>`.

        They are None where the split has no positives or no negatives. Epochs are ranked by `val_frr`, then `val_loss`.

        Raises:
            RunError: a logit is not finite.
        """
        metrics: dict[str, Any] = dict.fromkeys(("val_frr", "val_eer", "val_auc", "val_loss"))
        if not self.complete:
            return metrics
        pieces = self.piece_logits(model)
        if not np.isfinite(pieces).all():
            raise RunError(
                "the averaged model gives scores on the val split that are NaN or infinite: lower "
                "training.learning_rate or switch off training.amp, and train again"
            )
        clips = np.full((len(self.safe), pieces.shape[1]), -np.inf, dtype=np.float64)
        np.maximum.at(clips, self.owner, pieces)
        per_word: list[tuple[float, float, float, float]] = []
        for word, label in enumerate(self.labels):
            positive = clips[self.targets[:, word] > 0.5, word]
            negative = pieces[self.targets[self.owner, word] < 0.5, word].astype(np.float64)
            frr = miss_rate(positive, negative, FALSE_SHARE)
            eer, auc = equal_error_rate(positive, negative), roc_auc(positive, negative)
            loss = _mean_loss(positive, 1.0) + _mean_loss(negative, 0.0)
            per_word.append((frr, eer, auc, loss))
            metrics[f"val_frr_{label}"] = frr
        means = np.mean(per_word, axis=0)
        metrics.update(zip(("val_frr", "val_eer", "val_auc", "val_loss"), map(float, means), strict=True))
        return metrics


def miss_rate(positive: np.ndarray, negative: np.ndarray, false_share: float) -> float:
    """Share of positives that do not exceed the lowest threshold at which at most `false_share` of negatives fire."""
    allowed = int(false_share * len(negative))
    threshold = np.sort(negative)[::-1][allowed]
    return float(np.mean(positive <= threshold))


def _mean_loss(logits: np.ndarray, target: float) -> float:
    values = torch.as_tensor(logits)
    return float(F.binary_cross_entropy_with_logits(values, torch.full_like(values, target)))


def _some(chosen: np.ndarray, lengths: np.ndarray, most: int) -> np.ndarray:
    """`chosen (clips,)` bool, thinned out evenly where its clips are longer than `most` samples together."""
    total = np.cumsum(np.where(chosen, lengths, 0).astype(np.float64))
    share = min(1.0, most / total[-1]) if len(total) and total[-1] else 1.0
    if share == 1.0:
        return chosen
    # A clip is kept where the kept length passes a multiple of the mean length.
    step = total[-1] / max(1, int(chosen.sum()))
    passed = np.floor(total * share / step)
    return chosen & (passed > np.append(0, passed[:-1]))
