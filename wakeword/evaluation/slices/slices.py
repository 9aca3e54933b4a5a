"""Misses by slices of the test words, false alarms by slices of the negative audio, and which slices are worse.

A slice with too little data has no figure. Slices by condition contain all words; the other slices contain each
utterance once (`words.CONDITIONS`), since the conditions repeat the same utterances.

A slice is worse than the rest of its dimension by Fisher's exact test on effective counts
(`significance.effective_counts`), for false alarms by the exact test of two Poisson rates, after Holm's correction over
all compared slices of the report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from wakeword.evaluation.slices.words import CONDITIONS, PITCH_RANGES, AudioKey, SliceWord
from wakeword.evaluation.statistics.intervals import alarm_rate, speaker_wilson, wilson
from wakeword.evaluation.statistics.numbers import number, percent
from wakeword.evaluation.statistics.significance import alarms_more, effective_counts, holm, misses_more
from wakeword.evaluation.statistics.slice_records import (
    AlarmDimension,
    AlarmSlice,
    SliceReport,
    SpeakerMisses,
    SpeakerSpread,
    WordDimension,
    WordSlice,
    WorseSlice,
)

MIN_WORDS = 20
"""With fewer words, even a slice without a miss has an upper bound of the miss rate above 16 %."""
MIN_SPEAKERS = 5
"""With fewer speakers, the variance between speakers cannot be estimated."""
MIN_HOURS = 0.5
"""With fewer hours, even audio without a false alarm has an upper bound above 7 false alarms per hour."""
MAX_WORST_SPEAKERS = 10
SIGNIFICANCE = 0.05
BY_CONDITION = ("condition", "distance", "noise kind")
BY_CLIP = ("source", "pitch", "accent", "gender", "age", "position", "duration")
BY_AUDIO = ("kind", "source")
"""The parts of an `AudioKey`."""
_RANK = {name: place for place, name in enumerate((*PITCH_RANGES, "short", "medium", "long"))}


def slice_report(
    words: Sequence[SliceWord],
    alarms: Mapping[AudioKey, int],
    hours: Mapping[AudioKey, float],
    threshold: float,
    confidence: float = 0.95,
) -> SliceReport:
    """All slices at one threshold.

    Args:
        words: every test word in every condition.
        alarms: false alarms by kind and source of the negative audio.
        hours: hours of that audio by kind and source.
        threshold: the threshold of `words` and `alarms`.
        confidence: of the intervals.
    """
    once = [word for word in words if word.condition in CONDITIONS]
    compared: list[WorseSlice] = []
    by_condition = [_word_dimension(name, words, confidence, compared) for name in BY_CONDITION]
    by_clip = [_word_dimension(name, once, confidence, compared) for name in BY_CLIP]
    by_audio = [_alarm_dimension(name, alarms, hours, confidence, compared) for name in BY_AUDIO]
    worse = _worse(compared)
    summary = [part.sentence for part in worse]
    if not compared:
        summary.append("no slice could be compared with the rest: too little data")
    elif not worse:
        summary.append(
            f"none of {_count(len(compared), 'slice')} is significantly worse than the rest "
            f"(p <= {SIGNIFICANCE:g} after Holm's correction); small differences cannot be detected"
        )
    if unknown := [part.name for part in by_clip if part.words and not part.known]:
        summary.append(f"unknown for every word: {', '.join(unknown)}")
    return SliceReport(
        threshold=threshold,
        confidence=confidence,
        conditions=CONDITIONS,
        dimensions=(*by_condition, *by_clip),
        speakers=_spread(once, confidence),
        alarms=tuple(by_audio),
        tested=len(compared),
        worse=worse,
        summary=tuple(summary),
    )


def _word_dimension(
    name: str, words: Sequence[SliceWord], confidence: float, compared: list[WorseSlice]
) -> WordDimension:
    """Slices by one property; each that can be compared with the rest is added to `compared`."""
    members: dict[str, list[SliceWord]] = {}
    for word in words:
        if part := word.slices.get(name, "").strip():
            members.setdefault(part, []).append(word)
    order = list(members)
    if name not in BY_CONDITION:
        order.sort(key=lambda part: (_RANK.get(part.split(" (")[0], 0), part))
    slices = []
    for part in order:
        groups = members[part], [word for other in order if other != part for word in members[other]]
        own, rest = (word_slice(part, group, confidence) for group in groups)
        slices.append(own)
        if own.frr is not None and rest.frr is not None:
            counts = [effective_counts([w.missed for w in g], [w.speaker for w in g], confidence) for g in groups]
            finding = f"misses {percent(own.frr)} of {own.words} words, the rest {percent(rest.frr)}"
            compared.append(_compared(name, part, own.frr, rest.frr, misses_more(*counts), finding))
    known = sum(len(group) for group in members.values())
    return WordDimension(name=name, known=known, words=len(words), slices=tuple(slices))


def word_slice(name: str, words: Sequence[SliceWord], confidence: float = 0.95) -> WordSlice:
    """Misses of `words`, or the note that there are too few."""
    missed, speakers = [word.missed for word in words], [word.speaker for word in words]
    total, count, people = len(words), sum(missed), len(set(speakers))
    part = WordSlice(name=name, words=total, speakers=people)
    if total < MIN_WORDS or people < MIN_SPEAKERS:
        counts = f"{_count(total, 'word')} of {_count(people, 'speaker')}"
        return part.model_copy(update={"too_little": f"too little data: {counts}"})
    intervals = {
        "wilson": wilson(count, total, confidence),
        "by_speaker": speaker_wilson(missed, speakers, confidence),
    }
    return part.model_copy(update={"missed": count, "frr": count / total, **intervals})


def _alarm_dimension(
    name: str,
    alarms: Mapping[AudioKey, int],
    hours: Mapping[AudioKey, float],
    confidence: float,
    compared: list[WorseSlice],
) -> AlarmDimension:
    """Slices by kind or source; each that can be compared with the rest is added to `compared`."""
    place = BY_AUDIO.index(name)
    slices = []
    for part in sorted({key[place] for key in hours}):
        groups = [[key for key in hours if (key[place] == part) is inside] for inside in (True, False)]
        own, rest = ((sum(alarms.get(key, 0) for key in g), sum(hours[key] for key in g)) for g in groups)
        if own[1] < MIN_HOURS:
            slices.append(AlarmSlice(name=part, hours=own[1], too_little=f"too little data: {number(own[1])} h"))
            continue
        slices.append(AlarmSlice(name=part, hours=own[1], rate=alarm_rate(*own, confidence)))
        if rest[1] >= MIN_HOURS:
            fah, rest_fah = (count / length for count, length in (own, rest))
            finding = f"has {number(fah)} false alarms per hour in {number(own[1])} h, the rest {number(rest_fah)}"
            compared.append(_compared(alarms_by(name), part, fah, rest_fah, alarms_more(own, rest), finding))
    return AlarmDimension(name=name, slices=tuple(slices))


def _spread(words: Sequence[SliceWord], confidence: float) -> SpeakerSpread | None:
    if not words:
        return None
    total, missed = Counter(word.speaker for word in words), Counter(word.speaker for word in words if word.missed)
    worst = []
    for speaker, count in missed.items():
        of = total[speaker]
        interval = wilson(count, of, confidence)
        worst.append(SpeakerMisses(speaker=speaker, words=of, missed=count, frr=count / of, wilson=interval))
    worst.sort(key=lambda row: (-row.wilson[0], row.speaker))
    most = np.cumsum(sorted(missed.values(), reverse=True))
    return SpeakerSpread(
        speakers=len(total),
        without_miss=len(total) - len(missed),
        holding_half=int(np.searchsorted(most, most[-1] / 2)) + 1 if len(most) else 0,
        worst=tuple(worst[:MAX_WORST_SPEAKERS]),
    )


def alarms_by(name: str) -> str:
    """The name of a dimension of false alarms in `SliceReport.worse`."""
    return f"false alarms by {name}"


def _compared(dimension: str, name: str, value: float, rest: float, p_value: float, finding: str) -> WorseSlice:
    sentence = f"{dimension}, {name}: {finding}"
    return WorseSlice(dimension=dimension, name=name, value=value, rest=rest, p_value=p_value, sentence=sentence)


def _worse(compared: Sequence[WorseSlice]) -> tuple[WorseSlice, ...]:
    """The significant ones with corrected p values, the smallest p value first."""
    found = []
    for part, p_value in zip(compared, holm([part.p_value for part in compared]).tolist(), strict=True):
        if p_value <= SIGNIFICANCE:
            p_text = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
            sentence = f"{part.sentence} ({p_text} after Holm's correction for {_count(len(compared), 'slice')})"
            found.append(part.model_copy(update={"p_value": p_value, "sentence": sentence}))
    return tuple(sorted(found, key=lambda part: part.p_value))


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
