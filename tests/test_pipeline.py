"""The whole pipeline on a tiny corpus, really run: stages that are skipped, run again or refused."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny import tiny_tree, write_corpus
from wakeword.config import Config, load_config, validate_config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, MissingExtraError, RunError
from wakeword.pipeline import STAGES, PipelineResult, prepared_folder, run_folder, run_pipeline
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector
from wakeword.system.locks import lock_folder

TRAINING = ("prepare", "targets", "train")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> PipelineResult:
    """One complete run; tests that change it work on a copy."""
    return run_pipeline(_config(corpus, tmp_path_factory.mktemp("runs")), runner="local")


@pytest.fixture
def again(finished: PipelineResult, tmp_path: Path, corpus: Path) -> Any:
    """Call the pipeline again on a copy of the finished run, with changes."""
    shutil.copytree(finished.run_dir.parent, tmp_path / "runs")

    def call(stages: tuple[str, ...] | None = None, **changes: Any) -> PipelineResult:
        return run_pipeline(_config(corpus, tmp_path / "runs", **changes), stages, runner="local")

    return call


def _config(corpus: Path, runs_dir: Path, **changes: Any) -> Config:
    return validate_config(tiny_tree(corpus, runs_dir, **changes))


def _states(result: PipelineResult) -> dict[str, str]:
    return {stage.name: stage.state for stage in result.stages}


def _score_times(result: PipelineResult) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (result.run_dir / "score-cache").glob("*.npy")}


def test_a_model_that_cannot_be_built_ends_before_the_preparation(corpus: Path, tmp_path: Path) -> None:
    for change, message in (({"model__family": "bcresnet"}, "did you mean"), ({"model__heads": 2}, "has one head")):
        with pytest.raises(ConfigError, match=message):
            run_pipeline(_config(corpus, tmp_path, **change), runner="local")
    assert not list(tmp_path.glob("prepared-*"))


def test_an_absent_recogniser_ends_before_the_preparation(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hama", None)
    with pytest.raises(MissingExtraError, match="phonetics"):
        run_pipeline(_config(corpus, tmp_path, export__verifier="phonetic"), runner="local")
    assert not list(tmp_path.glob("prepared-*"))


def test_a_run_leaves_everything(finished: PipelineResult) -> None:
    assert _states(finished) == {s: "off" if s == "targets" else "done" for s in STAGES}
    run_dir = finished.run_dir
    assert run_dir.name == "tiny"
    for name in ("config.yaml", "metrics.jsonl", "resources.jsonl", "run.json", "checkpoints", "bundle", "evaluation"):
        assert (run_dir / name).exists(), name
    assert load_config(run_dir / "config.yaml").training.epochs == 2
    word = load_bundle(finished.bundle_dir).manifest.words[0]
    assert word.operating_points, "evaluation writes the operating points into the bundle"
    record = json.loads((run_dir / "run.json").read_text())
    assert {name: stage["state"] for name, stage in record["stages"].items()} == {
        name: "complete" for name in STAGES if name != "targets"
    }
    assert all(stage["peak_memory_gib"] > 0.01 for stage in record["stages"].values())
    lines = [json.loads(line) for line in (run_dir / "resources.jsonl").read_text().splitlines()]
    assert {"prepare", "train", "export", "evaluate"} <= {line["stage"] for line in lines}
    assert finished.peak_gib == pytest.approx(max(line["memory_gib"] for line in lines), abs=1e-3)
    # Samples at stage borders aside, 0.2 s lie between two lines.
    assert len(lines) >= lines[-1]["elapsed_s"] / 0.2 / 8


def test_a_word_cut_at_its_end_is_detected_as_with_silence_after_it(finished: PipelineResult) -> None:
    """The trained detector on every test word: two seconds of silence after the cut change no event."""
    bundle = load_bundle(finished.bundle_dir)
    clips = ShardSet.open(finished.prepared_dir).table("test").select(["kind", "word_end_s", "audio"]).to_pylist()
    words = [clip for clip in clips if clip["kind"] == "wakeword"]
    detected = 0
    for clip in words:
        cut = np.frombuffer(clip["audio"], "<i2")[: round(clip["word_end_s"] * 16_000)]
        both = []
        for audio in (cut, np.concatenate([cut, np.zeros(32_000, np.int16)])):
            # Low enough for a detector trained for two epochs.
            detector = Detector(bundle, threshold=0.1)
            both.append([(e.word, e.end_s) for e in detector.process(audio) + detector.flush()])
        assert both[0] == both[1]
        detected += bool(both[0])
    assert detected > len(words) / 2


def test_a_complete_run_is_not_done_again(again: Any, finished: PipelineResult) -> None:
    result = again()
    assert _states(result) == {s: "off" if s == "targets" else "up to date" for s in STAGES}
    assert result.report is not None
    assert result.report.words[0].label == "chime"


def test_a_changed_evaluation_redoes_evaluation_alone(again: Any, finished: PipelineResult) -> None:
    before = _score_times(finished)
    result = again(evaluation__snr_db=[5.0])
    after = _score_times(result)
    assert {name: after[name] for name in before} == before, "nothing that was scored is scored again"
    assert len(after) > len(before)
    assert [s for s, state in _states(result).items() if state == "done"] == ["evaluate"]
    assert "5" in json.dumps(json.loads((result.evaluation_dir / "report.json").read_text())["words"][0]["det"])


def test_a_changed_model_moves_the_old_run_aside(again: Any) -> None:
    result = again(TRAINING, model__width=0.75)
    assert _states(result) == {"prepare": "up to date", "targets": "off", "train": "done"}
    old = result.run_dir / "superseded" / "001"
    assert load_config(old / "config.yaml").model.width == 0.5
    assert load_config(result.run_dir / "config.yaml").model.width == 0.75
    assert (old / "bundle" / "wake.json").is_file()
    assert len((result.run_dir / "metrics.jsonl").read_text().splitlines()) == 2


def test_more_epochs_continue(again: Any) -> None:
    result = again(TRAINING, training__epochs=3)
    assert _states(result)["train"] == "done"
    assert not (result.run_dir / "superseded").exists()
    epochs = [json.loads(line)["epoch"] for line in (result.run_dir / "metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3]


@pytest.mark.slow
def test_an_interrupted_or_removed_stage_and_all_later_ones_run_again(again: Any) -> None:
    result = again()
    path = result.run_dir / "run.json"
    record = json.loads(path.read_text())
    record["stages"]["evaluate"]["state"] = "running"
    path.write_text(json.dumps(record))
    assert [s for s, state in _states(again()).items() if state == "done"] == ["evaluate"]
    shutil.rmtree(result.bundle_dir)
    assert [s for s, state in _states(again()).items() if state == "done"] == ["export", "evaluate"]


def test_runs_with_the_same_data_share_them(again: Any) -> None:
    result = again(name="second", stages=("prepare",))
    assert _states(result) == {"prepare": "up to date"}
    assert not (result.run_dir / "config.yaml").exists()


def test_the_words_decide_the_prepared_folder(corpus: Path, tmp_path: Path) -> None:
    plain = prepared_folder(_config(corpus, tmp_path))
    assert prepared_folder(_config(corpus, tmp_path, words=[{"label": "gong"}])) != plain
    assert prepared_folder(_config(corpus, tmp_path, words=[{"label": "chime", "phrase": "a chime"}])) != plain
    assert prepared_folder(_config(corpus, tmp_path, training__epochs=9)) == plain


@pytest.mark.parametrize("stage", ["export", "evaluate"])
def test_a_stage_without_its_input_names_the_command_to_run(corpus: Path, tmp_path: Path, stage: str) -> None:
    config = _config(corpus, tmp_path)
    with pytest.raises(RunError, match=r"not prepared.*wakeword prepare"):
        run_pipeline(config, (stage,), runner="local")
    run_pipeline(config, ("prepare",), runner="local")
    with pytest.raises(RunError, match=r"train is not complete for this config.*wakeword train"):
        run_pipeline(config, (stage,), runner="local")


def test_a_changed_config_does_not_evaluate_old_weights(again: Any) -> None:
    with pytest.raises(RunError, match="train is not complete for this config"):
        again(("evaluate",), model__width=0.75)


def test_unknown_stages_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\['trian'\]: choose from prepare"):
        run_pipeline(_config(corpus, tmp_path), ("trian",))


def test_a_second_process_is_refused(again: Any) -> None:
    run_dir = again().run_dir
    with lock_folder(run_dir, ".pipeline.lock"), pytest.raises(RunError, match="works on"):
        again()


def test_a_failed_stage_is_recorded_with_its_reason(again: Any) -> None:
    result = again()
    shutil.rmtree(result.bundle_dir)
    (result.run_dir / "checkpoints" / "epoch-0002" / "ema.safetensors").unlink()
    (result.run_dir / "checkpoints" / "epoch-0001" / "ema.safetensors").unlink()
    with pytest.raises(RunError):
        again()
    entry = json.loads((result.run_dir / "run.json").read_text())["stages"]["export"]
    assert entry["state"] == "failed"
    assert "checkpoint" in entry["reason"]


def test_a_job_needs_an_absolute_runs_folder(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_0"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=r"submitted job.*absolute path"):
        run_folder(_config(corpus, Path("runs")))
    assert run_folder(_config(corpus, tmp_path / "runs")) == tmp_path / "runs" / "tiny"
