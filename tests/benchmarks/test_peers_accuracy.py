"""Peers: scores lie where their audio ends, one rule chooses all thresholds; the peers' packages are not needed."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers_accuracy
from benchmarks.peers import scoring
from benchmarks.peers.child import chunks
from benchmarks.peers.judging import CHOSEN, SHIPPED, DetectorScores, chosen_row, pairs_table, rows_table, shipped_row
from benchmarks.peers.scoring import PEERS, Peer, on_grid, peer_scores
from tests.evaluation.known import RATE, coloured, row, table_of, tone_clip, tone_rows
from wakeword.config import WordConfig, validate_config
from wakeword.errors import DataError, RunError
from wakeword.evaluation.tracks.plan import TrackPlan, plan_tracks
from wakeword.runtime.events import EventTiming

STEP = 1280
ALPHA = WordConfig(label="alpha")
CONFIG = validate_config(
    {
        "words": [{"label": "alpha"}],
        # Seconds of audio can hold no lower rate.
        "evaluation": {"snr_db": [10.0], "near": False, "far": False, "codecs": [], "noise_kinds": []}
        | {"fah_targets": [60.0], "operating_fah": 60.0},
    }
)
EVALUATION = CONFIG.evaluation
TIMING = EventTiming.from_seconds(STEP / RATE, 0.0, 0.1, 1.0)
SHIPPED_TIMING = EventTiming.from_seconds(STEP / RATE, 0.0, 0.0, 2.0)


def plans() -> tuple[TrackPlan, TrackPlan]:
    tables = {split: table_of(tone_rows(split, 4, 4, ("alpha",))) for split in ("val", "test")}
    val, test = (plan_tracks(tables, split, [ALPHA], EVALUATION) for split in ("val", "test"))
    return val, test


def scored(plan: TrackPlan, word: float, other: float, length: int = 1, early: int = 0) -> list[np.ndarray]:
    """Scores of every track: `word` for `length` steps around each word's end, `other` once in the speech track."""
    found = []
    for track in plan.tracks:
        scores = np.full((track.samples // STEP, 1), 0.01, dtype=np.float32)
        for truth in track.truth:
            if truth.role == "word":
                first = round(truth.end_s * RATE / STEP) - 1 - early
                scores[first : first + length] = word
        if track.kind == "speech":
            scores[40] = other
        found.append(scores)
    return found


def test_each_score_lies_where_its_audio_ended() -> None:
    grid = on_grid([1280, 2560, 3840], [0.1, 0.2, 0.3], STEP, 3 * STEP + 100)
    assert grid.shape == (3, 1)
    assert grid.dtype == np.float32
    assert grid[:, 0] == pytest.approx([0.1, 0.2, 0.3])


def test_no_score_at_first_is_zero_and_of_several_at_once_the_highest_counts() -> None:
    grid = on_grid([2560, 2560, 3840], [0.9, 0.2, 0.3], STEP, 3 * STEP)
    assert grid[:, 0] == pytest.approx([0.0, 0.9, 0.3])
    assert not on_grid([], [], STEP, 3 * STEP).any()


@pytest.mark.parametrize(
    ("positions", "scores", "message"),
    [
        ([1280, 2000], [0.1, 0.2], "every 1280 samples"),
        ([2560, 1280], [0.1, 0.2], "every 1280 samples"),
        ([0, 1280], [0.1, 0.2], "every 1280 samples"),
        ([1280, 3840], [0.1, 0.2], "leaves out scores"),
        ([1280, 2560], [0.1, 0.2], "leaves out scores"),
        ([1280], [np.nan], "not finite"),
    ],
)
def test_scores_off_the_grid_are_refused(positions: list[int], scores: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        on_grid(positions, scores, STEP, 3 * STEP)


def test_the_child_reads_whole_chunks_after_silence() -> None:
    audio = np.arange(1, 1001, dtype="<i2")
    found = np.concatenate([np.frombuffer(part, dtype="<i2") for part in chunks(audio.tobytes(), 160, 320)])
    assert len(found) == 1280  # 8 whole chunks of the 1320 samples
    assert not found[:320].any()
    assert np.array_equal(found[320:], audio[:960])
    assert not list(chunks(audio[:100].tobytes(), 160, 0))


STAND_IN = """
import numpy as np
class Model:
    def __init__(self, paths): self.calls = 0; print("hello from the package")
    def predict(self, chunk):
        self.calls += 1
        if np.abs(chunk.astype(int)).max() > 32000: raise ValueError("audio too loud")
        return {"alexa": float(np.abs(chunk).max()) / 32768 if self.calls > 1 else 0.0}
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `openwakeword` whose score is each chunk's peak."""
    (tmp_path / "packages" / "openwakeword").mkdir(parents=True)
    (tmp_path / "packages" / "openwakeword" / "__init__.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    return tmp_path


def peer(key: str = "openwakeword") -> Peer:
    return next(found for found in PEERS if found.key == key)


def test_a_peer_scores_the_samples_that_we_render(stand_in: Path) -> None:
    tracks = plans()[1].tracks
    found = peer_scores(peer(), tracks, Path(sys.executable), stand_in / "scores")
    for track, scores in zip(tracks, found, strict=True):
        audio = np.concatenate(list(track.blocks(RATE)))
        whole = np.abs(audio[: len(scores) * STEP].reshape(-1, STEP)).max(1)
        assert len(scores) == track.samples // STEP
        assert scores[0, 0] == 0  # each track starts with a fresh detector
        assert scores[1:, 0] == pytest.approx(whole[1:], abs=1e-4)


def test_scores_are_stored(stand_in: Path, tmp_path: Path) -> None:
    tracks = plans()[1].tracks
    first = peer_scores(peer(), tracks, Path(sys.executable), stand_in / "scores")
    again = peer_scores(peer(), tracks, tmp_path / "no python here", stand_in / "scores")
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))


def test_the_error_of_a_stopped_peer_quotes_its_last_line(stand_in: Path) -> None:
    loud = np.full(16000, 32767, dtype=np.int16)
    rows = [row("val", "speech", "speech", np.concatenate([coloured(3.0, np.random.default_rng(0)), loud]), 0)]
    rows.append(row("val", "wakeword", "alpha", tone_clip("alpha", np.random.default_rng(0)), 0))
    tracks = plan_tracks({"val": table_of(rows)}, "val", [ALPHA], EVALUATION).tracks
    with pytest.raises(RunError, match=r"openWakeWord .* stopped on track val/speech: .*audio too loud"):
        peer_scores(peer(), tracks, Path(sys.executable), stand_in / "scores")


def test_val_chooses_the_threshold_and_test_is_reported() -> None:
    val, test = both = plans()
    quiet = DetectorScores("quiet", scored(val, 0.9, 0.6), scored(test, 0.9, 0.6))
    found = chosen_row(quiet, both, TIMING, "alpha", CONFIG)
    assert found.rule == CHOSEN
    assert 0.6 < found.threshold < 0.9
    assert found.result.alarms.false_alarms == 0
    assert [part.missed for part in found.result.conditions] == [0, 0]
    worse = DetectorScores("worse", scored(val, 0.9, 0.6), scored(test, 0.5, 0.95))
    found = chosen_row(worse, both, TIMING, "alpha", CONFIG)
    assert found.result.alarms.false_alarms == 1
    assert [part.missed for part in found.result.conditions] == [4, 4]
    assert found.missed["clean"].all()


def test_as_shipped_fires_once_at_the_first_score_of_a_plateau() -> None:
    _, test = plans()
    long = DetectorScores("long", [], scored(test, 0.8, 0.4, length=15, early=2))
    found = shipped_row(long, test, SHIPPED_TIMING, 0.5, "alpha", CONFIG)
    clean = found.result.condition("clean")
    assert (found.rule, found.threshold) == (SHIPPED, 0.5)
    assert clean is not None
    assert (clean.missed, clean.duplicates, found.result.alarms.false_alarms) == (0, 0, 0)
    assert clean.latency_p50_s == pytest.approx(-0.16, abs=0.041)


def test_microwakewords_average_must_pass_its_cut_off() -> None:
    micro = peer("pymicro_wakeword")
    assert micro.shipped_timing.window == 5
    assert micro.threshold > 0.9
    assert micro.threshold == pytest.approx(0.9)


def test_bars_hold_ours_against_the_best_peer_under_the_same_rule() -> None:
    val, test = both = plans()
    good = chosen_row(
        DetectorScores("good", scored(val, 0.9, 0.6), scored(test, 0.9, 0.6)), both, TIMING, "alpha", CONFIG
    )
    bad = chosen_row(
        DetectorScores("bad", scored(val, 0.9, 0.6), scored(test, 0.5, 0.95)), both, TIMING, "alpha", CONFIG
    )
    found = {bar.name: bar for bar in peers_accuracy.bars(bad, [good], 0.5, targets=True)}
    assert (found["ours, missed, clean"].value, found["ours, missed, clean"].target) == (100.0, 0.0)
    assert not found["ours, missed, clean"].ok
    assert not found["ours, false alarms"].ok
    assert found["good, threshold from val, missed, clean"].ok
    assert all(bar.ok for bar in peers_accuracy.bars(good, [bad], 0.5, targets=True))
    assert all(bar.ok for bar in peers_accuracy.bars(bad, [good], 0.5, targets=False))
    assert [bar.name.split(",")[0] for bar in peers_accuracy.bars(None, [good], 0.5, targets=True)] == ["good"] * 3
    table = rows_table([good, bad]).splitlines()
    assert len(table) == 4
    assert "0 % (0.0-49.0)" in table[2]
    assert "| good | 0 / 4 (0.12) |" in pairs_table(bad, [good], 0.95)


def test_an_environment_that_fits_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / "installed.txt").write_text(scoring.REQUIREMENTS.read_text())
    assert scoring.peers_python(tmp_path) == tmp_path / "bin" / "python"


def test_requirements_are_pinned() -> None:
    lines = scoring.REQUIREMENTS.read_text().splitlines()
    names = [line.partition("==")[0] for line in lines if not line.startswith("#")]
    assert all("==" in line for line in lines if not line.startswith("#"))
    assert {"openwakeword", "pymicro-wakeword", "pyopen-wakeword"} <= set(names)


def test_quick_takes_a_few_clips_of_many_speakers(recordings: Path, tmp_path: Path) -> None:
    config = peers_accuracy.recipe(tmp_path, quick=True)
    path = Path(config.data.sources[0].uri)
    with path.open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r["label"], r["split"]) == ("alexa", "test")]
    assert len(rows) == peers_accuracy.QUICK_CLIPS["wakeword"]
    assert len({r["speaker"] for r in rows}) >= 5
    assert [word.label for word in config.words] == ["alexa"]
    assert config.evaluation.operating_fah == 0.5
