"""The reliability diagram shows the bins of the result."""

from __future__ import annotations

import numpy as np

from wakeword.evaluation.metrics.calibration import ScoredClips, calibrate
from wakeword.evaluation.report.reliability import reliability_figure


def test_a_dot_per_bin_before_and_after() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(1000)
    holds = rng.random(1000) < score**2
    clips = ScoredClips(score[holds], score[~holds])
    found = calibrate(clips, clips)
    figure = reliability_figure(found.test_before, found.test_after)
    assert figure is not None
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [trace.name for trace in lines] == ["raw score", "probability"]
    for trace, part in zip(lines, (found.test_before, found.test_after), strict=True):
        assert part is not None
        assert list(trace.x) == [100 * one.mean for one in part.reliability]
        assert list(trace.y) == [100 * one.share for one in part.reliability]
        assert sum(trace.customdata) == 1000


def test_without_a_map_there_is_one_line_and_without_clips_no_figure() -> None:
    none = ScoredClips(np.zeros(0), np.zeros(0))
    alone = reliability_figure(calibrate(none, ScoredClips(np.full(5, 0.9), np.full(5, 0.1))).test_before, None)
    assert alone is not None
    assert [trace.name for trace in alone.data if trace.mode == "lines+markers"] == ["raw score"]
    assert calibrate(none, none).test_before is None
    assert reliability_figure(None, None) is None
