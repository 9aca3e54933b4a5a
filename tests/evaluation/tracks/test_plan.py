"""Tracks: truth in its place, conditions that do what they say, rendered lazily and the same twice."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.evaluation.known import CLIP_S, RATE, WORD_S, coloured, row, table_of, tone_clip, tone_rows
from wakeword.config import WordConfig, validate_config
from wakeword.config.evaluation import EvaluationConfig
from wakeword.errors import ConfigError
from wakeword.evaluation.tracks.plan import Track, plan_tracks

ALPHA, BETA = WordConfig(label="alpha"), WordConfig(label="beta")


def tables(**rows: list[dict]) -> dict:
    return {split: table_of(own) for split, own in rows.items()}


def plan(config: EvaluationConfig | None = None, **rows: list[dict]):
    found = rows or {"val": tone_rows("val", 3, 3)}
    return plan_tracks(tables(**found), next(iter(found)), [ALPHA, BETA], config or EvaluationConfig())


def audio(track: Track, block: int = 7001) -> np.ndarray:
    return np.concatenate(list(track.blocks(block)))


def named(found, name: str) -> Track:
    return next(track for track in found.tracks if track.name == name)


def tone_share(samples: np.ndarray, hz: float) -> float:
    wave = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / RATE)
    return float(2 * np.abs(np.mean(samples * wave)) ** 2 / np.mean(samples**2))


def test_truth_lies_on_the_word_in_every_condition() -> None:
    found = plan()
    starts = []
    for condition in ("clean", "20 dB", "10 dB", "far"):
        track = named(found, f"val/alpha/{condition}")
        samples = audio(track)
        assert len(samples) == track.samples
        for truth in track.truth:
            assert truth.end_s - truth.start_s == pytest.approx(WORD_S[1] - WORD_S[0])
            end = round(truth.end_s * RATE)
            assert tone_share(samples[end - 2000 : end], 1000.0) > 0.7  # the tone is the last 2560 samples
            if condition == "clean":
                assert tone_share(samples[end : end + 2000], 1000.0) < 0.05
        starts.append([truth.start_s for truth in track.truth])
    assert all(start == starts[0] for start in starts)
    assert [row.word for row in named(found, "val/beta/clean").truth] == ["beta"] * 3


def test_rooms_do_not_shift_the_word() -> None:
    found = plan()
    clean, far = audio(named(found, "val/alpha/clean")), audio(named(found, "val/alpha/far"))
    onset = [
        np.flatnonzero(np.abs(x[: round(3.0 * RATE)]) > 0.1)[0] for x in (clean, far)
    ]  # the response's direct sound comes 50 ms late in its recording
    assert abs(onset[0] - onset[1]) < 0.002 * RATE


def test_noise_lies_at_its_ratio_to_the_word() -> None:
    found = plan(EvaluationConfig(snr_db=(15.0, 3.0), codecs=()))
    assert sorted({t.condition for t in found.tracks if t.word == "alpha"}) == ["15 dB", "3 dB", "clean", "far"]
    clean = audio(named(found, "val/alpha/clean"))
    for snr_db in (15.0, 3.0):
        track = named(found, f"val/alpha/{snr_db:g} dB")
        samples = audio(track)
        for truth in track.truth:
            place = slice(round(truth.start_s * RATE), round(truth.end_s * RATE))
            noise = samples[place] - clean[place]
            ratio = 10 * np.log10(np.mean(clean[place] ** 2) / np.mean(noise**2))
            assert ratio == pytest.approx(snr_db, abs=0.7)


def test_far_is_a_switch() -> None:
    assert not [t for t in plan(EvaluationConfig(far=False)).tracks if t.condition == "far"]
    assert [t for t in plan().tracks if t.condition == "far"]


def gaps(track: Track, clip_s: float) -> list[float]:
    starts = [truth.start_s for truth in track.truth if truth.role in ("word", "clip")]
    return [later - earlier - clip_s for earlier, later in pairwise(starts)]


def test_gaps_are_drawn_from_their_range_and_never_digital_zero() -> None:
    found = plan(EvaluationConfig(gap_s=(2.0, 2.5), negative_gap_s=(0.7, 0.8)))
    for name, low, high, clip_s in (("val/alpha/clean", 2.0, 2.5, CLIP_S), ("val/speech", 0.7, 0.8, 5.0)):
        drawn = gaps(named(found, name), clip_s)
        assert drawn
        assert all(low - 1e-3 <= gap <= high + 1e-3 for gap in drawn)
    samples = audio(named(found, "val/alpha/clean"))
    quiet = samples[: RATE // 2]
    assert 20 * np.log10(np.std(quiet)) == pytest.approx(-70, abs=1)
    with pytest.raises(ConfigError, match="gap_s"):
        validate_config({"words": [{"label": "a"}], "evaluation": {"gap_s": [3, 1]}})


def test_a_seed_gives_one_track_and_another_seed_another() -> None:
    first, again, other = (named(plan(EvaluationConfig(seed=seed)), "val/alpha/10 dB") for seed in (1, 1, 2))
    assert first.truth == again.truth
    np.testing.assert_array_equal(audio(first, 1000), audio(again, 64_000))
    assert first.truth != other.truth


def test_noise_of_another_split_is_noted_and_train_is_the_last_resort() -> None:
    rng = np.random.default_rng(0)
    words = [row("test", "wakeword", "alpha", tone_clip("alpha", rng), n) for n in range(2)]
    noise = {split: [row(split, "noise", "noise", coloured(2, rng), 0)] for split in ("val", "train")}
    found = plan_tracks(tables(test=words, **noise), "test", [ALPHA], EvaluationConfig(far=False))
    assert {t.noise.split for t in found.tracks if t.noise} == {"val"}
    assert any("use those of val" in note for note in found.notes)
    found = plan_tracks(tables(test=words, train=noise["train"]), "test", [ALPHA], EvaluationConfig(far=False))
    assert any("train, which were used in training" in note for note in found.notes)
    found = plan_tracks(tables(test=words), "test", [ALPHA], EvaluationConfig(codecs=()))
    assert [track.condition for track in found.tracks] == ["clean"]
    assert any("no split has noise recordings" in note for note in found.notes)


def test_clips_that_hold_a_word_are_ignored_for_it_and_only_for_it() -> None:
    rng = np.random.default_rng(0)
    contents = [
        {"text": "switch Alpha on"},
        {"contains": "alpha"},
        {"text": "the alphabet"},
        {"text": "alpha and beta"},
    ]
    rows = [row("val", "speech", "speech", coloured(3, rng), n, **more) for n, more in enumerate(contents)]
    rows.append(row("val", "wakeword", "hey_alpha", coloured(2, rng), 0))
    track = named(plan_tracks(tables(val=rows), "val", [ALPHA, BETA], EvaluationConfig()), "val/speech")
    clips = {truth.clip_id for truth in track.truth if truth.role == "clip"}
    ignored = {(truth.clip_id, truth.word) for truth in track.truth if truth.role == "ignored"}
    assert len(clips) == 4  # the clip with both words is not a negative for either
    assert ignored == {
        ("val-speech-speech-0", "alpha"),
        ("val-speech-speech-1", "alpha"),
        ("val-wakeword-hey_alpha-0", "alpha"),
    }


def test_words_without_times_are_left_out_and_noted() -> None:
    rng = np.random.default_rng(0)
    rows = [row("val", "wakeword", "alpha", tone_clip("alpha", rng), n) for n in range(2)]
    rows[0]["word_end_s"] = None
    found = plan_tracks(tables(val=rows), "val", [ALPHA, BETA], EvaluationConfig(codecs=()))
    assert [len(track.truth) for track in found.tracks if track.kind == "positives"] == [1]
    assert any("1 clips of 'alpha' left out" in note for note in found.notes)
    assert any("no clips of 'beta'" in note for note in found.notes)


def test_notes_name_synthetic_guessed_and_unknown_speakers() -> None:
    rng = np.random.default_rng(0)

    def notes(*values: dict[str, Any]) -> list[str]:
        rows = [row("test", "wakeword", "alpha", tone_clip("alpha", rng), n, **more) for n, more in enumerate(values)]
        found = plan_tracks(tables(test=rows), "test", [ALPHA], EvaluationConfig(codecs=()))
        return [note for note in found.notes if "synthetic" in note or "speaker" in note]

    engine, guess, known = {"synthetic": True}, {"speaker_source": "guessed"}, {"speaker_source": "given"}
    (synthetic,) = notes(engine, engine)
    assert synthetic.startswith("test: all clips of 'alpha' are synthetic")
    assert notes(engine, known) == []
    (note,) = notes(guess, engine, guess)
    (unknown,) = notes(known, {"speaker": ""})
    assert unknown.startswith("test: 1 of 2 clips of 'alpha' have no speaker")
    assert note.startswith("test: the speakers of 2 of 3 clips of 'alpha' are guessed from file names")


def test_long_material_is_dealt_to_several_tracks() -> None:
    rng = np.random.default_rng(0)
    long = coloured(200.0, rng)
    rows = [row("val", "speech", "speech", long, n) for n in range(7)]
    found = plan_tracks(tables(val=rows), "val", [ALPHA], EvaluationConfig())
    tracks = [track for track in found.tracks if track.kind == "speech"]
    assert [track.name for track in tracks] == ["val/speech/1", "val/speech/2", "val/speech/3"]
    assert sorted(truth.clip_id for track in tracks for truth in track.truth) == sorted(r["clip_id"] for r in rows)
    assert max(track.duration_s for track in tracks) < 620


def cut(split: str, name: str, seconds: list[float], rng: np.random.Generator, missing: int = -1) -> list[dict]:
    """A recording in consecutive pieces, as preparation leaves it."""
    return [
        row(split, "speech", "speech", coloured(s, rng), 0, clip_id=f"{name}#{n}", uri=f"{name}.flac")
        for n, s in enumerate(seconds)
        if n != missing
    ]


def test_a_long_recording_is_played_as_it_was_recorded() -> None:
    rng = np.random.default_rng(0)
    long = cut("val", "talk", [30.0, 30.0, 12.5], rng)
    rows = [*cut("val", "short", [30.0, 4.0], rng), long[2], *cut("val", "one", [3.0], rng), long[0], long[1]]
    found = plan_tracks(tables(val=rows), "val", [ALPHA], EvaluationConfig())
    track = named(found, "val/speech/recording 1")
    assert (track.kind, track.condition, track.duration_s) == ("speech", "as recorded", 72.5)
    spoken = np.concatenate([np.frombuffer(r["audio"], "<i2") for r in long]) / np.float32(32768)
    np.testing.assert_array_equal(audio(track), spoken)
    assert [(t.clip_id, t.start_s, t.end_s) for t in track.truth] == [
        ("talk#0", 0.0, 30.0), ("talk#1", 30.0, 60.0), ("talk#2", 60.0, 72.5),
    ]  # fmt: skip
    # A shorter one stays in one piece among the others: the floor apart, no sample is faded at the seam.
    rest = named(found, "val/speech")
    places = {t.clip_id: t for t in rest.truth}
    assert set(places) == {"short#0", "short#1", "one#0"}
    assert places["short#1"].start_s == places["short#0"].end_s
    seam = round(places["short#1"].start_s * RATE)
    said = np.concatenate([np.frombuffer(rows[0]["audio"], "<i2")[-200:], np.frombuffer(rows[1]["audio"], "<i2")[:200]])
    assert np.abs(audio(rest)[seam - 200 : seam + 200] - said / 32768).max() < 6 * 10 ** (-70 / 20)


def test_a_recording_with_a_hole_is_two() -> None:
    rows = cut("val", "talk", [30.0] * 6, np.random.default_rng(0), missing=3)
    found = plan_tracks(tables(val=rows), "val", [ALPHA], EvaluationConfig())
    recorded = {t.name: [r.clip_id for r in t.truth] for t in found.tracks if t.condition == "as recorded"}
    assert recorded == {
        "val/speech/recording 1": ["talk#0", "talk#1", "talk#2"],
        "val/speech/recording 2": ["talk#4", "talk#5"],
    }
