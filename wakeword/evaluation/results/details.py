"""Results on near misses, calibration and slices, as `report.json` stores them."""

from __future__ import annotations

from wakeword.evaluation.results.part import Part
from wakeword.evaluation.statistics.rates import Rate
from wakeword.runtime.bundle import ProbabilityMap


class FiredShare(Part):
    """How many of some clips fire, with Wilson's interval of the share."""

    clips: int
    fired: int
    wilson: tuple[float, float]

    @property
    def share(self) -> float:
        """Fired clips among all."""
        return self.fired / self.clips


class NearMissResult(FiredShare):
    """Near misses of one word at one threshold."""

    by_distance: dict[str, FiredShare]
    """By phonemes between phrase and word: `1`, `2`, `3`, `4 or more`, `unknown`; only those that there are."""
    own_phrase: FiredShare | None
    """Clean words of speakers who are heard in near misses as well: how many fire. None where there are none."""
    shared_speakers: int
    """Speakers who are heard in near misses and in clean words."""


class NearMissCurve(Part):
    """Clean miss rate against the share of near misses that fires, over thresholds that rise."""

    threshold: tuple[float, ...]
    frr: tuple[float, ...]
    fired_share: tuple[float, ...]


class ReliabilityBin(Part):
    """Clips with similar probabilities: their mean probability and the share that holds the word."""

    mean: float
    share: float
    clips: int


class CalibrationFigures(Part):
    """How well the probabilities of some clips hold. Smaller is better for `ece`, `brier` and `log_loss`."""

    clips: int
    positives: int
    ece: float
    """Expected calibration error: mean of `abs(mean - share)` over the bins, weighted by their clips."""
    brier: float
    log_loss: float
    """In nats. Probabilities within half a level of the detector's rounding of 0 or 1 count as that far away."""
    reliability: tuple[ReliabilityBin, ...]


class CalibrationResult(Part):
    """The map that val gave, or None, and the figures on test with scores taken as probabilities and with the map."""

    probability_map: ProbabilityMap | None
    reason: str
    """What the map was fitted to, or why there is none."""
    test_before: CalibrationFigures | None
    test_after: CalibrationFigures | None


class WordSlice(Part):
    """Misses of the words of a slice. With too little data, `too_little` says so and the figures are None."""

    name: str
    words: int
    speakers: int
    too_little: str | None = None
    missed: int | None = None
    frr: float | None = None
    wilson: tuple[float, float] | None = None
    by_speaker: tuple[float, float] | None = None
    """`intervals.speaker_wilson`: the one to use, because misses of one speaker are correlated."""


class WordDimension(Part):
    """Slices by one property of the words. `known`: words whose property is known; the others are in no slice."""

    name: str
    known: int
    words: int
    slices: tuple[WordSlice, ...]


class SpeakerMisses(Part):
    """One speaker's words."""

    speaker: str
    words: int
    missed: int
    frr: float
    wilson: tuple[float, float]


class SpeakerSpread(Part):
    """How misses are distributed over speakers."""

    speakers: int
    without_miss: int
    holding_half: int
    """The smallest number of speakers who have half of all misses; 0 without a miss."""
    worst: tuple[SpeakerMisses, ...]
    """Speakers with a miss, the highest lower bound of the interval first."""


class AlarmSlice(Part):
    """False alarms of a slice of negative audio. With too few hours, `too_little` says so and `rate` is None."""

    name: str
    hours: float
    too_little: str | None = None
    rate: Rate | None = None


class AlarmDimension(Part):
    """Slices by one property of the negative audio."""

    name: str
    slices: tuple[AlarmSlice, ...]


class WorseSlice(Part):
    """A slice that is significantly worse than the rest of its dimension: FRR or false alarms per hour of both."""

    dimension: str
    name: str
    value: float
    rest: float
    p_value: float
    """One-sided, after Holm's correction over all slices that were tested."""
    sentence: str


class SliceReport(Part):
    """All slices at one threshold. `tested`: slices that were compared with a rest."""

    threshold: float
    confidence: float
    conditions: tuple[str, ...]
    """Conditions whose words are in the slices that do not depend on the condition."""
    dimensions: tuple[WordDimension, ...]
    speakers: SpeakerSpread | None
    """None without words."""
    alarms: tuple[AlarmDimension, ...]
    tested: int
    worse: tuple[WorseSlice, ...]
    """The smallest p value first."""
    summary: tuple[str, ...]
    """What is worse, in sentences, or that nothing was found to be."""

    def dimension(self, name: str) -> WordDimension | None:
        """The slices of the words by `name`; None where there are none."""
        return next((dimension for dimension in self.dimensions if dimension.name == name), None)
