"""Slices of the test audio as they are stored in `report.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from wakeword.evaluation.statistics.rates import Rate


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WordSlice(_Part):
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


class WordDimension(_Part):
    """Slices by one property of the words. `known`: words whose property is known; the others are in no slice."""

    name: str
    known: int
    words: int
    slices: tuple[WordSlice, ...]


class SpeakerMisses(_Part):
    """One speaker's words."""

    speaker: str
    words: int
    missed: int
    frr: float
    wilson: tuple[float, float]


class SpeakerSpread(_Part):
    """How misses are distributed over speakers."""

    speakers: int
    without_miss: int
    holding_half: int
    """The smallest number of speakers who have half of all misses; 0 without a miss."""
    worst: tuple[SpeakerMisses, ...]
    """Speakers with a miss, the highest lower bound of the interval first."""


class AlarmSlice(_Part):
    """False alarms of a slice of negative audio. With too few hours, `too_little` says so and `rate` is None."""

    name: str
    hours: float
    too_little: str | None = None
    rate: Rate | None = None


class AlarmDimension(_Part):
    """Slices by one property of the negative audio."""

    name: str
    slices: tuple[AlarmSlice, ...]


class WorseSlice(_Part):
    """A slice that is significantly worse than the rest of its dimension: FRR or false alarms per hour of both."""

    dimension: str
    name: str
    value: float
    rest: float
    p_value: float
    """One-sided, after Holm's correction over all slices that were tested."""
    sentence: str


class SliceReport(_Part):
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
