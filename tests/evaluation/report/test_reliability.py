"""The figure of calibration shows what the results hold."""

from __future__ import annotations

import numpy as np
import pytest

from wakeword.evaluation.metrics.calibration import ScoredClips, calibrate
from wakeword.evaluation.report.reliability import reliability_figure


def test_reliability_shows_bins_intervals_and_counts_before_and_after() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(1000)
    clips = ScoredClips(score, rng.random(1000) < score**2, tuple(f"s{place // 5}" for place in range(1000)))
    found = calibrate(clips, clips)
    before, after = found.test_before, found.test_after
    assert before is not None
    assert after is not None
    figure = reliability_figure(before, after)
    assert figure is not None
    dots = [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines+markers"]
    assert [list(trace.y) for trace in dots] == [[100 * p.share for p in each.reliability] for each in (before, after)]
    assert dots[0].error_y.array[0] == pytest.approx(
        100 * (before.reliability[0].wilson[1] - before.reliability[0].share)
    )
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert [sum(trace.y) for trace in bars] == [1000, 1000]
    assert "as scored: error" in dots[0].name
    assert "calibrated: error" in dots[1].name
    assert reliability_figure(None, None) is None
    assert reliability_figure(before, None) is not None
