"""What slices of the test audio showed, as it is stored: misses, false alarms, speakers, and what is worse."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from wakeword.evaluation.statistics.rates import Rate


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WordSlice(_Part):
    """Misses of the words that have something in common. With too little data, `too_little` stands for the figures."""

    name: str
    words: int
    speakers: int
    too_little: str | None
    """Such as `too little data: 7 words of 2 speakers`."""
    missed: int | None
    frr: float | None
    wilson: tuple[float, float] | None
    by_speaker: tuple[float, float] | None
    """`intervals.speaker_wilson`: the one to trust, because one person's misses come together."""


class WordDimension(_Part):
    """Slices by one property of the words."""

    name: str
    known: int
    """Words of which the property is known; the others are in no slice."""
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
    """How unequal speakers are."""

    speakers: int
    without_miss: int
    holding_half: int
    """The fewest speakers who have half of all misses between them; 0 without a miss."""
    design_effect: float
    """Variance of the miss rate over that of words that are missed independently of who speaks: 1 is no difference."""
    counted: int
    """Speakers with enough words for a rate of their own; the quantiles are over them."""
    frr_p50: float | None
    frr_p90: float | None
    frr_max: float | None
    worst: tuple[SpeakerMisses, ...]
    """Speakers with a miss, those who are most surely bad (lower bound of the interval) first."""


class AlarmSlice(_Part):
    """False alarms in audio that has something in common; without enough hours `too_little` stands for the rate."""

    name: str
    hours: float
    too_little: str | None
    rate: Rate | None


class AlarmDimension(_Part):
    """Slices by one property of the negative audio."""

    name: str
    slices: tuple[AlarmSlice, ...]


class WorseSlice(_Part):
    """A slice that is significantly worse than the rest of its dimension."""

    dimension: str
    name: str
    value: float
    """FRR, or false alarms per hour."""
    rest: float
    p_value: float
    """One-sided, after Holm's correction over all slices that were tested."""
    sentence: str


class SliceReport(_Part):
    """All slices at one threshold."""

    threshold: float
    confidence: float
    conditions: tuple[str, ...]
    """Conditions whose words are sliced by what does not depend on the condition."""
    dimensions: tuple[WordDimension, ...]
    speakers: SpeakerSpread | None
    """None without words."""
    alarms: tuple[AlarmDimension, ...]
    tested: int
    worse: tuple[WorseSlice, ...]
    """The surest first."""
    summary: tuple[str, ...]
    """In words: what is worse, or that nothing was found to be."""

    def dimension(self, name: str) -> WordDimension | None:
        """The slices of the words by `name`; None where there are none."""
        return next((dimension for dimension in self.dimensions if dimension.name == name), None)
