"""The demo's final trial, with a bundle whose words are known tones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.bundles import track, write_tone_bundle
from wakeword.config import load_config, validate_config
from wakeword.data.synthesis import load_engine
from wakeword.errors import ConfigError
from wakeword.evaluation.tracks.held_out_voice import (
    GAP_S,
    PHRASES,
    SENTENCES,
    SpokenTrack,
    Trial,
    make_tracks,
    run_trial,
    speak_track,
)
from wakeword.runtime.bundle import load_bundle

ROOT = Path(__file__).resolve().parents[3]


def _track(events: list[tuple[str, float]], spans_s: list[tuple[float, float]]) -> SpokenTrack:
    return SpokenTrack("t", track(events, 12.0), spans_s)


@pytest.mark.parametrize(
    ("phrases", "other", "detected", "fired", "passed"),
    [
        ([("alpha", 1.0), ("alpha", 4.0), ("alpha", 7.0)], [("beta", 2.0)], 3, 0, True),
        ([("alpha", 1.0), ("alpha", 4.0)], [], 2, 0, False),
        ([("alpha", 1.0), ("alpha", 4.0), ("alpha", 7.0)], [("alpha", 2.0)], 3, 1, False),
        ([("alpha", 1.0), ("alpha", 4.0), ("alpha", 7.0), ("alpha", 10.0)], [], 3, 1, False),
    ],
)
def test_hits_and_false_alarms_are_counted(
    phrases: list[tuple[str, float]],
    other: list[tuple[str, float]],
    detected: int,
    fired: int,
    passed: bool,
    tmp_path: Path,
) -> None:
    bundle = load_bundle(write_tone_bundle(tmp_path / "bundle"))
    spans = [(1.0, 1.3), (4.0, 4.3), (7.0, 7.3)]
    trial = run_trial(bundle, _track(phrases, spans), _track(other, [(2.0, 2.3)]), "alpha")
    assert (trial.phrases, trial.detected, trial.fired, trial.passed) == (3, detected, fired, passed)
    assert trial.minutes == pytest.approx(0.2)


def test_what_it_takes_to_pass() -> None:
    assert Trial(12, 9, 40, 2.5, 0).passed
    assert not Trial(12, 8, 40, 2.5, 0).passed
    assert not Trial(12, 12, 40, 2.5, 1).passed


def test_a_track_is_where_it_says() -> None:
    pytest.importorskip("espeakng_loader")
    engine = load_engine("espeak")
    voices = engine.voices()[:1]
    made = speak_track("phrase", engine, voices, ["nova", "hey nova"], seed=1)
    assert made.audio.dtype == np.int16
    start_s, end_s = made.spans_s[1]
    assert start_s == pytest.approx(made.spans_s[0][1] + GAP_S, abs=0.01)
    level = [
        float(np.abs(made.audio[round(a * 16_000) : round(b * 16_000)]).max())
        for a, b in ((start_s, end_s), (end_s + 0.1, end_s + GAP_S - 0.1))
    ]
    assert level[0] > 20 * level[1] > 0
    assert speak_track("phrase", engine, voices, ["nova", "hey nova"], seed=1).spans_s == made.spans_s


def test_the_recipe_holds_the_trials_voice_out() -> None:
    config = load_config(ROOT / "configs" / "demo.yaml")
    assert config.synthesis.hold_out
    assert not set(config.synthesis.hold_out) & set(config.synthesis.engines)
    assert (PHRASES, SENTENCES) >= (10, 30)


def test_without_a_held_out_voice_there_is_no_demo() -> None:
    config = validate_config({"words": [{"label": "hey_nova"}], "synthesis": {"enabled": True, "hold_out": []}})
    with pytest.raises(ConfigError, match=r"synthesis\.hold_out has no voice of the language en"):
        make_tracks(config)
