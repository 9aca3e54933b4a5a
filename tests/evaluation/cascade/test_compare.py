"""Reports of a bundle with a verifier: the stages on their own and fused, with known answers, as the detector runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation import known
from tests.evaluation.bare import evaluate, evaluate_scores
from tests.evaluation.cascade.test_run import rows
from tests.verified_bundle import spoken_track, write_verified_bundle
from wakeword.config import Config, validate_config
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.evaluation.cascade.compare import fusion_of
from wakeword.evaluation.cascade.store import TRIGGERS_NAME, open_triggers
from wakeword.evaluation.metrics.threshold_curve import HitWindow, Truth, track_peaks
from wakeword.evaluation.report.cascade import cost
from wakeword.evaluation.report.figures import near_miss_figure
from wakeword.evaluation.report.wording import text_table
from wakeword.evaluation.results import EvaluationReport
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.tracks.plan import plan_tracks
from wakeword.export.bundle import set_operating_points
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector


def config(**evaluation) -> Config:
    words = [{"label": label} for label in ("alpha", "beta")]
    settings = {"snr_db": [], "near": False, "far": False, "codecs": [], "noise_kinds": [], **evaluation}
    return validate_config({"words": words, "evaluation": settings})


def with_near_misses(split: str) -> list[dict]:
    """Bare tones are near misses of alpha two phonemes away; one is the word itself."""
    found = rows(split)
    for number in range(4):
        said = [("alpha", 0.4)] if number == 0 else []
        audio = spoken_track(said, [] if said else [("alpha", 0.6)], 1.6, seed=20 + number)
        pcm = (np.clip(audio, -1, 1) * 32767).astype(np.int16)
        found.append(known.row(split, "confusable", "alfa", pcm, number, resembles="alpha", phoneme_distance=2))
    return found


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return write_verified_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "p"
    return known.prepared(folder, [row for split in ("val", "test") for row in with_near_misses(split)])


@pytest.fixture(scope="module")
def done(bundle, data, tmp_path_factory) -> tuple[EvaluationReport, Path]:
    out = tmp_path_factory.mktemp("out") / "evaluation"
    return evaluate(bundle, data, config(), out, page=True), out


def test_the_verifier_hears_what_the_detector_does_not(done) -> None:
    """Bare tones fire the detector at every threshold that words reach; the words alone have the whole path."""
    report, _ = done
    alpha = report.words[0]
    cascade = alpha.cascade
    assert [stage.name for stage in cascade.stages] == ["detector", "verifier", "fusion"]
    # Without a false alarm on test, and with all words, whatever the thresholds that little audio of val allows.
    missed = [stage.operating.oracle.frr["clean"] for stage in cascade.stages]
    assert missed[0] > 0
    assert missed[1:] == [0.0, 0.0]
    fired = [
        min(
            share
            for share, frr in zip(stage.near_miss_curve.fired_share, stage.near_miss_curve.frr, strict=True)
            if frr == 0
        )
        for stage in cascade.stages
    ]
    assert fired[0] > 0.25
    assert fired[1:] == [0.25, 0.25]
    # What is shipped is judged: the fusion.
    assert alpha.operating == cascade.stages[2].operating
    assert cascade.stages[0].operating in cascade.detector_targets
    assert alpha.clip_level.eer == 0.0


def test_the_stages_are_rows_of_the_terminal_and_of_the_page(done) -> None:
    report, out = done
    text = text_table(report)
    rows = [line.split() for line in text.splitlines() if line.startswith(("  detector alone", "  both, as shipped"))]
    assert len(rows) == 2 * len(report.words)
    header = next(line for line in text.splitlines() if line.startswith("  stage"))
    assert "fire 2 phonemes away" in header
    assert "FRR clean" in header
    assert "times per minute of speech" in text
    page = (out / "report.html").read_text()
    assert page.count("both, as shipped") == 2
    assert "The verifier (tones) hears the audio from 0.8 s before to 0.3 s after each peak" in page
    assert "Dots: the fused scores" in page
    waits_s = max(0.3, report.detector["nms_window_s"])
    assert f"is reported {waits_s:g} s after the peak" in page


def test_misses_against_near_misses_are_drawn_for_detector_and_both(done) -> None:
    report, _ = done
    alpha, beta = report.words
    figure = near_miss_figure(alpha)
    assert [line.name for line in figure.data if line.mode == "lines"] == ["both", "detector alone"]
    dots = [(line.x[0], line.y[0]) for line in figure.data if line.mode == "markers"]
    results = [stage.operating.test for stage in alpha.cascade.stages]
    expected = [(100 * test.near_misses.share, 100 * test.condition("clean").frr) for test in (results[2], results[0])]
    assert dots == expected
    assert near_miss_figure(beta) is None
    alone = near_miss_figure(alpha.model_copy(update={"cascade": None}))
    assert [line.showlegend for line in alone.data] == [False, False]


def test_what_costs_much_is_pointed_out(done) -> None:
    found = done[0].words[0].cascade.model_copy(update={"triggers_per_minute": 9.0, "cpu_ms": 20.0})
    assert "more than" not in cost(found)
    assert "(in 0.6" in cost(found)
    many = cost(found.model_copy(update={"triggers_per_minute": 11.0, "cpu_ms": 31.0}))
    assert "runs 11 times per minute" in many
    assert "more than 10;" in many
    assert "31 ms of CPU time each, more than 30" in many
    unknown = found.model_copy(update={"triggers_per_minute": None, "cpu_ms": None, "added_latency_s": 0.0})
    assert cost(unknown) == "There is no speech to count triggers on; events are no later than without it."


def test_cost_and_latency_are_told(done, bundle) -> None:
    report, _ = done
    cascade = report.words[0].cascade
    # Three clips of 5 s with two bare alphas, in val and in test.
    assert cascade.triggers_per_minute == pytest.approx(12 / cascade.speech_minutes, rel=0.3)
    assert 0.45 < cascade.speech_minutes < 0.7
    assert 0 < cascade.cpu_ms < 50
    manifest = load_bundle(bundle).manifest
    assert cascade.added_latency_s == pytest.approx(max(0.0, 0.3 - manifest.detector.nms_window_s))
    assert (cascade.before_s, cascade.after_s, cascade.trigger_threshold) == (0.8, 0.3, 0.1)


def test_the_same_tables_come_from_the_files_alone(done, tmp_path) -> None:
    report, out = done
    assert (out / TRIGGERS_NAME).is_file()
    again = evaluate_scores(out, out_dir=tmp_path / "again")
    assert again == report
    assert evaluate_scores(tmp_path / "again", out_dir=tmp_path / "third") == report
    wider = evaluate_scores(out, ["hit_before_s=0.0", "operating_fah=1"], tmp_path / "wider")
    assert wider.words[0].cascade.stages[2].operating.fah_target == 1.0
    with pytest.raises(DataError, match=r"did not measure all triggers .* run `wakeword evaluate` again"):
        evaluate_scores(out, ["smoothing_grid_s=[0.4]"], tmp_path / "slower")


def test_a_grid_of_smoothing_times_is_measured_in_advance(bundle, data, tmp_path) -> None:
    report = evaluate(bundle, data, config(smoothing_grid_s=[0.1, 0.4]), tmp_path / "out")
    assert "smoothing" in report.detector_reason
    assert evaluate_scores(tmp_path / "out", ["smoothing_grid_s=[0.4]"], tmp_path / "one").words[0].cascade


def test_the_detector_of_the_runtime_has_the_same_events(bundle, data, done, tmp_path) -> None:
    """On every track: words, times and fused scores are those of the stored triggers at the chosen thresholds."""
    report, out = done
    shutil.copytree(bundle, tmp_path / "b")
    loaded = set_operating_points(
        tmp_path / "b",
        report.operating_points,
        report.metrics,
        detector=report.detector,
        probability_maps=report.probability_maps,
        verifier_points=report.verifier_points,
        verifier_maps=report.verifier_maps,
    )
    part = loaded.manifest.verifier
    assert [word.threshold for word in part.words] == [word.operating.threshold for word in report.words]
    assert [word.threshold for word in loaded.manifest.words] == [
        next(t for t in word.cascade.detector_targets if t.fah_target == 0.5).threshold for word in report.words
    ]
    states = [[point.state for point in word.operating_points] for word in part.words]
    assert states == [[target.state for target in word.targets] for word in report.words]
    store = ScoreStore(out)
    shards = ShardSet.open(data)
    plan = plan_tracks({"test": shards.table("test")}, "test", config().words, config().evaluation, shards.root)

    triggers, compared = open_triggers(out), 0
    for low in (False, True):
        thresholds = [1e-9, 1e-9] if low else [word.operating.threshold for word in report.words]
        for track in plan.tracks:
            detector = Detector(loaded, threshold=thresholds)
            found = [event for block in track.blocks(1777) for event in detector.process(block)] + detector.flush()
            for label, threshold in zip(loaded.labels, thresholds, strict=True):
                if track.kind == "positives" and track.word != label and track.condition != "clean":
                    continue
                values = store.scores(track.name, label)
                peaks = track_peaks(values, Truth.of(), HitWindow(0.2, 1.0), loaded.timing)
                peaks = fusion_of(triggers, label)(track.name, peaks)
                events = peaks.events(threshold)
                own = [event for event in found if event.word == label]
                np.testing.assert_allclose([event.end_s for event in own], peaks.time_s[events], atol=1e-9)
                np.testing.assert_allclose([event.score for event in own], peaks.score[events], atol=1e-4)
                compared += len(own)
    assert compared >= 19


def test_a_bundle_without_a_verifier_has_no_cascade(data, tmp_path) -> None:
    plain = known.tone_bundle(tmp_path / "b")
    out = tmp_path / "out"
    out.mkdir()
    (out / TRIGGERS_NAME).write_bytes(b"of an earlier evaluation")
    report = evaluate(plain, data, config(), out)
    assert not (out / TRIGGERS_NAME).exists()
    assert all(word.cascade is None for word in report.words)
    assert (report.verifier_points, report.verifier_maps) == (None, None)
    json.dumps(report.metrics, allow_nan=False)
