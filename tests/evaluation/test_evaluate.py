"""The whole protocol on a detector and recordings whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.evaluation import known
from tests.evaluation.bare import evaluate
from wakeword.config import Config, validate_config
from wakeword.errors import BundleError, ConfigError, DataError, RunError
from wakeword.evaluation.metrics.threshold_curve import HitWindow, Truth, outcome, track_peaks
from wakeword.evaluation.report.wording import text_table
from wakeword.evaluation.results import EvaluationReport
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.tracks.plan import plan_tracks
from wakeword.export.bundle import set_operating_points
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection, EventDetector, EventTiming, find_events


def config(**evaluation) -> Config:
    words = [{"label": label} for label in known.TONES_HZ]
    return validate_config({"words": words, "evaluation": {"snr_db": [0.0], "far": False, **evaluation}})


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return known.tone_bundle(tmp_path_factory.mktemp("bundle") / "tones")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    rows = [row for split in ("train", "val", "test") for row in known.tone_rows(split)]
    # Three seconds of pure tone in test only: a false alarm that val cannot foresee.
    tone = (0.2 * np.sin(2 * np.pi * 3000 * np.arange(3 * known.RATE) / known.RATE) * 32767).astype(np.int16)
    rows.append(known.row("test", "speech", "speech", tone, 99))
    rng = np.random.default_rng(5)
    rows += [known.row("test", "confusable", "alfa", known.tone_clip("alpha", rng), n) for n in range(2)]
    rows += [known.row("test", "confusable", "arfa", known.coloured(1.0, rng), n) for n in range(2)]
    return known.prepared(tmp_path_factory.mktemp("prepared") / "tones", rows)


@pytest.fixture(scope="module")
def done(bundle, data, tmp_path_factory) -> tuple[EvaluationReport, Path]:
    out = tmp_path_factory.mktemp("evaluation") / "out"
    report = evaluate(bundle, data, config(), out, command="wakeword evaluate B P")
    return report, out


def test_a_good_detector_misses_nothing_and_its_one_false_alarm_is_counted(done) -> None:
    report, out = done
    alpha, beta = report.words
    clean = alpha.operating.test.condition("clean")
    assert (clean.words, clean.missed, clean.frr) == (8, 0, 0.0)
    assert -0.2 <= clean.latency_p50_s <= 0.1
    assert 0.05 < alpha.operating.threshold < 0.95
    assert alpha.operating.test.alarms.false_alarms == 0
    # All audio of the negative and the clean tracks counts, except the words and their windows.
    lengths = {track.name: track.duration_s for track in ScoreStore(out).tracks}
    counted = sum(lengths[f"test/{name}"] for name in ("speech", "noise", "alpha/clean", "beta/clean"))
    assert alpha.operating.test.alarms.hours * 3600 == pytest.approx(counted - 8 * (0.5 + 1.0))
    assert not alpha.ready
    assert "too few to estimate 0.5 false alarms per hour: 1.0 h are needed" in alpha.reason
    assert beta.operating.test.alarms.false_alarms == beta.operating.test.by_kind["speech"].false_alarms == 1
    assert not beta.ready
    assert "false alarms per hour on test, the limit is 0.5" in beta.reason
    assert alpha.clip_level.eer == 0.0
    assert alpha.operating.test.near_misses.clips == 4
    assert alpha.operating.test.near_misses.fired == 2


def test_the_words_of_the_other_detector_are_negatives(done) -> None:
    report, _ = done
    kinds = report.words[0].operating.test.by_kind
    assert set(kinds) == {"around the words", "other wake words", "speech", "noise"}
    assert sum(rate.hours for rate in kinds.values()) == pytest.approx(report.words[0].operating.test.alarms.hours)


def test_files_hold_scores_truth_and_hashes(done, data) -> None:
    report, out = done
    table = pq.read_table(out / "scores.parquet")
    assert table.column_names == ["track", "time_s", "word", "score"]
    assert str(table.schema.field("score").type) == "float"
    frame = table.to_pandas()
    one = frame[(frame.track == "test/alpha/clean") & (frame.word == "alpha")]
    assert one.time_s.iloc[0] == pytest.approx(0.02)
    assert one.time_s.iloc[-1] == pytest.approx(0.02 * len(one), abs=1e-3)
    assert one.score.max() > 0.9
    store = ScoreStore(out)
    assert store.about["provenance"]["model_sha256"] == report.provenance["model_sha256"]
    assert next(track for track in store.tracks if track.name == "test/alpha/clean").condition == "clean"
    truth = pq.read_table(out / "truth.parquet").to_pandas()
    assert len(truth[(truth.track == "test/alpha/clean") & (truth.role == "word")]) == 8
    assert EvaluationReport.load(out / "report.json") == report


def test_figures_follow_from_the_stored_scores_alone(done) -> None:
    report, out = done
    frame, truth = (pq.read_table(out / f"{name}.parquet").to_pandas() for name in ("scores", "truth"))
    scores = frame[(frame.track == "test/alpha/0 dB") & (frame.word == "alpha")].score.to_numpy()
    words = truth[(truth.track == "test/alpha/0 dB") & (truth.role == "word")]
    timing = EventTiming.from_seconds(0.02, **report.detector)
    spans = list(zip(words.start_s, words.end_s, strict=True))
    for target in report.words[0].targets:
        found = outcome(track_peaks(scores, Truth.of(spans), HitWindow(0.2, 1.0), timing), target.threshold)
        assert int((~found.hit).sum()) == target.test.condition("0 dB").missed


def test_scores_in_batches_are_those_of_the_detector_alone(bundle, data) -> None:
    loaded = load_bundle(bundle)
    from wakeword.data.shards import ShardSet

    shards = ShardSet.open(data)
    evaluation = config().evaluation
    plan = plan_tracks({"test": shards.table("test")}, "test", config().words, evaluation)
    together = score_tracks(loaded, plan.tracks)
    for track, scores in zip(plan.tracks, together, strict=True):
        detector = Detector(loaded)
        parts = [detector.process_scores(block) for block in track.blocks(1280)] + [detector.flush_scores()]
        np.testing.assert_allclose(scores, np.concatenate([score[0] for score, _ in parts]), atol=1e-6)
        # A track ends as a stream does: the same scores of the same silence, and so the same events.
        assert len(scores) == -(-track.samples // known.STEP) + loaded.tail_steps
        settings = loaded.manifest.detector
        timing = EventTiming.from_seconds(loaded.step_s, *settings.model_dump().values())
        events = find_events(scores, loaded.labels, timing, loaded.thresholds)
        assert [(e.word, e.end_s) for e in events] == [(e.word, e.end_s) for _, found in parts for e in found]


def test_points_and_metrics_are_ready_for_the_bundle(done) -> None:
    report, _ = done
    points = report.operating_points
    assert set(points) == {"alpha", "beta"}
    assert [point["fah_target"] for point in points["alpha"]] == [0.05, 0.1, 0.5, 1.0]
    chosen = next(point for point in points["beta"] if point["fah_target"] == 0.5)
    assert chosen["ready"] is False
    assert chosen["test_false_alarms"] == 1
    json.dumps([points, report.metrics], allow_nan=False)


def test_the_probability_map_of_val_is_measured_on_test_and_goes_into_the_bundle(tmp_path) -> None:
    """From scores to `Detection.probability`: evaluate, write into the bundle, detect."""
    rows = [row for split in ("val", "test") for row in known.tone_rows(split, 24, 20, ("alpha",))]
    settings = {"snr_db": [10.0], "near": False, "far": False, "codecs": [], "noise_kinds": []}
    only_alpha = validate_config({"words": [{"label": "alpha"}], "evaluation": settings})
    folder = known.tone_bundle(tmp_path / "b", ("alpha",))
    report = evaluate(folder, known.prepared(tmp_path / "p", rows), only_alpha, tmp_path / "out")
    found = report.words[0].calibration
    assert found.probability_map is not None, found.reason
    # Words of two conditions; clips of speech and noise.
    assert (found.test_before.positives, found.test_before.clips) == (48, 48 + 20 + 3)
    assert found.test_after.ece < 0.05
    assert report.metrics["words"]["alpha"]["calibration"]["test_ece_after"] == found.test_after.ece
    loaded = set_operating_points(
        folder, report.operating_points, report.metrics, probability_maps=report.probability_maps
    )
    assert loaded.manifest.words[0].probability_map == found.probability_map
    audio = known.tone_clip("alpha", np.random.default_rng(0))
    detector = Detector(loaded)
    (event,) = detector.process(audio) + detector.flush()
    assert event.probability == pytest.approx(found.probability_map.probability(event.score))
    assert event.probability > 0.9
    assert text_table(report).count("probability = sigmoid(") == 1


def test_the_table_says_it_in_words(done) -> None:
    text = text_table(done[0])
    assert "“alpha” misses none of 8 clean test words" in text
    assert "1 false alarm in 0.03 h" in text
    assert "too few to estimate" in text


def run(bundle, data, out, **evaluation) -> EvaluationReport:
    return evaluate(bundle, data, config(**evaluation), out)


def test_the_limits_decide_whether_a_word_is_ready(bundle, data, tmp_path) -> None:
    report = run(bundle, data, tmp_path, operating_fah=60.0, fah_targets=[2.0, 60.0])
    assert [target.fah_target for target in report.words[0].targets] == [2.0, 60.0]
    # One false alarm in 0.02 h is within 60 an hour, and does not prove it.
    assert report.words[1].state == "promising"
    assert "h more without another false alarm would prove 60 per hour" in report.words[1].reason
    assert run(bundle, data, tmp_path, operating_fah=1000.0).words[1].state == "proven"
    strict = run(bundle, data, tmp_path, operating_fah=60.0, operating_frr=0.001, hit_before_s=0.01)
    assert not strict.words[0].ready
    assert "clean words missed" in strict.words[0].reason


def test_the_window_decides_what_hits(bundle, data, tmp_path, done) -> None:
    wide = done[0].words[0].operating.test.condition("clean")
    narrow = run(bundle, data, tmp_path / "narrow", hit_before_s=0.01).words[0].operating.test.condition("clean")
    assert wide.missed == 0
    assert narrow.missed > 4  # the tone fires about 0.05 s before its end
    rows = [row for split in ("val", "test") for row in known.tone_rows(split, labels=("alpha",))]
    for row in rows:
        row["word_end_s"] = row["word_end_s"] and row["word_end_s"] - 0.3
    late = known.prepared(tmp_path / "late", rows)
    missed = {}
    for after_s in (0.1, 0.5):
        report = run(bundle, late, tmp_path / "out", hit_after_s=after_s)  # the second finds its scores again
        missed[after_s] = report.words[0].operating.test.condition("clean").missed
    assert missed == {0.1: 8, 0.5: 0}


def test_without_a_page_the_numbers_stay_and_an_older_page_goes(bundle, data, tmp_path, done) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "report.html").write_text("older")
    assert run(bundle, data, tmp_path) == done[0].model_copy(update={"command": ""})
    assert not (tmp_path / "plots").exists()
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "report.json").is_file()


def test_confidence_widens_intervals(bundle, data, tmp_path, done) -> None:
    loose = run(bundle, data, tmp_path, confidence=0.8).words[0].operating.test
    tight = done[0].words[0].operating.test
    assert loose.alarms.high < tight.alarms.high
    assert loose.condition("clean").wilson[1] < tight.condition("clean").wilson[1]


def test_what_is_missing_is_said_in_words(bundle, tmp_path) -> None:
    rows = [row for row in known.tone_rows("test", 3, 0, ("alpha",)) if row["kind"] == "wakeword"]
    report = run(bundle, known.prepared(tmp_path / "p", rows), tmp_path / "out")
    alpha, beta = report.words
    assert any("no val split" in note for note in report.notes)
    assert any("no other speech" in note for note in report.notes)
    assert not alpha.operating.reached
    assert "the threshold 0.5 of the bundle is kept" in alpha.reason
    assert beta.operating.test.conditions == ()
    assert "no test clips with known word times" in text_table(report)
    assert "no words" in text_table(report)
    with pytest.raises(DataError, match="no val or test clips"):
        run(bundle, known.prepared(tmp_path / "train", known.tone_rows("train")), tmp_path / "out2")
    assert not (tmp_path / "out2" / "report.json").exists()


def test_without_positives_false_alarms_are_counted_and_no_miss_rate_is_given(bundle, tmp_path) -> None:
    rows = [row for split in ("val", "test") for row in known.tone_rows(split, 0, 3)]
    report = run(bundle, known.prepared(tmp_path / "p", rows), tmp_path / "out")
    for word in report.words:
        assert word.operating.test.alarms.hours > 0
        assert (word.operating.test.conditions, word.clip_level, word.frr_area, word.det) == ((), None, None, {})
        assert not word.ready
        # Minutes of val with such peaks hold no target, which is said before the missing words are.
        assert not word.operating.reached
        assert word.reason == f"not ready: {word.operating.reason}"
    assert "has no miss rate" in text_table(report)


def test_without_negatives_no_rate_is_given(bundle, tmp_path) -> None:
    rng = np.random.default_rng(2)
    rows = [known.row(split, "confusable", "alfa", known.coloured(2.0, rng), 0) for split in ("val", "test")]
    report = run(bundle, known.prepared(tmp_path / "p", rows), tmp_path / "out")
    for word in report.words:
        assert word.operating.test is None, "near misses alone are no test of false alarms"
        assert not word.ready
        assert word.reason.startswith("not ready: val has no negative audio: the threshold")
    assert "not ready: val has no negative audio" in text_table(report)


@pytest.mark.ray
def test_four_workers_of_ray_evaluate_event_for_event_as_this_process(bundle, data, done, tmp_path, monkeypatch):
    from wakeword.stages import ray_data as ray_stage

    taken: list[int | None] = []
    actors = ray_stage._actors
    monkeypatch.setattr(ray_stage, "_actors", lambda *about: taken.append(about[-1]) or actors(*about))
    alone, here = done
    compute = {"workers": 1, "cpus_per_worker": 4, "data_cpus": 4}
    spread = evaluate(
        bundle, data, validate_config({**config().model_dump(), "compute": compute}), tmp_path, runner="ray"
    )
    assert taken == [4]
    assert spread == alone
    for name in ("scores", "truth", "outcomes"):
        assert pq.read_table(tmp_path / f"{name}.parquet").equals(pq.read_table(here / f"{name}.parquet"))
    events = [detections(folder, alone) for folder in (tmp_path, here)]
    assert events[0] == events[1]
    assert len(events[0]) > 16, "every word of both splits in the clean track, at least"


def detections(folder: Path, report: EvaluationReport) -> list[tuple[str, Detection]]:
    """Events of the streaming detector on all stored scores, at the thresholds of the report."""
    limits = {word.label: word.operating.threshold for word in report.words}
    found = []
    frame = pq.read_table(folder / "scores.parquet").to_pandas()
    for (track, word), part in frame.groupby(["track", "word"]):
        detector = EventDetector([word], 0.02, **report.detector, thresholds=limits[word])
        events = detector.push(part.score.to_numpy()[None, :, None]) + detector.flush()
        found += [(track, event) for event in events]
    return found


def test_weave_is_opened_before_anything_is_evaluated(tmp_path, monkeypatch) -> None:
    """`tests/system/test_tracing.py` shows what reaches its server."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WEAVE_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    settings = config().model_dump() | {"tracking": {"weave_project": "nova"}}
    with pytest.raises(RunError, match="weave_project = nova: no key"):
        evaluate(tmp_path / "none", tmp_path, validate_config(settings), tmp_path)
    with pytest.raises(BundleError):
        evaluate(tmp_path / "none", tmp_path, config(), tmp_path)


