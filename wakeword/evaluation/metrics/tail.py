"""Tail of the false alarms: their rate per hour against the threshold, beyond what the hours of audio can count.

Peaks over a threshold (A. C. Davison and R. L. Smith 1990, JRSS B 52): on the log-odds scale, the excesses of the
highest event peaks over a start follow a generalised Pareto distribution, of which the exponential (shape 0) is the
middle. The rate at the start has the posterior of a Poisson rate (Jeffreys' prior), the two parameters of the
distribution have a posterior on a grid with the weak priors below. Events of one recording or speaker come together,
and so do those of one source and language: the variance of the sums over either, in proportion to that of independent
events (the cluster bootstrap's variance, in closed form; the larger of the two), reduces the number of events that
either posterior counts. The band is the quantiles of draws from both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from wakeword.evaluation.metrics.measure import NegativeAudio, WordOnSplit
from wakeword.evaluation.metrics.threshold_curve import OUTSIDE, Peaks
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.statistics.records import TailCurve
from wakeword.evaluation.tracks.track import TruthRow
from wakeword.runtime.events import SCORE_LEVELS

EDGE = 0.5 / SCORE_LEVELS
"""Scores within half a rounding level of 0 or 1 are taken as that far from it: their log odds are +-11.8."""
CERTAINTY = {0.5: 0.95, 2.0: 0.8}
"""Probability that the rate lies below the upper bound that a threshold must keep, by the false alarms that the target
allows in the hours: where less than half a one is allowed, nothing but the extrapolation speaks for the threshold; from
two on the counts do, and the bound is close to the estimate anyway. Log-linear between them."""
EVENTS = 30
"""Number of the highest events that the tail is fitted to."""
SCALE, SCALE_SPREAD = 1.3, 0.5
"""Prior of the scale in log odds: log-normal median, and standard deviation of its logarithm."""
SHAPE_SPREAD, SHAPE_LIMIT = 0.1, 0.3
"""Prior of the shape: normal around 0, within the limits."""
DRAWS = 2000
CURVE_POINTS = 120
FARTHEST = 40.0
"""Largest distance from the start in log odds: beyond the range of scores."""
ABOVE = 1e-6
"""Step above an event in log odds: less than between two scores, more than rounding between score and log odds."""

Floats = NDArray[np.float64]


def certainty(target: float, hours: float) -> float:
    """The probability with which a threshold for `target` per hour, chosen on so many hours, must keep it."""
    allowed = np.log(max(target * hours, 1e-9))
    return float(np.interp(allowed, np.log(list(CERTAINTY)), list(CERTAINTY.values())))


def log_odds(score: ArrayLike) -> Floats:
    """Log odds of scores in [0, 1], finite at 0 and 1."""
    return np.asarray(special.logit(np.clip(np.asarray(score, dtype=np.float64), EDGE, 1 - EDGE)))


@dataclass(frozen=True)
class TailEvents:
    """Event peaks of negative audio: `level (events,)` in log odds, falling, and `cluster (events,)`, the recording or
    speaker of each; `cluster_hours (clusters,)` adds up to the hours of the audio. `source (events,)` and
    `source_hours (sources,)`: the same for sources and languages, None where they are unknown."""

    level: Floats
    cluster: NDArray[np.int64]
    cluster_hours: Floats
    source: NDArray[np.int64] | None = None
    source_hours: Floats | None = None

    @property
    def hours(self) -> float:
        """Hours of negative audio."""
        return float(self.cluster_hours.sum())


def tail_events(view: WordOnSplit) -> TailEvents:
    """The events of all negative audio of a split.

    An event is the highest peak within the refractory time to either side, so that it does not depend on a threshold.
    Its cluster is the speaker of the clip, else the clip, and the track where it has no clips. Its source is that of
    the clip with the language of its accent, else the kind of audio.
    """
    owners, sources = _Groups(_speaker), _Groups(_source)
    level = []
    for part in view.negatives.values():
        kept = _highest(part.peaks)
        level.append(log_odds(part.peaks.score[kept]))
        for groups in (owners, sources):
            groups.add(part, kept)
    levels = np.concatenate([np.zeros(0), *level])
    order = np.argsort(-levels, kind="stable")
    return TailEvents(levels[order], owners.events()[order], owners.hours(), sources.events()[order], sources.hours())


def _speaker(track: TrackInfo, row: TruthRow | None) -> str:
    return track.name if row is None else row.speaker or row.clip_id


def _source(track: TrackInfo, row: TruthRow | None) -> str:
    return track.kind if row is None else f"{row.source} {row.accent.partition('-')[0]}"


class _Groups:
    """Numbers of groups of clips, the hours of each, and the group of each event."""

    def __init__(self, name_of: Callable[[TrackInfo, TruthRow | None], str]) -> None:
        self._name_of = name_of
        self._hours: dict[str, float] = {}
        self._events: list[str] = []

    def add(self, part: NegativeAudio, peaks: NDArray[np.int64]) -> None:
        """Add the hours of a kind of audio, and the events at some of its peaks."""
        totals = [sum(row.end_s - row.start_s for row in track.clips) for track in part.tracks]
        for track, held, total in zip(part.tracks, part.track_hours, totals, strict=True):
            spans: list[tuple[TruthRow | None, float]] = [(None, 1.0)]
            if total > 0:
                spans = [(row, (row.end_s - row.start_s) / total) for row in track.clips]
            for row, share in spans:
                name = self._name_of(track, row)
                self._hours[name] = self._hours.get(name, 0.0) + held * share
        for peak in peaks.tolist():
            number = int(part.peaks.track[peak])
            track = part.tracks[number]
            at = track.clip_at(float(part.peaks.time_s[peak])) or next(iter(track.clips), None)
            self._events.append(self._name_of(track, at if totals[number] > 0 else None))

    def events(self) -> NDArray[np.int64]:
        """Number of the group of each event, in the order in which they were added."""
        numbers = {name: number for number, name in enumerate(self._hours)}
        return np.asarray([numbers[name] for name in self._events], dtype=np.int64)

    def hours(self) -> Floats:
        """Hours of each group."""
        return np.asarray(list(self._hours.values()), dtype=np.float64)


def _highest(peaks: Peaks) -> NDArray[np.int64]:
    """Positions of the peaks outside words with no higher peak less than the refractory time away."""
    own = np.flatnonzero(peaks.owner == OUTSIDE)
    index, score = peaks.index[own], peaks.score[own]
    free = np.ones(len(own), dtype=bool)
    kept = []
    first = np.searchsorted(index, index - peaks.refractory, side="right")
    last = np.searchsorted(index, index + peaks.refractory, side="left")
    for place in np.lexsort((index, -score)):
        if free[place]:
            kept.append(place)
            free[first[place] : last[place]] = False
    return own[np.sort(np.asarray(kept, dtype=np.int64))]


@dataclass(frozen=True)
class Tail:
    """The fitted tail of one word's false alarms.

    `start`: log odds from which on the model holds; `used` events lie above it, in `hours`. `rate (draws,)` per hour
    at the start, `scale`, `shape (draws,)`: draws of the parameters. `effect`: the design effect of the recordings on
    the rate.
    """

    events: TailEvents
    start: float
    used: int
    rate: Floats
    scale: Floats
    shape: Floats
    effect: float

    @property
    def hours(self) -> float:
        """Hours of negative audio."""
        return self.events.hours

    def rates(self, level: ArrayLike, quantiles: ArrayLike) -> Floats:
        """Quantiles of the rate per hour at log odds `level (n,)`: `(quantiles, n)`.

        Below the start they are those of the counted events.
        """
        levels, wanted = np.atleast_1d(np.asarray(level, dtype=np.float64)), np.atleast_1d(quantiles)
        excess = np.maximum(0.0, levels - self.start)
        above = np.quantile(self.rate * _survival(excess[:, None], self.scale, self.shape), wanted, axis=1)
        counts = np.searchsorted(-self.events.level, -levels, side="right")
        counted = _rate_quantile(counts, self.hours, self.effect, wanted[:, None])
        return np.where(levels >= self.start, above, np.maximum(counted, above))

    def level_at(self, target: float, quantile: float) -> float:
        """The lowest log odds from which on this quantile of the rate is at most `target` per hour."""
        low, high = self.start, self.start + FARTHEST
        if self.rates(low, quantile)[0, 0] <= target:
            counted = np.unique(self.events.level[self.events.level < low])
            over = np.flatnonzero(self.rates(counted, quantile)[0] > target)
            return float(counted[over[-1]]) + ABOVE if len(over) else float(log_odds(0.0))
        while high - low > 1e-4:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.rates(middle, quantile)[0, 0] > target else (low, middle)
        return high


def _survival(excess: Floats, scale: Floats, shape: Floats) -> Floats:
    """Share of a generalised Pareto distribution above `excess`; broadcast."""
    flat = np.abs(shape) < 1e-6
    safe = np.where(flat, 1.0, shape)
    inside = np.maximum(1 + safe * excess / scale, 1e-300)
    power = np.where(flat, -excess / scale, -np.log(inside) / safe)
    return np.where((shape < 0) & (1 + shape * excess / scale <= 0), 0.0, np.exp(power))


def _rate_quantile(count: ArrayLike, hours: float, effect: float, quantile: ArrayLike) -> Floats:
    """Quantile of a rate per hour from `count` events, of which `effect` count as one; Jeffreys' prior."""
    return np.asarray(special.gammaincinv(np.asarray(count) / effect + 0.5, quantile) * effect / hours)


