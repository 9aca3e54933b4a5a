"""Results of the slices of the test words and of the negative audio, as `report.json` stores them."""

from __future__ import annotations

from wakeword.evaluation.statistics.records import Rate, Record


class WordSlice(Record):
    """Misses of a slice of the words. With too little data `too_little` states the counts and the figures are None."""

    name: str
    words: int
    speakers: int
    too_little: str | None = None
    missed: int | None = None
    frr: float | None = None
    wilson: tuple[float, float] | None = None
    by_speaker: tuple[float, float] | None = None
    """`intervals.speaker_wilson`: the interval to use, because misses of one speaker are correlated."""


class WordDimension(Record):
    """Slices by one property of the words. Only the `known` words, whose property is known, are in a slice."""

    name: str
    known: int
    words: int
    slices: tuple[WordSlice, ...]


class SpeakerMisses(Record):
    """Misses of one speaker."""

    speaker: str
    words: int
    missed: int
    frr: float
    wilson: tuple[float, float]


class SpeakerSpread(Record):
    """Distribution of the misses over speakers."""

    speakers: int
    without_miss: int
    holding_half: int
    """The smallest number of speakers who have half of all misses; 0 without a miss."""
    worst: tuple[SpeakerMisses, ...]
    """Speakers with a miss, the highest lower bound of the interval first."""


class AlarmSlice(Record):
    """False alarms of a slice of negative audio. With too few hours `too_little` states them and `rate` is None."""

    name: str
    hours: float
    too_little: str | None = None
    rate: Rate | None = None


class AlarmDimension(Record):
    """Slices by one property of the negative audio."""

    name: str
    slices: tuple[AlarmSlice, ...]


class WorseSlice(Record):
    """A slice that is significantly worse than the rest of its dimension: FRR or false alarms per hour of both."""

    dimension: str
    name: str
    value: float
    rest: float
    p_value: float
    """One-sided, after Holm's correction over all compared slices."""
    sentence: str


class SliceReport(Record):
    """All slices at one threshold. `tested`: number of slices that were compared with the rest of their dimension."""

    threshold: float
    confidence: float
    conditions: tuple[str, ...]
    """Conditions whose words are in the slices by other properties than the condition."""
    dimensions: tuple[WordDimension, ...]
    speakers: SpeakerSpread | None
    """None without words."""
    alarms: tuple[AlarmDimension, ...]
    tested: int
    worse: tuple[WorseSlice, ...]
    """The smallest p value first."""
    summary: tuple[str, ...]
    """Sentences on the slices that are worse, or that none is."""

    def dimension(self, name: str) -> WordDimension | None:
        """The slices of the words by `name`; None if there are none."""
        return next((dimension for dimension in self.dimensions if dimension.name == name), None)
