"""Triggers of the second stage: the audio they are measured on, the measures, and the peaks that are left."""

from __future__ import annotations

import wave
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation import known
from tests.evaluation.cascade.second_stage import TorchVerifier, real_rows
from wakeword.config import WordConfig
from wakeword.config.evaluation import EvaluationConfig, RecordingConfig
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.evaluation.cascade import triggers as cascade
from wakeword.evaluation.metrics.measure import measure_word
from wakeword.evaluation.metrics.threshold_curve import HitWindow, Truth, track_peaks
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.tracks.plan import TrackPlan, plan_tracks
from wakeword.evaluation.tracks.recordings import with_recordings
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.events import EventTiming
from wakeword.runtime.phoneme_path import PathFeatures

TIMING = EventTiming.from_seconds(0.02, 0.06, 0.1, 0.5)
BEFORE, AFTER = TorchVerifier.before_samples, TorchVerifier.after_samples


@pytest.fixture(scope="module")
def tracks(tmp_path_factory) -> tuple[Track, ...]:
    """Positives, speech and noise; with noise and rooms, so that rendering is not only copying."""
    root = known.prepared(tmp_path_factory.mktemp("data") / "p", known.tone_rows("test", 4, 4, ("alpha",)))
    config = EvaluationConfig(snr_db=(5.0,), codecs=())
    return plan_tracks({"test": ShardSet.open(root).table("test")}, "test", [WordConfig(label="alpha")], config).tracks


def padded(track: Track, ends: np.ndarray) -> np.ndarray:
    """The windows, cut from the whole track with silence around it."""
    whole = np.concatenate([*track.blocks(160_000)])
    long = np.concatenate([np.zeros(BEFORE, np.float32), whole, np.zeros(BEFORE + AFTER + 400_000, np.float32)])
    return np.stack([long[end : end + BEFORE + AFTER] for end in ends])


def test_the_audio_of_a_trigger_is_that_of_the_track_with_silence_beyond_its_ends(tracks) -> None:
    for track in tracks:
        inside = np.random.default_rng(0).integers(0, track.samples, 6)
        beyond = [320, track.samples - 1, track.samples, track.samples + 4000, track.samples + BEFORE + 9]
        ends = np.sort(np.concatenate([inside, beyond]))
        found = np.stack([*cascade.trigger_audio(track, ends, BEFORE, AFTER)])
        np.testing.assert_array_equal(found, padded(track, ends))
    assert not list(cascade.trigger_audio(tracks[0], np.zeros(0, np.int64), BEFORE, AFTER))


def test_triggers_of_a_recording_are_read_in_one_pass(tmp_path, monkeypatch) -> None:
    audio = np.random.default_rng(1).integers(-9000, 9000, 40 * known.RATE).astype("<i2")
    path, truth = tmp_path / "long.wav", tmp_path / "truth.csv"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, known.RATE, 0, "NONE", ""))
        file.writeframes(audio.tobytes())
    truth.write_text("word,start_s,end_s,speaker\n")
    config = EvaluationConfig(recordings=(RecordingConfig(uri=str(path), truth=str(truth)),))
    (track,) = with_recordings(TrackPlan("test", (), ()), [WordConfig(label="alpha")], config, 1.0).tracks
    opened = []
    blocks = type(track).blocks
    monkeypatch.setattr(type(track), "blocks", lambda self, *rest: opened.append(rest) or blocks(self, *rest))
    ends = np.array([5000, 100_000, 101_000, 500_000, 640_000, 640_900])
    found = np.stack([*cascade.trigger_audio(track, ends, BEFORE, AFTER)])
    assert len(opened) == 1
    np.testing.assert_array_equal(found, padded(track, ends))


def test_triggers_are_the_peaks_from_the_threshold_on_at_any_of_the_times() -> None:
    scores = np.random.default_rng(2).random(3000).astype(np.float32)
    slow = replace(TIMING, window=9)
    by_times = []
    for timing in (TIMING, slow):
        peaks = track_peaks(scores, Truth.of(), HitWindow(0.2, 1.0), timing)
        by_times.append(set(peaks.index[peaks.score >= 0.55].tolist()))
    found = cascade.trigger_index(scores, [TIMING, slow], 0.55)
    assert by_times[0] != by_times[1]
    assert found.tolist() == sorted(by_times[0] | by_times[1])
    assert cascade.trigger_index(scores, [replace(slow, refractory=90), slow], 0.55).tolist() == sorted(by_times[1])
    assert len(cascade.trigger_index(scores, [TIMING], 1.0)) == 0
    assert len(cascade.trigger_index(scores[:0], [TIMING], 0.5)) == 0


