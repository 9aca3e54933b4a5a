"""Near misses: what fires by distance, against brute force, and limits that raise the threshold on val."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation import known
from tests.evaluation.bare import evaluate
from wakeword.config import validate_config
from wakeword.errors import ConfigError
from wakeword.evaluation.metrics.near_misses import (
    CURVE_POINTS,
    NearMissClips,
    near_miss_clips,
    near_miss_curve,
    near_miss_floor,
    near_miss_result,
)
from wakeword.evaluation.metrics.threshold_curve import Curve, HitWindow, Truth, track_peaks
from wakeword.evaluation.metrics.thresholds import NEVER, Choice, raise_to
from wakeword.evaluation.tracks.plan import TruthRow
from wakeword.runtime.events import EventTiming

TIMING = EventTiming.from_seconds(0.02, 0.0, 0.1, 1.0)


def near(start_s: float, end_s: float, distance: int = 1, word: str = "nova", speaker: str = "s") -> TruthRow:
    return TruthRow(
        "t", "near_miss", word, start_s, end_s, speaker, f"c{start_s}", "as is", "x", "confusable", distance
    )


def test_a_clip_fires_by_its_own_highest_peak_and_not_by_its_neighbours() -> None:
    scores = np.zeros(500)
    # In the first clip, just after the second, in the third (of another word), and after the fourth's window.
    scores[[60, 155, 210, 420]] = [0.4, 0.7, 0.9, 0.95]
    rows = [near(1.0, 2.0), near(2.2, 3.0, 2, ""), near(4.0, 5.0, 1, "luna"), near(6.0, 7.0, 5)]
    peaks = track_peaks(scores, Truth.of(), HitWindow(0.2, 1.0), TIMING)
    clips = near_miss_clips(peaks, rows, "nova", 1.0)
    assert clips.score[:2].tolist() == pytest.approx([0.4, 0.7], abs=1e-4)
    assert clips.score[2] < 0.01
    assert clips.phoneme_distance.tolist() == [1, 2, 5]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_shares_and_floor_are_those_of_brute_force(seed) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 60))
    clips = NearMissClips(rng.integers(0, 20, size) / 20, rng.integers(-1, 7, size), ("",) * size)
    limits = {int(d): float(rng.choice([0.0, 0.1, 0.5, 1.0])) for d in rng.choice([1, 2, 3, 4], 2, replace=False)}
    floor = near_miss_floor(clips, limits)

    def keeps(threshold: float) -> bool:
        for distance, limit in limits.items():
            inside = [s for s, d in zip(clips.score, clips.phoneme_distance, strict=True) if min(d, 4) == distance]
            if inside and sum(s >= threshold for s in inside) / len(inside) > limit + 1e-9:
                return False
        return True

    levels = sorted({0.0, *clips.score, *np.nextafter(clips.score, np.inf)})
    assert floor.threshold == next(level for level in levels if keeps(level))
    assert set(floor.untested) == {d for d in limits if not any(min(x, 4) == d for x in clips.phoneme_distance)}
    for threshold in (0.0, 0.35, 0.5, 1.0):
        result = near_miss_result(clips, threshold, np.zeros(0, dtype=bool), [], 0.95)
        assert result.fired == sum(clips.score >= threshold)
        assert result.share == pytest.approx(float(clips.share(threshold)))
        assert sum(part.clips for part in result.by_distance.values()) == size
        assert sum(part.fired for part in result.by_distance.values()) == result.fired


def test_the_same_voices_own_phrase_stands_beside_it() -> None:
    clips = NearMissClips(np.array([0.9, 0.2, 0.8]), np.array([1, 1, 9]), ("ann", "bob", ""))
    hit, speakers = np.array([True, False, True, False]), ["ann", "ann", "cid", ""]
    result = near_miss_result(clips, 0.5, hit, speakers, 0.95)
    assert (result.own_phrase.clips, result.own_phrase.fired, result.shared_speakers) == (2, 1, 1)
    assert {name: (part.clips, part.fired) for name, part in result.by_distance.items()} == {
        "1": (2, 1),
        "4 or more": (1, 1),
    }
    alone = near_miss_result(clips, 0.5, hit[2:], ["cid", ""], 0.95)
    assert (alone.own_phrase, alone.shared_speakers) == (None, 0)
    assert near_miss_result(NearMissClips(np.zeros(0), np.zeros(0, dtype=int), ()), 0.5, hit, speakers, 0.95) is None


def test_the_curve_trades_misses_for_near_misses() -> None:
    rng = np.random.default_rng(0)
    levels = np.unique(rng.random(500))
    words = Curve(levels, np.arange(len(levels), 0, -1), np.zeros(len(levels), dtype=int), len(levels))
    clips = NearMissClips(rng.random(80), np.ones(80, dtype=int), ("",) * 80)
    curve = near_miss_curve(clips, words)
    assert len(curve.threshold) == CURVE_POINTS
    assert np.all(np.diff(curve.frr) >= 0)
    assert np.all(np.diff(curve.fired_share) <= 0)
    assert (curve.frr[0], curve.fired_share[0], curve.frr[-1], curve.fired_share[-1]) == (0.0, 1.0, 1.0, 0.0)
    for place in (10, 50, 90):
        threshold = curve.threshold[place]
        assert curve.fired_share[place] == pytest.approx(np.mean(clips.score >= threshold))
        assert curve.frr[place] == pytest.approx(np.mean(levels < threshold))
    assert near_miss_curve(clips, None) is None


def test_a_limit_raises_the_threshold_and_says_so() -> None:
    clips = NearMissClips(np.array([0.3, 0.6, 0.8, 0.9]), np.array([1, 1, 1, 1]), ("",) * 4)
    chosen = Choice(0.5, 0.5, True, "half-way")
    raised = raise_to(chosen, near_miss_floor(clips, {1: 0.5, 2: 0.1}))
    assert 0.6 < raised.threshold < 0.61
    assert "at most 50 % of the 4 near misses 1 phoneme away" in raised.reason
    assert "no near misses 2 phonemes away" in raised.reason
    assert raise_to(chosen, near_miss_floor(clips, {1: 0.75})) == chosen
    saturated = NearMissClips(np.ones(3), np.ones(3, dtype=int), ("",) * 3)
    never = raise_to(chosen, near_miss_floor(saturated, {1: 0.5}))
    assert (never.threshold, never.reached) == (NEVER, False)


def test_limits_raise_the_operating_point_of_an_evaluation(tmp_path) -> None:
    rng = np.random.default_rng(2)
    rows = [row for split in ("val", "test") for row in known.tone_rows(split, labels=("alpha",))]
    for split in ("val", "test"):
        for number, level in enumerate((0.0, 0.02, 0.05, 0.1)):
            audio = (known.tone_clip("alpha", rng) + known.coloured(known.CLIP_S, rng, level)).astype(np.int16)
            more = {"resembles": "alpha", "phoneme_distance": 1}
            rows.append(known.row(split, "confusable", "alfa", audio, number, **more))
    bundle = known.tone_bundle(tmp_path / "bundle", ("alpha",))
    data = known.prepared(tmp_path / "data", rows)
    found = {}
    for name, limits in {"free": {}, "half": {1: 0.5}}.items():
        settings = {"snr_db": [0.0], "far": False, "near_miss_limits": limits}
        config = validate_config({"words": [{"label": "alpha"}], "evaluation": settings})
        found[name] = evaluate(bundle, data, config, tmp_path / name).words[0]
    free, half = (found[name].operating for name in ("free", "half"))
    assert free.val.near_misses.by_distance["1"].share > 0.5
    assert half.val.near_misses.by_distance["1"].share <= 0.5
    assert half.threshold > free.threshold
    assert "at most 50 % of the 4 near misses" in half.reason
    assert half.test.near_misses.own_phrase.clips == 8
    assert found["half"].near_miss_curve is not None
    for fault in ({0: 0.5}, {1: 1.5}):
        with pytest.raises(ConfigError, match="near_miss_limits"):
            validate_config({"words": [{"label": "alpha"}], "evaluation": {"near_miss_limits": fault}})