def fit_tail(events: TailEvents, most: int = EVENTS, seed: int = 0) -> Tail:
    """Fit the tail to the `most` highest events above the lowest score; `seed` of the draws.

    Without events the priors alone give the band. Raises ValueError without hours.
    """
    if events.hours <= 0:
        raise ValueError("a tail of false alarms needs hours of negative audio")
    bottom, top = log_odds(0.0), log_odds(1.0)
    level = events.level[events.level > bottom + 1e-9]
    used = min(most, len(level))
    # The model starts at the highest event that it does not use.
    start = float(level[used]) if used < len(level) else float(level[-1] if used else bottom)
    excess = level[:used] - start
    away = excess - (excess.mean() if used else 0.0)
    effect = spread = 1.0
    for group, hours in ((events.cluster, events.cluster_hours), (events.source, events.source_hours)):
        if group is not None:
            effect = max(effect, _effect(np.ones(used), group[:used], hours, events.hours))
            spread = max(spread, _effect(away, group[:used]))
    draw = np.random.default_rng(seed)
    scale, shape = _parameters(excess, level[:used] >= top - 1e-9, spread, draw)
    rate = _rate_quantile(used, events.hours, effect, (draw.permutation(DRAWS) + 0.5) / DRAWS)
    return Tail(events, start, used, rate, scale, shape, effect)


