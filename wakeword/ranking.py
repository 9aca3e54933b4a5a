"""Clip-level metrics from scikit-learn: ROC and its areas, equal error rate, log loss, Brier score.

Training and evaluation use the same functions. Scores may have any scale, except for the losses, which take
probabilities.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def roc_curve(positive: ArrayLike, negative: ArrayLike) -> tuple[Floats, Floats]:
    """`(fpr, tpr)`, both `(k,)`, rising from (0, 0) to (1, 1) with a point for every distinct score.

    `positive (p,)`, `negative (n,)`: clip scores. Raises ValueError when either is empty or a score is not finite.
    """
    from sklearn import metrics

    fpr, tpr, _ = metrics.roc_curve(*_labelled(positive, negative), drop_intermediate=False)
    return fpr, tpr


def roc_auc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Area under the ROC curve. Raises ValueError as `roc_curve` does."""
    return partial_auc(positive, negative, 1.0)


def partial_auc(positive: ArrayLike, negative: ArrayLike, max_fpr: float = 0.1) -> float:
    """Area under the ROC curve up to `max_fpr`, standardised by McClish 1989: 0.5 is chance, 1 is perfect.

    Raises ValueError as `roc_curve` does, and when `max_fpr` is outside (0, 1].
    """
    from sklearn import metrics

    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr must lie in (0, 1], got {max_fpr}")
    return float(metrics.roc_auc_score(*_labelled(positive, negative), max_fpr=max_fpr))


def equal_error_rate(positive: ArrayLike, negative: ArrayLike) -> float:
    """Error rate at the threshold where the miss rate equals the false-positive rate.

    The ROC curve is interpolated linearly between the two points on either side of equality. Raises ValueError as
    `roc_curve` does.
    """
    fpr, tpr = roc_curve(positive, negative)
    gap = (1 - tpr) - fpr
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(fpr[after - 1] + share * (fpr[after] - fpr[after - 1]))


def log_loss(positive: ArrayLike, negative: ArrayLike) -> float:
    """Mean negative log likelihood in nats. `positive (p,)`, `negative (n,)`: probabilities of being positive.

    One of the two may be empty. Raises ValueError for values outside [0, 1] and without clips.
    """
    from sklearn import metrics

    return float(metrics.log_loss(*_labelled(positive, negative, both=False), labels=[False, True]))


def brier_score(positive: ArrayLike, negative: ArrayLike) -> float:
    """Mean squared difference of probability and truth; arguments and errors as for `log_loss`."""
    from sklearn import metrics

    return float(metrics.brier_score_loss(*_labelled(positive, negative, both=False), pos_label=True))


def _labelled(positive: ArrayLike, negative: ArrayLike, both: bool = True) -> tuple[NDArray[np.bool_], Floats]:
    """`(truth, score)` of all clips. With `both`, neither kind may be empty."""
    good, bad = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    if both and not (len(good) and len(bad)):
        raise ValueError(f"a ROC curve needs clips of both kinds, got {len(good)} positive and {len(bad)} negative")
    scores = np.concatenate([good, bad])
    if broken := int(np.sum(~np.isfinite(scores))):
        raise ValueError(
            f"{broken} of {len(scores)} clip scores are NaN or infinite: the model or its input is broken, check both"
        )
    return np.arange(len(scores)) < len(good), scores
