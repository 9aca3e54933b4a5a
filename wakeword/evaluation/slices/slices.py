"""Misses by slices of the test words and false alarms by slices of the other audio, and which are surely worse.

A mean hides whom a detector fails. Each slice has Wilson's interval and the one that heeds speakers; a slice with too
little data has no figure at all, since it would be read as one. Slices by condition are made of all words; the others
of one utterance each (`slice_words.CONDITIONS`), because the same clip in thirteen conditions is not thirteen words.

Whether a slice is worse than the rest of its dimension is told by Fisher's exact test, on counts that are worth less
where one speaker's words are missed together (`significance.worth`), and for false alarms by the exact test of two
rates. With dozens of slices one would look bad by chance: p values are Holm's over all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.errors import DataError
from wakeword.evaluation.slices.results import (
    AlarmDimension,
    AlarmSlice,
    SliceReport,
    SpeakerMisses,
    SpeakerSpread,
    WordDimension,
    WordSlice,
    WorseSlice,
)
from wakeword.evaluation.slices.words import (
    CONDITIONS,
    SliceAlarm,
    SliceHours,
    SliceWord,
    by_condition,
    by_word,
    in_order,
)
from wakeword.evaluation.statistics.intervals import garwood, speaker_wilson, wilson
from wakeword.evaluation.statistics.numbers import number, percent
from wakeword.evaluation.statistics.rates import Rate
from wakeword.evaluation.statistics.significance import alarms_more, design_effect, holm, misses_more, worth

LEAST_WORDS = 20
"""With fewer, not even a slice without a miss shows a miss rate below 16 %."""
LEAST_SPEAKERS = 5
"""With fewer, the figure is that of a few persons, and how much speakers differ cannot be told from them (t with 3
degrees of freedom is 3.2, and the variance that it goes with is itself a guess)."""
LEAST_HOURS = 0.5
"""With less, not even silence shows fewer than 7 false alarms per hour."""
LEAST_OF_SPEAKER = 5
"""Words for a speaker's own rate to count in the quantiles."""
WORST_SPEAKERS = 10

_Audio = tuple[str, str]
"""Kind and source."""


@dataclass(frozen=True)
class _Trial:
    """A slice against the rest of its dimension, before correction; `told` is the finding in words."""

    dimension: str
    name: str
    value: float
    rest: float
    p_value: float
    told: str


def slice_report(
    words: Sequence[SliceWord],
    alarms: Sequence[SliceAlarm],
    hours: Sequence[SliceHours],
    threshold: float,
    *,
    edges_s: tuple[float, float] | None = None,
    conditions: Sequence[str] = CONDITIONS,
    confidence: float = 0.95,
    significance: float = 0.05,
) -> SliceReport:
    """All slices at one threshold.

    Args:
        words: every test word in every condition.
        alarms: every false alarm in the negative audio.
        hours: hours of that audio.
        threshold: the one at which `words` are hit and `alarms` came; it is only named in the report.
        edges_s: terciles of the words' length on val (`slice_words.duration_edges`); None: no slices by length.
        conditions: those whose words are sliced by what does not follow from the condition. A harder one than `clean`
            shows differences where hardly a clean word is missed. Each utterance should be in one of them only.
        confidence: of the intervals.
        significance: largest corrected p value of a slice that is called worse.

    Raises:
        DataError: hours below 0, or a false alarm of a kind and source without hours.
    """
    plain = [word for word in words if word.condition in conditions]
    parts = [
        *((name, of, words) for name, of in by_condition(words).items()),
        *((name, of, plain) for name, of in by_word(edges_s).items()),
    ]
    heard, came = _heard(alarms, hours)
    dimensions, alarm_dimensions, trials = [], [], []
    for name, of, members in parts:
        dimension, found = _word_dimension(name, of, members, edges_s, confidence)
        dimensions.append(dimension)
        trials += found
    for place, name in enumerate(("kind", "source")):
        alarm_dimension, found = _alarm_dimension(name, place, heard, came, confidence)
        alarm_dimensions.append(alarm_dimension)
        trials += found
    worse = _worse(trials, significance)
    return SliceReport(
        threshold=threshold,
        confidence=confidence,
        conditions=tuple(conditions),
        dimensions=tuple(dimensions),
        speakers=_spread(plain, confidence),
        alarms=tuple(alarm_dimensions),
        tested=len(trials),
        worse=worse,
        summary=_summary(worse, len(trials), significance, dimensions[-len(by_word(None)) :]),
    )


def word_slice(name: str, words: Sequence[SliceWord], confidence: float = 0.95) -> WordSlice:
    """Misses of `words`, or that they are too few."""
    speakers = [word.speaker for word in words]
    people = len(set(speakers))
    if len(words) < LEAST_WORDS or people < LEAST_SPEAKERS:
        return WordSlice(
            name=name,
            words=len(words),
            speakers=people,
            too_little=f"too little data: {_many(len(words), 'word')} of {_many(people, 'speaker')}",
            missed=None,
            frr=None,
            wilson=None,
            by_speaker=None,
        )
    missed = [not word.hit for word in words]
    count = sum(missed)
    return WordSlice(
        name=name,
        words=len(words),
        speakers=people,
        too_little=None,
        missed=count,
        frr=count / len(words),
        wilson=wilson(count, len(words), confidence),
        by_speaker=speaker_wilson(missed, speakers, confidence),
    )


