"""Parity holds for a good export and is refused, with the numbers, for one that differs."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from wakeword.errors import RunError
from wakeword.export.verify import rising_thresholds, synthetic_audio, torch_scores, verify_parity
from wakeword.models.streaming import StreamingModel
from wakeword.runtime import load_bundle
from wakeword.runtime.events import SCORE_LEVELS, EventTiming, find_events, find_peaks, smooth


def test_parity_of_a_real_student(small_model: StreamingModel, small_bundle: Path) -> None:
    report = verify_parity(small_model, load_bundle(small_bundle), 1e-4)
    assert report.score_difference < 1e-4
    assert report.events > 0, "comparing no events proves nothing"
    assert report.scores > 5000


def test_parity_on_real_recordings(small_model: StreamingModel, small_bundle: Path, recordings: Path) -> None:
    from wakeword.audio.io import read_audio

    files = sorted((recordings / "positive").rglob("*.*"))[:3]
    report = verify_parity(small_model, load_bundle(small_bundle), 1e-4, [read_audio(path) for path in files])
    assert report.score_difference < 1e-4


def test_another_model_is_refused_unless_the_tolerance_allows_it(
    small_model: StreamingModel, small_bundle: Path
) -> None:
    other = copy.deepcopy(small_model)
    with torch.no_grad():
        next(p for n, p in other.named_parameters() if n.endswith("classify.bias")).add_(0.01)
    bundle, audio = load_bundle(small_bundle), synthetic_audio(3.0)[:1]
    with pytest.raises(RunError, match=r"differs from the trained model by 0\.002.*parity_tolerance=0\.0001"):
        verify_parity(other, bundle, 1e-4, audio)
    assert 1e-4 < verify_parity(other, bundle, 0.1, audio).score_difference < 0.1


def test_events_at_other_times_are_refused(small_model: StreamingModel, small_bundle: Path) -> None:
    """Scores within a generous tolerance, but a model that fires elsewhere."""
    other = copy.deepcopy(small_model)
    with torch.no_grad():
        next(p for n, p in other.named_parameters() if n.endswith("classify.bias")).add_(-6.0)
    with pytest.raises(RunError, match="events"):
        verify_parity(other, load_bundle(small_bundle), 1.0)


def test_nan_is_no_parity(small_model: StreamingModel, small_bundle: Path) -> None:
    other = copy.deepcopy(small_model)
    with torch.no_grad():
        next(p for n, p in other.named_parameters() if n.endswith("classify.bias")).fill_(float("nan"))
    with pytest.raises(RunError, match="differs from the trained model by inf"):
        verify_parity(other, load_bundle(small_bundle), 1.0)


def test_too_short_audio(small_model: StreamingModel, small_bundle: Path) -> None:
    with pytest.raises(RunError, match="at least one step"):
        verify_parity(small_model, load_bundle(small_bundle), 1e-4, [np.zeros(10, np.float32)])


def test_thresholds_lie_between_peaks(small_model: StreamingModel, small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    scores = torch_scores(small_model, synthetic_audio()[0], 32_000)
    timing = EventTiming.from_seconds(0.02, 0.06, 0.1, 1.0)
    smoothed = smooth(scores, timing.window)
    for word, threshold in enumerate(rising_thresholds(scores, bundle)):
        heights = smoothed[find_peaks(smoothed[:, word], timing.hold), word]
        assert (heights >= threshold).any()
        assert np.abs(heights - threshold).min() > 1e-3


def test_rounding_on_a_plateau_makes_no_difference(small_bundle: Path) -> None:
    """An untrained model rests well above 0; there its scores lie on the edge between two levels."""
    bundle = load_bundle(small_bundle)
    rest = (7000 + 0.5) / SCORE_LEVELS
    scores = np.full((400, len(bundle.labels)), rest)
    scores[60:80] += 0.02 * np.hanning(20)[:, None]
    timing = EventTiming.from_seconds(0.02, 0.06, 0.1, 1.0)
    thresholds = rising_thresholds(scores, bundle)
    jitter = np.random.default_rng(0).normal(scale=1e-7, size=scores.shape)
    found = [find_events(each, bundle.labels, timing, thresholds) for each in (scores, scores + jitter)]
    assert [len(events) for events in found] == [len(bundle.labels)] * 2
    assert len(find_events(scores + jitter, bundle.labels, timing, [0.05] * len(bundle.labels))) > len(bundle.labels)