def test_bad_input_is_one_sentence(bundle, data, tmp_path) -> None:
    with pytest.raises(BundleError):
        run(tmp_path / "absent", data, tmp_path / "out")
    with pytest.raises(DataError, match="wakeword evaluate"):
        EvaluationReport.load(tmp_path / "report.json")
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(DataError, match="damaged or from another version"):
        EvaluationReport.load(tmp_path / "report.json")
    for fault in ({"fah_targets": []}, {"fah_targets": [0.0]}):
        with pytest.raises(ConfigError, match="fah_targets"):
            config(**fault)


def test_events_of_the_tracks_are_those_of_the_streaming_detector(bundle, data) -> None:
    """The sweep on real tracks at the chosen threshold, against the detector fed in chunks."""
    from wakeword.data.shards import ShardSet

    loaded, evaluation = load_bundle(bundle), config().evaluation
    plan = plan_tracks({"test": ShardSet.open(data).table("test")}, "test", config().words, evaluation)
    timing = EventTiming.from_seconds(0.02, 0.06, 0.1, 1.0)
    for scores in score_tracks(loaded, plan.tracks):
        peaks = track_peaks(scores[:, 0], Truth.of(), HitWindow(0.2, 1.0), timing)
        detector = EventDetector(["alpha"], 0.02, 0.06, 0.1, 1.0, thresholds=0.3)
        events = [e for start in range(0, len(scores), 7) for e in detector.push(scores[None, start : start + 7, :1])]
        events += detector.flush()
        np.testing.assert_allclose([event.end_s for event in events], peaks.time_s[peaks.events(0.3)])