def _effect(
    values: Floats, cluster: NDArray[np.int64], cluster_hours: Floats | None = None, hours: float = 1.0
) -> float:
    """Variance of the sum of `values (events,)` over clusters, over that of independent events, at least 1.

    With `cluster_hours`, the sum of a cluster is expected in proportion to its hours, and otherwise 0.
    """
    independent = float(np.sum(values**2))
    clusters = int(cluster.max()) + 1 if len(cluster) else 0
    if independent <= 0 or clusters < 2:
        return 1.0
    sums = np.bincount(cluster, weights=values, minlength=clusters if cluster_hours is None else len(cluster_hours))
    expected = 0.0 if cluster_hours is None else cluster_hours * float(values.sum()) / hours
    held = len(np.unique(cluster))
    return max(1.0, float(np.sum((sums - expected) ** 2)) / independent * held / max(1, held - 1))


def _parameters(
    excess: Floats, saturated: NDArray[np.bool_], effect: float, draw: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draws of scale and shape from their posterior; of `saturated` events only the least excess is known."""
    shape, log_scale = np.linspace(-SHAPE_LIMIT, SHAPE_LIMIT, 25), np.log(SCALE) + np.linspace(-3, 3, 121)
    shapes, scales = (grid.ravel() for grid in np.meshgrid(shape, np.exp(log_scale), indexing="ij"))
    shapes = np.where(np.abs(shapes) < 1e-9, 0.0, shapes)
    belief = -0.5 * (shapes / SHAPE_SPREAD) ** 2 - 0.5 * (np.log(scales / SCALE) / SCALE_SPREAD) ** 2
    with np.errstate(divide="ignore"):
        for one, is_least in zip(excess, saturated, strict=True):
            share = np.log(_survival(np.asarray(one), scales, shapes))
            # The density is the share above, over scale + shape * excess.
            slope = 0.0 if is_least else np.log(np.maximum(scales + shapes * one, 1e-300))
            belief = belief + (share - slope) / effect
    weight = np.exp(belief - belief.max())
    place = np.searchsorted(np.cumsum(weight) / weight.sum(), (draw.permutation(DRAWS) + 0.5) / DRAWS)
    place = np.minimum(place, len(weight) - 1)
    step = log_scale[1] - log_scale[0]
    return scales[place] * np.exp(draw.uniform(-0.5, 0.5, DRAWS) * step), shapes[place]


def tail_curve(tail: Tail, confidence: float) -> TailCurve:
    """The counted and the estimated rate at thresholds up to where the estimate is a hundredth of the counts' limit."""
    low = tail.start - 2.0
    least = 0.02 / tail.hours
    high = max(tail.start + 1.0, min(tail.level_at(least, 0.5), float(log_odds(1.0))))
    levels = np.linspace(low, high, CURVE_POINTS)
    edge = (1 - confidence) / 2
    bounds = tail.rates(levels, (edge, 0.5, 1 - edge))
    counted = np.searchsorted(-tail.events.level, -levels, side="right") / tail.hours
    named = dict(zip(("low", "middle", "high"), (tuple(row.tolist()) for row in bounds), strict=True))
    return TailCurve(
        hours=tail.hours,
        events=tail.used,
        start=tail.start,
        confidence=confidence,
        level=tuple(levels.tolist()),
        counted=tuple(counted.tolist()),
        **named,
    )
