"""From a finished run to a bundle, and what evaluation writes into it afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.bundles import write_tone_bundle
from tests.export.conftest import small_config, untrained
from tests.models.test_speech_embedding import config_of as embedding_config
from wakeword.config import save_config
from wakeword.errors import BundleError, DataError, RunError
from wakeword.export.bundle import export_bundle, pack, set_operating_points
from wakeword.export.manifest import build_manifest
from wakeword.export.training_data import about_teacher, parity_clips, summarise_training_data
from wakeword.runtime import Detector, load_bundle
from wakeword.runtime.manifest import ProbabilityMap
from wakeword.training.checkpoint import RunState, save_checkpoint

POINTS = {
    "alpha": [
        {"fah_target": 0.5, "threshold": 0.61, "ready": True, "test_frr": {"clean": 0.02}},
        {"fah_target": 0.1, "threshold": 0.83, "ready": False},
    ],
    "beta": [{"fah_target": 0.5, "threshold": 0.7, "ready": False}],
}
METRICS = {"confidence": 0.95, "words": {word: {"operating_point": {"fah_target": 0.5}} for word in POINTS}}


def finished_run(folder: Path, **sections: dict) -> Path:
    """A run with one checkpoint of random weights, as training writes it."""
    config = small_config(**sections)
    model = untrained(config)
    state = RunState(epoch=1, step=1, best={"epoch": 1, "val_frr": 0.5, "val_loss": 1.0})
    save_checkpoint(folder, state, model, model, torch.optim.AdamW(model.parameters()), keep=1)
    save_config(config, folder / "config.yaml")
    return folder


def prepared(folder: Path) -> Path:
    """Two splits of shards with an index, by the writers of data preparation."""
    from wakeword.data.manifest import clip_row
    from wakeword.data.shards import INDEX_VERSION, write_shard
    from wakeword.system.files import sha256_of, write_json

    def row(number: int, split: str, kind: str) -> dict:
        values = clip_row()
        audio = (1000 * np.sin(np.arange(24_000) * (0.05 + 0.01 * number))).astype("<i2").tobytes()
        return values | {
            "clip_id": f"{split}{number}", "kind": kind, "label": "hey_nova" if kind == "wakeword" else "",
            "speaker": f"s{number % 3}", "split": split, "licence": "CC0" if number % 2 else "CC-BY-4.0",
            "source": "made", "duration_s": 1.5, "word_start_s": None, "word_end_s": None,
            "synthetic": number == 0, "peak_level_dbfs": -20.0, "phoneme_distance": None, "audio": audio,
        }  # fmt: skip

    index: dict = {"version": INDEX_VERSION, "config_hash": "abc", "labels": ["hey_nova"], "splits": {}}
    for split in ("train", "val"):
        path = folder / "shards" / f"{split}-0000.arrow"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row(number, split, "wakeword" if number < 4 else "speech") for number in range(6)]
        write_shard(path, rows)
        entry = {"file": str(path.relative_to(folder)), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        index["splits"][split] = {"shards": [entry]}
    write_json(folder / "index.json", index)
    return folder


def test_export_of_a_run_with_its_data(tmp_path: Path) -> None:
    """With the default family of students."""
    taught = {"model": {"width": 0.5}, "distillation": {"teacher": "hama"}}
    run, data = finished_run(tmp_path / "run", **taught), prepared(tmp_path / "data")
    folder = export_bundle(run, prepared_dir=data)
    assert folder == run / "bundle"
    bundle = load_bundle(folder)
    assert bundle.labels == ["hey_nova", "stop"]
    assert not any(word.ready for word in bundle.manifest.words)
    assert bundle.manifest.training_data["licences"] == {"CC-BY-4.0": 3, "CC0": 3}
    card = (folder / "MODEL_CARD.md").read_text()
    for expected in ("hey nova", "stop it", "CC-BY-4.0", "Intended use", "detect_file", "Not evaluated"):
        assert expected in card
    assert "hama 1.7.0: Apache-2.0 by its package metadata" in card
    assert "its training data is not published" in card
    assert np.isfinite(Detector(bundle).scores(np.zeros(3200, np.float32))).all()
    assert not [path for path in run.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("speech_embedding", "Lin et al. 2020"),
        ("transformers:facebook/hubert-base-ls960", "facebook/hubert-base-ls960: its licence and training data are"),
        ("ensemble:runs/a=2,runs/b", "ensemble:runs/a=2,runs/b: detectors of wakeword"),
        ("runs/a", "runs/a: detectors of wakeword"),
    ],
)
def test_a_card_names_the_teacher(spec: str, said: str) -> None:
    assert said in about_teacher(spec)


def test_a_failed_export_leaves_the_old_bundle(
    tmp_path: Path, small_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parity is broken by a tolerance that no float32 graph keeps. The graph is the same model's, traced before."""
    monkeypatch.setattr("wakeword.export.onnx.export_onnx", lambda *_: (small_bundle / "model.onnx").read_bytes())
    run = tmp_path / "run"
    with pytest.raises(RunError, match="holds no trained model"):
        export_bundle(run)
    finished_run(run)
    write_tone_bundle(run / "bundle")
    before = sorted((path.name, path.read_bytes()) for path in (run / "bundle").iterdir())
    save_config(small_config(export={"parity_tolerance": 1e-12}), run / "config.yaml")
    with pytest.raises(RunError, match="no bundle was written"):
        export_bundle(run)
    assert sorted((path.name, path.read_bytes()) for path in (run / "bundle").iterdir()) == before
    assert not [path for path in run.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_the_speech_embedding_ships_and_its_card_names_whose_weights_it_holds(tmp_path: Path) -> None:
    """Parity of the trained model, the graph and its streaming is checked by the export itself."""
    sections = {key: value for key, value in embedding_config().items() if key != "words"}
    folder = export_bundle(finished_run(tmp_path / "run", **sections))
    bundle = load_bundle(folder)
    assert bundle.manifest.step_samples == 1280
    assert "speech_embedding" in bundle.manifest.training_data["pretrained_weights"]
    assert "Apache-2.0" in (folder / "MODEL_CARD.md").read_text()


def test_training_data_and_parity_clips(tmp_path: Path) -> None:
    data = prepared(tmp_path / "data")
    summary = summarise_training_data(data)
    assert summary["clips_by_kind"] == {"speech": 2, "wakeword": 4}
    assert summary["clips_by_word"] == {"hey_nova": 4}
    assert (summary["speakers"], summary["synthetic_clips"], summary["config_hash"]) == (3, 1, "abc")
    assert summary["hours_by_kind"]["wakeword"] == pytest.approx(4 * 1.5 / 3600, abs=1e-4)
    assert [len(clip) for clip in parity_clips(data)] == [4 * 24_000, 2 * 24_000]
    assert [len(clip) for clip in parity_clips(data, limit_s=2.0)] == [24_000, 24_000]
    with pytest.raises(DataError):
        summarise_training_data(tmp_path)


@pytest.mark.parametrize(("wanted_ms", "written_ms"), [(80.0, 80.0), (50.0, 40.0), (1.0, 20.0), (210.0, 200.0)])
def test_chunks_are_whole_steps(wanted_ms: float, written_ms: float) -> None:
    manifest = build_manifest(small_config(export={"chunk_ms": wanted_ms}), 320, 10, 3200, {})
    assert manifest["chunk_ms"] == pytest.approx(written_ms)


def test_detector_settings_travel(tmp_path: Path) -> None:
    config = small_config(detector={"smoothing_s": 0.1, "nms_window_s": 0.2, "refractory_s": 2.0})
    manifest = build_manifest(config, 320, 10, 3200, {})
    assert manifest["detector"] == {"smoothing_s": 0.1, "nms_window_s": 0.2, "refractory_s": 2.0}


def test_operating_points(tmp_path: Path) -> None:
    folder = write_tone_bundle(tmp_path / "bundle")
    model = (folder / "model.onnx").read_bytes()
    bundle = set_operating_points(folder, POINTS, METRICS)
    assert bundle.thresholds == [0.61, 0.7]
    assert [word.ready for word in bundle.manifest.words] == [True, False]
    assert bundle.thresholds_for(fah_target=0.5) == [0.61, 0.7]
    assert bundle.model == model
    card = (folder / "MODEL_CARD.md").read_text()
    assert "0.6100 (chosen by evaluation, **ready**)" in card
    assert "0.7000 (chosen by evaluation, **not ready**)" in card
    assert "0.02" in card
    again = set_operating_points(folder, {"alpha": POINTS["alpha"]}, METRICS, default_fah=0.1)
    assert again.thresholds == [0.83, 0.7]
    assert not again.manifest.words[0].ready
    assert again.manifest.detector.smoothing_s == 0.06
    times = {"smoothing_s": 0.2, "nms_window_s": 0.1, "refractory_s": 2.0}
    changed = set_operating_points(folder, POINTS, METRICS, detector=times)
    assert changed.manifest.detector.model_dump() == times


def test_probability_maps(tmp_path: Path) -> None:
    folder = write_tone_bundle(tmp_path / "bundle")
    fitted = {"slope": 1.5, "offset": -0.25, "prior": 0.4}
    bundle = set_operating_points(folder, POINTS, METRICS, probability_maps={"alpha": fitted, "beta": None})
    assert [word.probability_map for word in bundle.manifest.words] == [ProbabilityMap(**fitted), None]
    card = (folder / "MODEL_CARD.md").read_text()
    assert "sigmoid(1.5 × logit(score) -0.25), where 40 % of the clips hold the word" in card
    assert card.count("sigmoid(") == 1
    kept = set_operating_points(folder, {}, METRICS)
    assert kept.manifest.words == bundle.manifest.words, "without maps to write, the bundle's stay"
    taken = set_operating_points(folder, {}, METRICS, probability_maps={})
    assert [word.probability_map for word in taken.manifest.words] == [None, None]
    with pytest.raises(BundleError, match="no word gamma"):
        set_operating_points(folder, {}, METRICS, probability_maps={"gamma": fitted})


def test_operating_points_that_do_not_fit(tmp_path: Path) -> None:
    folder = write_tone_bundle(tmp_path / "bundle")
    before = (folder / "wake.json").read_bytes()
    with pytest.raises(BundleError, match="no word gamma"):
        set_operating_points(folder, {"gamma": []}, {})
    with pytest.raises(BundleError, match="threshold"):
        set_operating_points(folder, {"alpha": [{"fah_target": 0.5, "threshold": 7.0}]}, {}, 0.5)
    assert (folder / "wake.json").read_bytes() == before


def test_pack_is_reproducible(tmp_path: Path) -> None:
    folder = write_tone_bundle(tmp_path / "bundle")
    first = pack(folder)
    assert first == tmp_path / "bundle.zip"
    content = first.read_bytes()
    assert pack(folder, tmp_path / "other.zip").read_bytes() == content
    assert json.loads((folder / "wake.json").read_text())["name"] == "tones"
    (folder / "model.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError):
        pack(folder, tmp_path / "third.zip")
    assert not (tmp_path / "third.zip").exists()
