"""Readiness of an operating point: proven, promising or not ready, with the hours that are missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.metrics.thresholds import Choice
from wakeword.evaluation.results import SplitResult
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


def synthetic_only(test: WordOnSplit) -> tuple[str, ...]:
    """Which of `words` and `negatives` of test are synthetic without exception."""
    words = [row.synthetic for _, rows in test.conditions.values() for row in rows]
    negatives = [row.synthetic for part in test.negatives.values() for track in part.tracks for row in track.clips]
    return tuple(name for name, made in (("words", words), ("negatives", negatives)) if made and all(made))


def readiness_of(
    choice: Choice, test: SplitResult | None, synthetic: tuple[str, ...], config: EvaluationConfig
) -> Readiness:
    """The readiness of a threshold by its results on test.

    Not ready: the threshold misses the target on val; test lacks words or negatives; its false alarms per hour or its
    misses are above the limits; or it has less than `ALARMS_TO_SHOW` / target hours. Proven: in addition to the
    estimates, the upper (one-sided) Poisson bound of the false alarms keeps the target, on recordings of people and of
    real negatives. Promising: the rest.
    """
    fault = _fault(choice, test, config)
    if fault or test is None:
        return Readiness("not ready", f"not ready: {fault}")
    alarms, target = test.alarms, choice.fah_target
    bound = rate_bound(alarms.false_alarms, alarms.hours, config.confidence)
    limits = f"{target:g} false alarms per hour and {percent(config.operating_frr)} missed clean words"
    count = f"{alarms.false_alarms or 'no'} false alarm{'' if alarms.false_alarms == 1 else 's'}"
    seen = f"{count} in {number(alarms.hours)} h, at most {number(bound)} per hour ({whole(config.confidence)})"
    if bound <= target and not synthetic:
        return Readiness("proven", f"proven: test keeps the limits of {limits}: {seen}")
    verdict = f"promising: test keeps the limits of {limits}, {seen}"
    if bound > target:
        verdict += f"; {_missing(alarms.false_alarms, alarms.hours, target, config.confidence)}"
    if synthetic:
        verdict += f"; the {' and '.join(synthetic)} of test are synthetic only, so people's are not measured"
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


def _missing(count: int, hours: float, target: float, confidence: float) -> str:
    """The hours that would prove the target, without another false alarm and with one."""
    now, one_more = (hours_needed(target, count + more, confidence) - hours for more in (0, 1))
    another = "another" if count else "a"
    return (
        f"{number(now)} h more without {another} false alarm would prove {target:g} per hour, or "
        f"{number(one_more)} h with one more"
    )
