"""Choice of the smoothing and refractory time from a grid, on val.

A bundle has one smoothing time and one refractory time for all words and targets. They are therefore chosen at the
operating point, over all words and conditions together.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics.measure import Rescore, measure_word
from wakeword.evaluation.metrics.near_misses import near_miss_floor
from wakeword.evaluation.metrics.tail import fit_tail, tail_events
from wakeword.evaluation.metrics.thresholds import MARGIN_FRR, choose_threshold, raise_to
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.runtime.events import EventTiming
from wakeword.runtime.manifest import DetectorSettings


def timing_of(detector: DetectorSettings, step_s: float) -> EventTiming:
    """A bundle's detector times in steps of `step_s`."""
    return EventTiming.from_seconds(step_s, detector.smoothing_s, detector.nms_window_s, detector.refractory_s)


def choose_times(
    store: ScoreStore, config: EvaluationConfig, rescores: Mapping[str, Rescore] | None = None
) -> tuple[DetectorSettings, str]:
    """The detector's times for this evaluation, and a sentence on their choice (empty without a grid).

    `rescores`: for each word, the fusion with the bundle's verifier, at whose thresholds words are then counted.

    The pair of the grid with the fewest missed words of val, at its own threshold for `operating_fah`, is chosen. It
    must miss fewer words than the bundle's times by more than `MARGIN_FRR` of the words; otherwise the bundle's times
    are kept, because on little data the best of many pairs is best by chance.
    """
    shipped = DetectorSettings(**store.detector)
    pairs = list(
        product(config.smoothing_grid_s or (shipped.smoothing_s,), config.refractory_grid_s or (shipped.refractory_s,))
    )
    others = [pair for pair in pairs if pair != (shipped.smoothing_s, shipped.refractory_s)]
    if not others:
        return shipped, ""
    tried = [shipped]
    tried += [shipped.model_copy(update={"smoothing_s": smooth, "refractory_s": wait}) for smooth, wait in others]
    words, before = _missed(store, shipped, config, rescores)
    if not words:
        return shipped, "val has no words to choose detector times with: the times of the bundle are kept"
    missed = [before, *(_missed(store, detector, config, rescores)[1] for detector in tried[1:])]
    best = min(range(len(tried)), key=lambda place: (missed[place], tried[place].smoothing_s))
    kept = before - missed[best] <= MARGIN_FRR * words
    chosen = shipped if kept else tried[best]
    times = f"smoothing {chosen.smoothing_s:g} s and refractory time {chosen.refractory_s:g} s"
    if kept:
        others_text = (
            f"none of {len(others)} other pairs reduces the misses by more than {MARGIN_FRR:.0%} of val's words"
        )
        return chosen, f"{times} are kept: {others_text}"
    return chosen, (
        f"{times} miss {missed[best]} of {words} words of val at {config.operating_fah:g} false alarms per hour, "
        f"the bundle's {shipped.smoothing_s:g} s and {shipped.refractory_s:g} s miss {before}"
    )


def _missed(
    store: ScoreStore, detector: DetectorSettings, config: EvaluationConfig, rescores: Mapping[str, Rescore] | None
) -> tuple[int, int]:
    """Number of words of val in all conditions, and of those missed at the thresholds chosen on val."""
    timing = timing_of(detector, store.step_s)
    words = missed = 0
    for word in store.words:
        rescore = (rescores or {}).get(word["label"])
        view = measure_word(word["label"], store.of("val"), store.scores, timing, config, rescore)
        if view.hours <= 0:
            continue
        tail = fit_tail(tail_events(view), seed=config.seed)
        choice = choose_threshold(view.words, view.alarms, tail, config.operating_fah)
        choice = raise_to(choice, near_miss_floor(view.near_misses, config.near_miss_limits))
        words += view.words.words
        missed += view.words.words - int(view.words.at(choice.threshold)[0])
    return words, missed
