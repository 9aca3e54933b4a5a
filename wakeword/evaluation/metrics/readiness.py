"""Readiness of an operating point: proven, promising or not ready, with the hours that are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics.measure import AROUND_WORDS, WordOnSplit
from wakeword.evaluation.metrics.threshold_curve import outcome
from wakeword.evaluation.metrics.thresholds import Choice
from wakeword.evaluation.results import SplitResult
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.statistics.intervals import hours_needed, rate_bound
from wakeword.evaluation.statistics.numbers import number, percent, whole

State = Literal["proven", "promising", "not ready"]
ALARMS_TO_SHOW = 0.5
"""An estimate needs the hours in which this many false alarms are expected at the target. With fewer hours, none at all
would be no surprise at several times the target."""


@dataclass(frozen=True)
class Readiness:
    """The state of an operating point and the verdict as a sentence."""

    state: State
    verdict: str


@dataclass(frozen=True)
class Recorded:
    """What recordings of test show, without synthetic audio: `false_alarms` in `hours`.

    `synthetic_only`: which of `words` and `negatives` of test are synthetic without exception.
    """

    false_alarms: int
    hours: float
    synthetic_only: tuple[str, ...] = ()


def recorded(test: WordOnSplit, threshold: float) -> Recorded:
    """The false alarms and hours of recorded audio at a threshold, and what is synthetic only."""
    words = [row.synthetic for _, rows in test.conditions.values() for row in rows]
    negatives: list[bool] = []
    alarms, hours = 0, 0.0
    for kind, part in test.negatives.items():
        if kind != AROUND_WORDS:
            negatives += [row.synthetic for track in part.tracks for row in track.clips]
        hours += sum(held * _share(track) for track, held in zip(part.tracks, part.track_hours, strict=True))
        for peak in outcome(part.peaks, threshold).false_alarms.tolist():
            row = part.tracks[int(part.peaks.track[peak])].clip_at(float(part.peaks.time_s[peak]))
            alarms += row is None or not row.synthetic
    found = (("words", words), ("negatives", negatives))
    return Recorded(alarms, hours, tuple(name for name, made in found if made and all(made)))


def _share(track: TrackInfo) -> float:
    """Share of recorded audio in the clips of a track."""
    total = sum(row.end_s - row.start_s for row in track.clips)
    made = sum(row.end_s - row.start_s for row in track.clips if row.synthetic)
    return 1 - made / total if total > 0 else 1.0


def readiness_of(choice: Choice, test: SplitResult | None, real: Recorded, config: EvaluationConfig) -> Readiness:
    """The readiness of a threshold by its results on test.

    Not ready: the threshold misses the target on val; test lacks words or negatives; its false alarms per hour or its
    misses are above the limits; or it has less than `ALARMS_TO_SHOW` / target hours. Proven: in addition, the upper
    (one-sided) Poisson bound of the false alarms keeps the target, in recorded audio alone, and not all words are
    synthetic. Promising: the rest.
    """
    fault = _fault(choice, test, config)
    if fault or test is None:
        return Readiness("not ready", f"not ready: {fault}")
    alarms, target = test.alarms, choice.fah_target
    limits = f"{target:g} false alarms per hour and {percent(config.operating_frr)} missed clean words"
    bound = rate_bound(alarms.false_alarms, alarms.hours, config.confidence)
    count = f"{alarms.false_alarms or 'no'} false alarm{'' if alarms.false_alarms == 1 else 's'}"
    seen = f"{count} in {number(alarms.hours)} h, at most {number(bound)} per hour ({whole(config.confidence)})"
    missing = _missing(real, target, config.confidence)
    if not missing and "words" not in real.synthetic_only:
        return Readiness("proven", f"proven: test keeps the limits of {limits}: {seen}")
    verdict = f"promising: test keeps the limits of {limits}, {seen}"
    if missing:
        verdict += f"; {missing}"
    if real.synthetic_only:
        verdict += f"; the {' and '.join(real.synthetic_only)} of test are synthetic only"
    return Readiness("promising", verdict)


def _fault(choice: Choice, test: SplitResult | None, config: EvaluationConfig) -> str:
    """Why an operating point is not even promising; empty if it is."""
    if not choice.reached:
        return choice.reason
    if test is None or test.alarms.fah is None:
        return "test has no negative audio"
    clean = test.condition("clean")
    if clean is None:
        return "test has no clips of the word with known times"
    faults, target = [], choice.fah_target
    if test.alarms.fah > target:
        faults.append(f"{number(test.alarms.fah)} false alarms per hour on test, the limit is {target:g}")
    elif test.alarms.hours < ALARMS_TO_SHOW / target:
        faults.append(
            f"test has {number(test.alarms.hours)} h of negative audio, too few to estimate {target:g} false alarms "
            f"per hour: {number(ALARMS_TO_SHOW / target)} h are needed, and "
            f"{number(hours_needed(target, 0, config.confidence))} h without one prove it"
        )
    if clean.frr > config.operating_frr:
        allowed = percent(config.operating_frr)
        faults.append(f"{percent(clean.frr)} of clean words missed on test, the limit is {allowed}")
    return " and ".join(faults)


def _missing(real: Recorded, target: float, confidence: float) -> str:
    """The recorded hours that would prove the target, without another false alarm and with one; empty if proven."""
    now, one_more = (hours_needed(target, real.false_alarms + more, confidence) - real.hours for more in (0, 1))
    if now <= 0:
        return ""
    another = "another" if real.false_alarms else "a"
    kind = "" if real.hours > 0 else " of recorded audio"
    return (
        f"{number(now)} h more{kind} without {another} false alarm would prove {target:g} per hour, or "
        f"{number(one_more)} h with one more"
    )