def features(mean: list[float]) -> PathFeatures:
    values = {
        name: np.zeros(len(mean), np.int64 if name in cascade.INTEGERS else np.float32) for name in cascade.FEATURES
    }
    return PathFeatures(**values | {"mean": np.asarray(mean, np.float32), "weakest": np.asarray(mean, np.float32)})


def test_peaks_take_the_fused_score_and_the_others_are_dropped() -> None:
    scores = np.zeros(400, np.float32)
    scores[[50, 150, 151, 152, 250, 350]] = [0.9, 0.9, 0.9, 0.9, 0.2, 0.6]
    peaks = track_peaks(scores, Truth.of([(2.5, 3.04)]), HitWindow(0.2, 1.0), replace(TIMING, window=1))
    high = peaks.index[peaks.score >= 0.5]
    assert high.tolist() == [50, 150, 350]
    found = cascade.TrackTriggers(np.array([50, 150, 200, 350]), features([-9.0, -0.1, 0.0, -2.0]))
    rescore = cascade.rescorer({"t": found}, 0.5, lambda score, own: score + own.mean / 10)
    after = rescore("t", peaks)
    assert after.index.tolist() == [50, 150, 350]
    np.testing.assert_allclose(after.score, [0.0, 0.89, 0.4], atol=1e-4)
    assert after.owner.tolist() == [-1, 0, -1]
    assert after.events(0.5).tolist() == [1]
    assert (after.words, after.refractory) == (peaks.words, peaks.refractory)
    # Without a trigger there is no peak, and a trigger that was not measured is an error, not a miss.
    assert len(cascade.rescorer({}, 0.95, lambda score, _: score)("t", peaks).index) == 0
    for known_triggers in ({}, {"t": cascade.TrackTriggers(found.index[1:], features([0, 0, 0]))}):
        with pytest.raises(DataError, match="did not measure all triggers of track t"):
            cascade.rescorer(known_triggers, 0.5, lambda score, _: score)("t", peaks)


def test_a_word_is_measured_on_the_scores_of_the_second_stage(tracks) -> None:
    rng = np.random.default_rng(3)
    scores = {track.name: rng.random(track.samples // 320).astype(np.float32) for track in tracks}
    infos = [TrackInfo.of("test", track) for track in tracks]
    config = EvaluationConfig()

    def measured(rescore=None):
        return measure_word("alpha", infos, lambda track, _: scores[track], TIMING, config, rescore)

    plain, same = measured(), measured(lambda _, peaks: peaks)
    assert same.alarms.false_alarms.tolist() == plain.alarms.false_alarms.tolist()
    none = measured(lambda _, peaks: cascade.verified_peaks(peaks, np.full(len(peaks.index), np.nan)))
    assert int(none.words.at(0.0)[0]) == 0 == int(none.alarms.at(0.0)[1])
    assert (none.hours, none.words.words) == (plain.hours, plain.words.words)
    assert all(not values.any() for values in none.clip_scores.values())
    half = measured(lambda _, peaks: replace(peaks, score=peaks.score / 2))
    np.testing.assert_array_equal(half.alarms.at(0.3)[1], plain.alarms.at(0.6)[1])
    for name, values in half.clip_scores.items():
        # The clips of the plain result have raw scores, these the halves of smoothed ones.
        assert np.all(values <= plain.clip_scores[name] / 2 + 1e-6)
        assert values.max() > 0.25


def test_the_phrase_stands_out_in_real_clips_and_batches_do_not_matter(recordings) -> None:
    """Real recordings, the real recogniser: "jarvis" scores above other speech on the window of a trigger."""
    verifier = TorchVerifier()
    scores = {}
    for kind, label in (("wakeword", "jarvis"), ("speech", "speech")):
        rows = real_rows(recordings, "test", kind, label, 6)
        shards = {"test": known.table_of(rows)}
        plan = plan_tracks(
            shards, "test", [WordConfig(label="jarvis")], EvaluationConfig(snr_db=(), codecs=(), far=False, near=False)
        )
        track = next(t for t in plan.tracks if t.kind == ("positives" if kind == "wakeword" else "speech"))
        # Clips of the word are 3 s long and say it in the middle.
        ends_s = [start / known.RATE + 2.3 for start in track.piece_starts]
        index = np.asarray([round(end_s / 0.02) for end_s in ends_s])
        found = cascade.measure_triggers(verifier, "jarvis", track, index, 320)
        one_by_one = cascade.measure_triggers(verifier, "jarvis", track, index, 320, batch=1)
        np.testing.assert_allclose(found.mean, one_by_one.mean, atol=1e-3)
        scores[label] = cascade.verifier_alone(np.zeros(len(index)), found)
    assert np.median(scores["jarvis"]) > 0.5 > scores["speech"].max()
    assert np.median(scores["jarvis"]) > scores["speech"].max() + 0.2