def _word_dimension(
    name: str,
    of: Callable[[SliceWord], str],
    words: Sequence[SliceWord],
    edges_s: tuple[float, float] | None,
    confidence: float,
) -> tuple[WordDimension, list[_Trial]]:
    members: dict[str, list[SliceWord]] = {}
    for word in words:
        if found := of(word).strip():
            members.setdefault(found, []).append(word)
    order = in_order(name, members, edges_s)
    slices = [word_slice(part, members[part], confidence) for part in order]
    trials = []
    for part in slices:
        others = [word for other, own in members.items() if other != part.name for word in own]
        rest = word_slice("rest", others, confidence)
        if part.frr is None or rest.frr is None:
            continue
        own, theirs = (
            worth([not word.hit for word in group], [word.speaker for word in group], confidence)
            for group in (members[part.name], others)
        )
        told = f"misses {percent(part.frr)} of {part.words} words, the rest {percent(rest.frr)}"
        trials.append(_Trial(name, part.name, part.frr, rest.frr, misses_more(own, theirs), told))
    known = sum(len(own) for own in members.values())
    return WordDimension(name=name, known=known, words=len(words), slices=tuple(slices)), trials


def _heard(alarms: Sequence[SliceAlarm], hours: Sequence[SliceHours]) -> tuple[dict[_Audio, float], Counter[_Audio]]:
    """Hours and false alarms by kind and source."""
    heard: dict[_Audio, float] = {}
    for part in hours:
        if part.hours < 0:
            raise DataError(f"{part.kind} of {part.source}: {part.hours} hours of audio cannot be")
        audio = (part.kind, part.source)
        heard[audio] = heard.get(audio, 0.0) + part.hours
    came = Counter((alarm.kind, alarm.source) for alarm in alarms)
    for kind, source in came:
        if not heard.get((kind, source), 0.0) > 0:
            raise DataError(f"a false alarm in {kind} of {source}, but no hours of it: count its hours as well")
    return heard, came


def _alarm_dimension(
    name: str, place: int, heard: dict[_Audio, float], came: Counter[_Audio], confidence: float
) -> tuple[AlarmDimension, list[_Trial]]:
    hours: dict[str, float] = {}
    counts: Counter[str] = Counter()
    for key, amount in heard.items():
        hours[key[place]] = hours.get(key[place], 0.0) + amount
        counts[key[place]] += came[key]
    everything, all_alarms = sum(hours.values()), sum(counts.values())
    slices, trials = [], []
    for part in sorted(hours):
        own, count = hours[part], counts[part]
        if own < LEAST_HOURS:
            little = f"too little data: {number(own)} h"
            slices.append(AlarmSlice(name=part, hours=own, too_little=little, rate=None))
            continue
        low, high = garwood(count, own, confidence)
        rate = Rate(false_alarms=count, hours=own, fah=count / own, low=low, high=high)
        slices.append(AlarmSlice(name=part, hours=own, too_little=None, rate=rate))
        others = everything - own
        if others >= LEAST_HOURS:
            rest = (all_alarms - count) / others
            told = f"has {number(count / own)} false alarms per hour in {number(own)} h, the rest {number(rest)}"
            p_value = alarms_more((count, own), (all_alarms - count, others))
            trials.append(_Trial(f"false alarms by {name}", part, count / own, rest, p_value, told))
    return AlarmDimension(name=name, slices=tuple(slices)), trials


def _spread(words: Sequence[SliceWord], confidence: float) -> SpeakerSpread | None:
    if not words:
        return None
    total, missed = Counter(word.speaker for word in words), Counter(word.speaker for word in words if not word.hit)
    rows = [
        SpeakerMisses(
            speaker=speaker,
            words=count,
            missed=missed[speaker],
            frr=missed[speaker] / count,
            wilson=wilson(missed[speaker], count, confidence),
        )
        for speaker, count in sorted(total.items())
    ]
    worst = sorted((row for row in rows if row.missed), key=lambda row: (-row.wilson[0], row.speaker))
    rates = [row.frr for row in rows if row.words >= LEAST_OF_SPEAKER]
    most = np.cumsum(sorted(missed.values(), reverse=True))
    return SpeakerSpread(
        speakers=len(rows),
        without_miss=sum(not row.missed for row in rows),
        holding_half=int(np.searchsorted(most, most[-1] / 2)) + 1 if len(most) else 0,
        design_effect=design_effect([not word.hit for word in words], [word.speaker for word in words]),
        counted=len(rates),
        frr_p50=float(np.quantile(rates, 0.5)) if rates else None,
        frr_p90=float(np.quantile(rates, 0.9)) if rates else None,
        frr_max=max(rates) if rates else None,
        worst=tuple(worst[:WORST_SPEAKERS]),
    )


def _worse(trials: Sequence[_Trial], significance: float) -> tuple[WorseSlice, ...]:
    corrected = holm([trial.p_value for trial in trials])
    found = [
        WorseSlice(
            dimension=trial.dimension,
            name=trial.name,
            value=trial.value,
            rest=trial.rest,
            p_value=float(p_value),
            sentence=f"{trial.dimension}, {trial.name}: {trial.told} "
            f"({_p(float(p_value))} after Holm's correction for {_many(len(trials), 'slice')})",
        )
        for trial, p_value in zip(trials, corrected, strict=True)
        if p_value <= significance
    ]
    return tuple(sorted(found, key=lambda part: part.p_value))


def _summary(
    worse: Sequence[WorseSlice], tested: int, significance: float, dimensions: Sequence[WordDimension]
) -> tuple[str, ...]:
    sentences = [part.sentence for part in worse]
    if not tested:
        sentences.append("no slice could be compared with a rest: too little data")
    elif not worse:
        sentences.append(
            f"none of {_many(tested, 'slice')} is significantly worse than the rest "
            f"(p <= {significance:g} after Holm's correction); small differences may go unseen"
        )
    if unknown := [part.name for part in dimensions if part.words and not part.known]:
        sentences.append(f"not known of any word: {', '.join(unknown)}")
    return tuple(sentences)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
