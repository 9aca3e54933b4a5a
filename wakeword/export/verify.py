"""Check that the trained model and the exported models give the same scores and events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import RunError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection, find_events, find_peaks, smooth
from wakeword.runtime.manifest import VariantFacts

Array = NDArray[Any]

CHUNK_STEPS = (1, 4, 13)
"""Steps per call on the first `CHUNKED_S` of each recording, in addition to `BLOCK_STEPS` on all of it."""
CHUNKED_S = 2.0
BLOCK_STEPS = 50
STREAMS = (1, 3)
LEAST_RISE = 0.003
"""Scores that rise less than this above their level at rest differ by rounding alone: no threshold lies among them."""


@dataclass(frozen=True)
class ParityReport:
    """Result of the parity check."""

    score_difference: float
    """Largest absolute difference of a score, over all chunk sizes, stream counts and recordings."""
    state_difference: float
    """Largest absolute difference of the settled state."""
    scores: int
    """Number of compared scores."""
    events: int
    """Number of compared events, all identical in word and time."""


def synthetic_audio(seconds: float = 6.0, seed: int = 0) -> list[Array]:
    """Two synthetic recordings: a gliding tone with bursts of noise, and near silence."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    glide = np.sin(2 * np.pi * (200.0 * time_s + 250.0 * time_s**2))
    gate = (np.sin(2 * np.pi * 1.3 * time_s) > 0) * np.abs(np.sin(2 * np.pi * 4.0 * time_s))
    bursts = 0.4 * glide * gate + 0.1 * generator.standard_normal(len(time_s)) * (1 - gate)
    quiet = 1e-4 * generator.standard_normal(len(time_s))
    return [bursts.astype(np.float32), quiet.astype(np.float32)]


