"""A bundle that is changed, incomplete or meant for something else is refused before anything runs."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from tests.bundles import tone_manifest, tone_model, write_tone_bundle
from wakeword.config.runtime import DetectorConfig
from wakeword.errors import BundleError
from wakeword.export.bundle import pack
from wakeword.export.manifest import graph_metadata, write_bundle_files
from wakeword.runtime import Detector, load_bundle
from wakeword.runtime.events import SCORE_LEVELS
from wakeword.runtime.manifest import DetectorSettings, ProbabilityMap
from wakeword.runtime.onnx_file import has_external_data


@pytest.fixture
def folder(tone_folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tone_folder, tmp_path / "bundle"))


def refused(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def rewrite(folder: Path, **changes: object) -> None:
    """Change `wake.json` without sealing it again."""
    path = folder / "wake.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_sound_bundle_loads_from_folder_and_zip(tone_folder: Path, tmp_path: Path) -> None:
    from_folder = load_bundle(tone_folder)
    from_zip = load_bundle(pack(tone_folder, tmp_path / "tones.zip"))
    assert from_folder.manifest == from_zip.manifest
    assert from_folder.model == from_zip.model
    assert from_folder.labels == ["alpha", "beta"]


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md", "wake.json"])
@pytest.mark.parametrize("where", [0.0, 0.31, 0.5, 0.77, 0.999])
def test_one_changed_byte_is_noticed(folder: Path, name: str, where: float) -> None:
    content = bytearray((folder / name).read_bytes())
    content[int(where * len(content))] ^= 0x01
    (folder / name).write_bytes(content)
    assert name in refused(folder)


def test_every_byte_of_the_manifest_counts(folder: Path) -> None:
    """Also a changed digit of a threshold, and white space."""
    original = (folder / "wake.json").read_bytes()
    for position in range(len(original)):
        changed = bytearray(original)
        changed[position] ^= 0x02
        (folder / "wake.json").write_bytes(changed)
        assert "wake.json" in refused(folder)


@pytest.mark.parametrize("name", ["model.onnx", "MODEL_CARD.md", "wake.json"])
def test_missing_longer_and_shorter_files(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b" ")
    assert name in refused(folder)
    (folder / name).write_bytes(content[:-1])
    assert name in refused(folder)
    (folder / name).unlink()
    assert "missing" in refused(folder)


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.onnx"
    shutil.move(folder / "model.onnx", outside)
    (folder / "model.onnx").symlink_to(outside)
    assert "not a regular file" in refused(folder)


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "sub/model.onnx", "..", "wake.json", "a\\b"])
def test_names_that_leave_the_bundle(folder: Path, name: str) -> None:
    files = json.loads((folder / "wake.json").read_text())["files"]
    rewrite(folder, files={**files, name: files["model.onnx"]})
    assert "plain name" in refused(folder)


@pytest.mark.parametrize("name", ["../evil.txt", "/absolute.txt", "sub/file.txt"])
def test_zip_that_holds_other_paths(tone_folder: Path, tmp_path: Path, name: str) -> None:
    path = pack(tone_folder, tmp_path / "bundle.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "x")
    assert "without folders" in refused(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle.zip"]


def test_zip_bomb_and_damaged_zip(tone_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tone_folder / "wake.json", "wake.json")
        archive.write(tone_folder / "MODEL_CARD.md", "MODEL_CARD.md")
        archive.writestr("model.onnx", bytes(50_000_000))
    assert "larger than" in refused(path)
    content = bytearray(pack(tone_folder, tmp_path / "bundle.zip").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "bundle.zip").write_bytes(content)
    assert "bundle.zip" in refused(tmp_path / "bundle.zip")
    (tmp_path / "text.zip").write_text("hello")
    assert "not a readable zip" in refused(tmp_path / "text.zip")
    assert "no bundle" in refused(tmp_path / "absent")


def test_other_versions_rates_and_values(folder: Path) -> None:
    good = json.loads((folder / "wake.json").read_text())
    rewrite(folder, schema_version=2)
    assert "schema version 2" in refused(folder)
    rewrite(folder, **{**good, "sample_rate_hz": 8000})
    assert "8000 Hz" in refused(folder)
    rewrite(folder, **{**good, "sample_rate_hz": 16000, "step_samples": 0})
    assert "step_samples" in refused(folder)
    rewrite(folder, **{**good, "surprise": 1})
    assert "surprise" in refused(folder)
    (folder / "wake.json").write_text("{")
    assert "not valid JSON" in refused(folder)


def test_bundles_from_before_there_were_maps_load_and_are_written_as_before(tone_folder: Path) -> None:
    assert "probability_map" not in (tone_folder / "wake.json").read_text()
    assert [word.probability_map for word in load_bundle(tone_folder).manifest.words] == [None, None]


@pytest.mark.parametrize("wrong", [{"slope": 0.0}, {"slope": -1.0}, {"prior": 1.0}, {"offset": "x"}, {"more": 1}])
def test_maps_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    words = tone_manifest(["alpha", "beta"])["words"]
    words[0]["probability_map"] = {"slope": 1.0, "offset": 0.0, "prior": 0.5, **wrong}
    with pytest.raises(BundleError, match=r"words\.0\.probability_map"):
        write_tone_bundle(tmp_path / "bundle", words=words)


def test_a_map_is_its_formula_for_a_float_and_for_arrays_and_saturates() -> None:
    found = ProbabilityMap(slope=2.0, offset=-1.0, prior=0.5)
    odds = math.log(0.7 / 0.3)
    assert found.probability(0.7) == pytest.approx(1 / (1 + math.exp(-(2 * odds - 1))))
    assert isinstance(found.probability(0.7), float)
    assert found.probability(np.full((2, 3), 0.7)) == pytest.approx(np.full((2, 3), found.probability(0.7)))
    half = 0.5 / SCORE_LEVELS
    assert (found.probability(0.0), found.probability(1.0)) == (found.probability(half), found.probability(1 - half))
    assert 0 < found.probability(0.0) < 1e-9
    steep = ProbabilityMap(slope=1e6, offset=0.0, prior=0.5)
    assert (steep.probability(0.4), steep.probability(0.6)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state_size": 77}, "wake.json states 77"),
        ({"step_samples": 160}, "step_samples"),
        ({"context_samples": 1600}, "context_samples"),
        ({"words": [{"label": "gamma", "phrase": "gamma"}, {"label": "beta", "phrase": "beta"}]}, "words"),
    ],
)
def test_a_graph_of_another_export_does_not_start(folder: Path, changes: dict, expected: str) -> None:
    """Sealed correctly, but manifest and graph do not belong together."""
    model = (folder / "model.onnx").read_bytes()
    write_bundle_files(folder, model, tone_manifest(["alpha", "beta"], **changes))
    with pytest.raises(BundleError, match=expected):
        Detector(load_bundle(folder))


def test_words_that_the_graph_does_not_have(folder: Path) -> None:
    manifest = tone_manifest(["alpha", "beta"])
    model = tone_model(["alpha"])
    helper.set_model_props(model, graph_metadata(manifest))
    write_bundle_files(folder, model.SerializeToString(), manifest)
    with pytest.raises(BundleError, match=r"score has size 1, wake\.json states 2"):
        Detector(load_bundle(folder))


def test_external_weights_are_refused(folder: Path) -> None:
    model = tone_model(["alpha", "beta"])
    assert not has_external_data(model.SerializeToString())
    external_data_helper.convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    onnx.save(model, str(folder / "spoilt.onnx"))
    spoilt = (folder / "spoilt.onnx").read_bytes()
    write_bundle_files(folder, spoilt, tone_manifest(["alpha", "beta"]))
    assert "another file" in refused(folder)
    with pytest.raises(ValueError):
        has_external_data(tone_model(["alpha"]).SerializeToString()[:-3])


def test_external_weights_deep_inside_a_graph_are_found() -> None:
    """A constant of a branch of an If node, which no list of initializers shows."""
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "hidden")
    external_data_helper.set_external_data(tensor, "../../secret")
    tensor.data_location = TensorProto.EXTERNAL
    constant = helper.make_node("Constant", [], ["y"], value=tensor)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])
    branch = helper.make_graph([constant], "branch", [], [out])
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    model = helper.make_model(helper.make_graph([node], "main", [condition], [out]))
    assert has_external_data(model.SerializeToString())


def test_not_an_onnx_file(folder: Path) -> None:
    write_bundle_files(folder, b"\xff" * 100, tone_manifest(["alpha", "beta"]))
    assert "not an ONNX file" in refused(folder)
    write_bundle_files(folder, b"", tone_manifest(["alpha", "beta"]))
    with pytest.raises(BundleError, match=r"model\.onnx"):
        Detector(load_bundle(folder))


def test_operating_points_and_thresholds(tmp_path: Path) -> None:
    words = [
        {"label": "alpha", "phrase": "a", "operating_points": [{"fah_target": 0.5, "threshold": 0.7, "frr": 0.01}]},
        {"label": "beta", "phrase": "b", "operating_points": [{"fah_target": 0.5, "threshold": 0.8}]},
    ]
    bundle = load_bundle(write_tone_bundle(tmp_path / "bundle", words=words))
    assert bundle.thresholds == [0.5, 0.5]
    assert bundle.thresholds_for(fah_target=0.5) == [0.7, 0.8]
    assert bundle.thresholds_for(threshold=0.3) == [0.3, 0.3]
    with pytest.raises(BundleError, match=r"alpha has no operating point for 0\.1 .*there are 0\.5"):
        bundle.thresholds_for(fah_target=0.1)
    with pytest.raises(BundleError, match="between 0 and 1"):
        bundle.thresholds_for(threshold=1.5)


def test_the_bundle_carries_every_value_of_the_detector_section() -> None:
    assert set(DetectorSettings.model_fields) == set(DetectorConfig.model_fields)
