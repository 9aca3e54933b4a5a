"""Recordings with truth: streamed as they are, counted once, refused in one sentence where truth and audio disagree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation import known
from tests.evaluation.bare import evaluate
from wakeword.audio.io import write_flac, write_wav
from wakeword.config import WordConfig, validate_config
from wakeword.config.evaluation import EvaluationConfig
from wakeword.errors import DataError
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.tracks.plan import TrackPlan
from wakeword.evaluation.tracks.recordings import with_recordings
from wakeword.runtime.bundle import load_bundle

ALPHA = WordConfig(label="alpha")
STARTS_S = (3.0, 7.0, 12.0)
"""Where the clips begin; the last one's tone is of another word, which nobody looks for in most tests."""


def recording(folder: Path, rows: str | None = None, seconds: float = 40.0, name: str = "day.flac") -> dict[str, str]:
    """A recording with two alphas and a beta, and its truth; `rows` replaces it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(4)
    audio = (rng.standard_normal(round(seconds * known.RATE)) * 30).astype(np.int16)
    truth = ["word,start_s,end_s,speaker"]
    for start_s, label in zip(STARTS_S, ("alpha", "alpha", "beta"), strict=True):
        clip = known.tone_clip(label, rng)
        first = round(start_s * known.RATE)
        if first + len(clip) <= len(audio):
            audio[first : first + len(clip)] += clip
            truth.append(f"{label},{start_s + known.WORD_S[0]},{start_s + known.WORD_S[1]},anna")
    (write_wav if name.endswith("wav") else write_flac)(folder / name, audio)
    (folder / "truth.csv").write_text(rows if rows is not None else "\n".join(truth) + "\n")
    return {"uri": str(folder / name), "truth": str(folder / "truth.csv")}


def planned(*recordings: dict[str, str], split: str = "test") -> TrackPlan:
    config = EvaluationConfig(recordings=recordings)
    return with_recordings(TrackPlan(split, ()), [ALPHA], config, refractory_s=1.0)


def test_a_recording_is_a_track_of_its_split(tmp_path) -> None:
    one = recording(tmp_path / "a")
    two = {**recording(tmp_path / "b", seconds=20.0, name="day.wav"), "split": "val"}
    (track,) = planned(one, two).tracks
    assert (track.name, track.kind, track.condition, track.duration_s) == (
        "test/recording 1", "recording", "recorded", 40.0,
    )  # fmt: skip
    assert [(t.word, t.start_s, t.end_s, t.speaker) for t in track.truth] == [
        ("alpha", 3.4, 3.9, "anna"), ("alpha", 7.4, 7.9, "anna"),
    ]  # fmt: skip
    (val,) = planned(one, two, split="val").tracks
    assert (val.name, val.duration_s) == ("val/recording 2", 20.0)
    whole = np.concatenate(list(track.blocks(9_000)))
    for start, end in ((0, 10), (159_990, 160_010), (200_000, 640_000)):
        np.testing.assert_array_equal(np.concatenate(list(track.blocks(70_000, start, end))), whole[start:end])


def test_its_scores_do_not_depend_on_the_cutting_and_are_cached_by_content(tmp_path) -> None:
    bundle = load_bundle(known.tone_bundle(tmp_path / "tones"))
    tracks = planned(recording(tmp_path / "a")).tracks
    (once,) = score_tracks(bundle, tracks, cache_dir=tmp_path / "cache")
    (cut,) = score_tracks(bundle, tracks, chunk_s=4.0)
    np.testing.assert_array_equal(once, cut)
    assert len(once) == 2000 + bundle.tail_steps
    score_tracks(bundle, planned(recording(tmp_path / "b", seconds=41.0)).tracks, cache_dir=tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_its_words_are_a_condition_and_the_rest_is_listening_time(tmp_path) -> None:
    bundle = known.tone_bundle(tmp_path / "tones")
    rows = [r for split in ("val", "test") for r in known.tone_rows(split, 3, 2)]
    data = known.prepared(tmp_path / "p", rows)
    evaluation = {
        "snr_db": [], "noise_kinds": [], "near": False, "far": False, "codecs": [],
        "recordings": [{**recording(tmp_path / "a"), "licence": "ours"}],
    }  # fmt: skip
    config = validate_config({"words": [{"label": label} for label in known.TONES_HZ], "evaluation": evaluation})
    report = evaluate(bundle, data, config, tmp_path / "out", cache_dir=tmp_path / "cache")
    alpha, beta = (word.operating.test for word in report.words)
    assert (alpha.condition("recorded").words, alpha.condition("recorded").missed) == (2, 0)
    assert (beta.condition("recorded").words, beta.condition("recorded").missed) == (1, 0)
    assert alpha.by_kind["recording"].hours * 3600 == pytest.approx(40.0 - 2 * 1.5)
    assert alpha.by_kind["recording"].false_alarms == 0
    assert any((tmp_path / "cache").iterdir())
    assert (str(tmp_path / "a" / "day.flac"), "ours", "test", 1) in report.licences


def test_a_word_that_ends_with_its_recording_counts(tmp_path) -> None:
    """The detector answers after the word; in the recording there is nothing after it."""
    bundle = known.tone_bundle(tmp_path / "tones", recalls=3)
    data = known.prepared(tmp_path / "p", [r for split in ("val", "test") for r in known.tone_rows(split, 3, 2)])
    given = recording(tmp_path / "a", seconds=STARTS_S[1] + known.WORD_S[1])
    truth = f"word,start_s,end_s,speaker\nalpha,{STARTS_S[1] + known.WORD_S[0]},{STARTS_S[1] + known.WORD_S[1]},anna\n"
    (tmp_path / "a" / "truth.csv").write_text(truth)
    audio = np.zeros(round((STARTS_S[1] + known.WORD_S[1]) * known.RATE), np.int16)
    clip = known.tone_clip("alpha", np.random.default_rng(1))[: round(known.WORD_S[1] * known.RATE)]
    audio[-len(clip) :] = clip
    write_flac(tmp_path / "a" / "day.flac", audio)
    evaluation = {
        "snr_db": [], "noise_kinds": [], "near": False, "far": False, "codecs": [], "recordings": [given],
    }  # fmt: skip
    config = validate_config({"words": [{"label": label} for label in known.TONES_HZ], "evaluation": evaluation})
    report = evaluate(bundle, data, config, tmp_path / "out")
    recorded = report.words[0].operating.test.condition("recorded")
    assert (recorded.words, recorded.missed) == (1, 0)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            "word,start_s,end_s,speaker\nalpha,1,2,a\nbeta,1.5,2.5,a\n",
            "'alpha' until 2 s and 'beta' from 1.5 s",
        ),
        ("word,start_s,end_s,speaker\nalpha,39,41,a\n", "line 2: 'alpha' ends at 41 s, but .* lasts 40.00 s"),
        ("word,start_s,end_s,speaker\nalpha,2,2,a\n", "line 2: .* needs 0 <= start_s < end_s"),
        ("word,start_s,end_s,speaker\nalpha,one,2,a\n", "line 2: a row needs word, start_s, end_s, speaker"),
        ("word,start_s\nalpha,1\n", "line 2: a row needs word, start_s, end_s, speaker"),
    ],
)
def test_truth_that_does_not_fit_is_refused(rows, sentence, tmp_path) -> None:
    with pytest.raises(DataError, match=sentence):
        planned(recording(tmp_path, rows))


def test_recordings_that_are_too_short_or_absent_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"lasts 0.90 s, not longer than the detector's refractory time of 1 s"):
        planned(recording(tmp_path / "short", seconds=0.9))
    with pytest.raises(DataError, match="there is no such file"):
        planned({"uri": str(tmp_path / "none.flac"), "truth": "t.csv"})
    given = recording(tmp_path / "a")
    with pytest.raises(DataError, match=r"the truth file .* cannot be read"):
        planned({**given, "truth": str(tmp_path / "absent.csv")})