def verify_parity(
    model: nn.Module, bundle: Bundle, tolerance: float, recordings: Sequence[Array] | None = None
) -> ParityReport:
    """Compare `model` (a `StreamingModel`) with `bundle` on recordings `(samples,)` float32 at 16 kHz.

    Scores must agree to `tolerance` for every chunk size and number of streams. Events must have the same words and
    times, at the thresholds of the bundle and at lower ones that give events.

    Raises RunError otherwise.
    """
    recordings = synthetic_audio() if recordings is None else [np.asarray(a, np.float32) for a in recordings]
    step = bundle.manifest.step_samples
    # The silence that a detector appends to the audio is included.
    recordings = [np.pad(a, (0, bundle.tail_samples(len(a)))) for a in recordings if len(a) >= step]
    if not recordings:
        raise RunError(f"the parity check needs recordings of at least one step ({step} samples)")
    detector = Detector(bundle, verify=False)
    settled = model.settled_state(1)[0].detach().numpy()  # type: ignore[operator]
    state_difference = float(np.abs(settled - detector.engine.settled_state).max(initial=0.0))
    worst, compared, events = 0.0, 0, 0
    for number, recording in enumerate(recordings):
        reference = torch_scores(model, recording, BLOCK_STEPS * step)
        start = recording[: round(CHUNKED_S * SAMPLE_RATE_HZ) // step * step]
        for steps in CHUNK_STEPS:
            worst = max(worst, _difference(torch_scores(model, start, steps * step), reference[: len(start) // step]))
        for streams in STREAMS:
            for steps, audio in [(BLOCK_STEPS, recording), *((steps, start) for steps in CHUNK_STEPS)]:
                scores = _runtime_scores(bundle, audio, steps * step, streams)
                worst = max(worst, *(_difference(row, reference[: len(audio) // step]) for row in scores))
                compared += scores.size
        if not worst <= tolerance:
            raise RunError(
                f"the exported graph differs from the trained model by {worst:.3g} in recording {number} (allowed:"
                f" export.parity_tolerance={tolerance:g}; settled states differ by {state_difference:.3g}): no bundle"
                " was written"
            )
        for thresholds in (bundle.thresholds, rising_thresholds(reference, bundle)):
            events += _compare_events(reference, recording, bundle, thresholds, f"recording {number}", worst)
    return ParityReport(worst, state_difference, compared, events)


def compare_variant(plain: Bundle, other: Bundle, recordings: Sequence[Array] | None = None) -> VariantFacts:
    """Compare `other`, another model file of `plain`, with it on recordings `(samples,)` float32 at 16 kHz.

    Both stream over each recording, alone and as one of several streams. Events are compared at the thresholds of the
    bundle and at lower ones that give events. With None, synthetic recordings are used.

    Raises RunError if scores are not finite.
    """
    step = plain.manifest.step_samples
    worst, compared, events, changed = 0.0, 0, 0, 0
    for recording in synthetic_audio() if recordings is None else recordings:
        audio = np.asarray(recording[: len(recording) - len(recording) % step], dtype=np.float32)
        if not len(audio):
            continue
        reference = _runtime_scores(plain, audio, BLOCK_STEPS * step, 1)[0]
        scores = _runtime_scores(other, audio, BLOCK_STEPS * step, 1)[0]
        start = audio[: round(CHUNKED_S * SAMPLE_RATE_HZ) // step * step]
        together = _runtime_scores(other, start, CHUNK_STEPS[-1] * step, STREAMS[-1])
        worst = max(
            worst,
            _difference(scores, reference),
            *(_difference(row, reference[: len(start) // step]) for row in together),
        )
        if not np.isfinite(worst):
            raise RunError(f"the scores of the {other.variant} model are not finite: no bundle was written")
        compared += scores.size + together.size
        for thresholds in (plain.thresholds, rising_thresholds(reference, plain)):
            found = [
                {(event.word, event.end_s) for event in find_events(rows, plain.labels, plain.timing, thresholds)}
                for rows in (reference, scores)
            ]
            events += len(found[0])
            changed += len(found[0] ^ found[1])
    return VariantFacts(score_difference=worst, scores=compared, events=events, events_changed=changed)


def verify_variant(
    plain: Bundle, other: Bundle, tolerance: float, recordings: Sequence[Array] | None = None
) -> VariantFacts:
    """As `compare_variant`. Raises RunError if a score differs by more than `tolerance` or any event differs."""
    facts = compare_variant(plain, other, recordings)
    if not facts.score_difference <= tolerance or facts.events_changed:
        raise RunError(
            f"the {other.variant} model differs from the ONNX graph by {facts.score_difference:.3g} in a score"
            f" (allowed: export.parity_tolerance={tolerance:g}) and in {facts.events_changed} of {facts.events} events:"
            " no bundle was written"
        )
    return facts


def torch_scores(model: nn.Module, recording: Array, chunk_samples: int) -> Array:
    """Scores `(scores, words)` of the model streaming over `recording (samples,)` from the settled state."""
    parts = []
    with torch.inference_mode(), _one_thread():
        state = model.settled_state(1)  # type: ignore[operator]
        for start in range(0, len(recording), chunk_samples):
            chunk = torch.from_numpy(recording[start : start + chunk_samples].copy())[None]
            score, state = model(chunk, state)
            parts.append(score[0].numpy())
    return np.concatenate(parts)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Limit torch to one thread: a step is too little work for several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _runtime_scores(bundle: Bundle, recording: Array, chunk_samples: int, streams: int) -> Array:
    detector = Detector(bundle, streams=streams, verify=False)
    rows = np.tile(recording, (streams, 1))
    parts = [detector.scores(rows[:, at : at + chunk_samples]) for at in range(0, len(recording), chunk_samples)]
    return np.concatenate(parts, axis=1)


def _difference(scores: Array, reference: Array) -> float:
    if scores.shape != reference.shape:
        raise RunError(f"the exported graph gives scores {scores.shape} where the model gives {reference.shape}")
    difference = np.abs(scores - reference)
    # A NaN must not count as a small difference.
    return float(difference.max(initial=0.0)) if np.isfinite(difference).all() else float("inf")


def rising_thresholds(scores: Array, bundle: Bundle) -> list[float]:
    """One threshold per word half-way between rest and its highest peak, in the widest gap between peaks.

    A new model may not reach the thresholds of its bundle; then there would be no events to compare. The score at rest
    is the median or the last one of the recording, whichever is higher: plateaus there have peaks by rounding alone.
    """
    timing = bundle.timing
    smoothed = smooth(scores, timing.window)
    chosen = []
    for word in range(smoothed.shape[1]):
        heights = smoothed[find_peaks(smoothed[:, word], timing.hold), word]
        rest = max(float(np.median(smoothed[:, word])), float(smoothed[-1, word]))
        rise = float(heights.max(initial=rest)) - rest
        if rise < LEAST_RISE:
            chosen.append(bundle.thresholds[word])
            continue
        low, high = rest + 0.3 * rise, rest + 0.7 * rise
        edges = np.r_[low, np.sort(heights[(heights > low) & (heights < high)]), high]
        widest = int(np.argmax(np.diff(edges)))
        chosen.append(float(edges[widest : widest + 2].mean()))
    return chosen


def _compare_events(
    reference: Array, recording: Array, bundle: Bundle, thresholds: list[float], where: str, difference: float
) -> int:
    expected = find_events(reference, bundle.labels, bundle.timing, thresholds)
    detector = Detector(bundle, threshold=thresholds, verify=False)
    chunk = round(bundle.manifest.chunk_ms * SAMPLE_RATE_HZ / 1000)
    found: list[Detection] = []
    for start in range(0, len(recording), chunk):
        found += detector.process(recording[start : start + chunk])
    found += detector.flush()
    if [(e.word, e.end_s) for e in found] != [(e.word, e.end_s) for e in expected]:
        raise RunError(
            f"in {where} the trained model gives {len(expected)} events and the exported graph {len(found)}, or at"
            f" other times (thresholds {[round(t, 4) for t in thresholds]}; scores differ by at most {difference:.2g}):"
            " no bundle was written"
        )
    return len(expected)
