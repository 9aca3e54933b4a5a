"""The verifier of a bundle: what it hears, and what is refused before anything runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.bundles import SAMPLE_RATE_HZ, tone_manifest, write_tone_bundle
from tests.verified_bundle import (
    ALPHA,
    BLANK,
    LOW,
    TOKENS,
    spoken_track,
    tone_recogniser,
    verifier_part,
    write_verified_bundle,
)
from wakeword.errors import BundleError
from wakeword.export.bundle import pack
from wakeword.export.manifest import write_bundle_files
from wakeword.runtime import Bundle, Detector, load_bundle
from wakeword.runtime.manifest import VERIFIER_NAME
from wakeword.runtime.verifier import Verifier

WINDOW = round(1.1 * SAMPLE_RATE_HZ)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a verifier; not to be changed."""
    return write_verified_bundle(tmp_path_factory.mktemp("verified") / "bundle")


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder)


def refused(path: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Detector(load_bundle(path))
    message = str(caught.value)
    assert "\n" not in message
    return message


def windows() -> np.ndarray:
    """The word, its tone alone, and silence: `(3, WINDOW)`."""
    word = spoken_track([("alpha", 0.3)], [], 1.1)
    bare = spoken_track([], [("alpha", 0.5)], 1.1)
    return np.stack([word, bare, np.zeros_like(word)])


def test_the_word_scores_higher_than_its_near_miss_and_silence(bundle: Bundle) -> None:
    verifier = Verifier(bundle)
    assert (verifier.before_samples, verifier.after_samples) == (12_800, 4_800)
    log_probs = verifier.log_probs(windows())
    assert log_probs.shape == (3, 55, TOKENS)
    assert np.allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)
    features = verifier.measure("alpha", log_probs)
    assert features.mean[0] == pytest.approx(0.0, abs=1e-3)
    assert features.weakest[0] == pytest.approx(0.0, abs=1e-3)
    assert features.mean[0] > features.mean[1] > features.mean[2]
    scores = np.array([0.9, 0.9, 0.9])
    fused = verifier.fused("alpha", scores, features)
    expected = np.log(9) + 2 * features.mean + features.weakest - 0.5
    assert fused == pytest.approx(1 / (1 + np.exp(-expected)), rel=1e-5)
    other = verifier.measure("beta", log_probs)
    assert other.mean[0] < features.mean[0]


def test_a_word_long_before_the_peak_is_not_taken_for_it(bundle: Bundle) -> None:
    early = spoken_track([("alpha", 0.1)], [], 1.1)[None]
    part = bundle.manifest.verifier
    assert part is not None
    heard = []
    for path_end_s in (0.7, 0.2):
        changed = part.model_copy(update={"path_end_s": path_end_s})
        manifest = bundle.manifest.model_copy(update={"verifier": changed})
        verifier = Verifier(replace(bundle, manifest=manifest))
        found = verifier.measure("alpha", verifier.log_probs(early))
        assert found.end[0] >= round((part.before_s - path_end_s) * part.rate_hz)
        heard.append(float(found.mean[0]))
    assert heard[0] == pytest.approx(0.0, abs=1e-3)
    assert heard[1] < -0.5


def test_a_window_does_not_depend_on_the_others(bundle: Bundle) -> None:
    verifier = Verifier(bundle)
    together = verifier.log_probs(windows())
    for row, window in enumerate(windows()):
        assert np.array_equal(verifier.log_probs(window[None])[0], together[row])
    assert verifier.log_probs(np.zeros((0, WINDOW))).shape == (0, 0, TOKENS)
    with pytest.raises(ValueError, match="windows must be"):
        verifier.log_probs(np.zeros(WINDOW))


def test_zips_and_other_forms_of_the_model_hold_the_verifier(folder: Path, tmp_path: Path, bundle: Bundle) -> None:
    packed = load_bundle(pack(folder, tmp_path / "bundle.zip"))
    assert packed.verifier_model == bundle.verifier_model != b""
    found = Detector(packed).process(spoken_track([("alpha", 0.3)], [], 2.0))
    assert [event.word for event in found] == ["alpha"]


def test_without_a_verifier_there_is_none(tones: Bundle) -> None:
    assert tones.verifier_model == b""
    assert tones.manifest.verifier is None
    assert Detector(tones).verification is None
    with pytest.raises(BundleError, match=r"holds no verifier; export it again with export\.verifier=phonetic"):
        Verifier(tones)


def test_a_bundle_without_a_verifier_is_byte_for_byte_as_before_verifiers_existed(tmp_path: Path) -> None:
    """The sums are those of the last version that knew no verifier."""
    words = tone_manifest(["alpha", "beta"])["words"]
    points = [{"fah_target": 0.5, "threshold": 0.6, "recall": 0.9}]
    words[0].update(
        operating_points=points,
        threshold=0.6,
        ready=True,
        probability_map={"slope": 0.5, "offset": -1.0, "prior": 0.3},
    )
    manifest = tone_manifest(["alpha", "beta"], words=words, metrics={"recall": 0.9}, training_data={"clips": 3})
    write_bundle_files(tmp_path, b"not a model", manifest, {"int8": b"nor this"})
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert sorted(sums) == ["MODEL_CARD.md", "model.int8.onnx", "model.onnx", "wake.json"]
    assert sums["MODEL_CARD.md"] == "52d0a7f4c02ab63b2473457da63f846e196e31a14eb55093d25a057c1b206307"
    assert sums["wake.json"] == "4a8a189a4a88cb7ee1d88194fe1dd95095813ac0c2de8db8e64315cd94721fe6"


def test_a_manifest_with_null_for_the_verifier_is_written_without_it(tmp_path: Path) -> None:
    folder = write_tone_bundle(tmp_path / "bundle", verifier=None)
    assert "verifier" not in json.loads((folder / "wake.json").read_text())


@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_one_changed_byte_is_noticed(folder: Path, tmp_path: Path, where: float) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "bundle"))
    content = bytearray((copy / VERIFIER_NAME).read_bytes())
    content[int(where * len(content))] ^= 0x01
    (copy / VERIFIER_NAME).write_bytes(content)
    assert f"{VERIFIER_NAME}: changed since the export" in refused(copy)
    (copy / VERIFIER_NAME).unlink()
    assert f"{VERIFIER_NAME}: missing from the bundle" in refused(copy)


def written(tmp_path: Path, **changes: Any) -> Path:
    part = verifier_part(["alpha", "beta"]) | changes
    return write_verified_bundle(tmp_path / "bundle", part=part)


def with_pronunciation(tokens: list[list[int]], costs: list[list[float]]) -> dict[str, Any]:
    part = verifier_part(["alpha", "beta"])
    part["words"][1]["pronunciations"] = [{"tokens": tokens, "costs": costs}]
    return {"words": part["words"]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "neural"}, "verifier.kind"),
        ({"blank": TOKENS}, f"blank is {TOKENS}, the recogniser has {TOKENS} tokens"),
        ({"boundary": 99}, "boundary is 99"),
        ({"before_s": 0.0}, "verifier.before_s"),
        ({"after_s": 9.0}, "verifier.after_s"),
        ({"rate_hz": 0.0}, "verifier.rate_hz"),
        ({"unknown": 1}, "verifier.unknown"),
        ({"fusion": {"weights": {"loudness": 1.0}}}, "verifier.fusion.weights.loudness"),
        ({"fusion": {"weights": {}}}, "verifier.fusion.weights"),
        (with_pronunciation([[LOW], [TOKENS]], [[0.0], [0.0]]), f"beta uses the token {TOKENS}"),
        (with_pronunciation([[LOW], [-1]], [[0.0], [0.0]]), "beta uses the token -1"),
        (with_pronunciation([[LOW], [BLANK]], [[0.0], [0.0]]), "beta uses blank or boundary as a phoneme"),
        (with_pronunciation([[LOW], [ALPHA]], [[0.0], [0.0, 1.0]]), "every token a cost"),
        (with_pronunciation([[LOW], []], [[0.0], []]), "at least one token"),
        (with_pronunciation([], []), "pronunciations.0.tokens"),
        ({"words": verifier_part(["alpha"])["words"]}, "the verifier is for alpha, the model for alpha, beta"),
    ],
)
def test_a_part_that_cannot_work_is_not_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError) as caught:
        written(tmp_path, **changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "bundle").exists()


def test_the_part_and_the_file_need_each_other(folder: Path, tmp_path: Path) -> None:
    alone = tone_manifest(["alpha", "beta"])
    with pytest.raises(BundleError, match=r"verifier.onnx and the part `verifier` need each other"):
        write_bundle_files(tmp_path / "a", b"model", alone, verifier=b"recogniser")
    with pytest.raises(BundleError, match=r"verifier.onnx and the part `verifier` need each other"):
        write_bundle_files(tmp_path / "b", b"model", alone | {"verifier": verifier_part(["alpha", "beta"])})


def test_a_changed_manifest_is_refused(folder: Path, tmp_path: Path) -> None:
    """A pronunciation with a token outside, in a bundle that was sealed before."""
    copy = Path(shutil.copytree(folder, tmp_path / "bundle"))
    values = json.loads((copy / "wake.json").read_text())
    values["verifier"]["words"][0]["pronunciations"][0]["tokens"][0] = [77]
    (copy / "wake.json").write_text(json.dumps(values))
    assert "alpha uses the token 77, the recogniser has 6 tokens" in refused(copy)


def graph(change: str) -> bytes:
    """The recogniser with a defect."""
    model = tone_recogniser()
    body = model.graph
    if change == "name":
        body.input[0].name = "sound"
        body.node[0].input[0] = "sound"
        body.node[4].input[0] = "signal"
    elif change == "tokens":
        body.node[-1].output[0] = "all"
        body.node.append(helper.make_node("Slice", ["all", "from", "to", "last"], ["log_probs"]))
        body.initializer.extend(
            onnx.numpy_helper.from_array(np.array([value]), name)
            for name, value in (("from", 0), ("to", TOKENS - 1), ("last", 2))
        )
        body.output[0].type.tensor_type.shape.dim[2].dim_value = TOKENS - 1
    elif change == "nan":
        body.node[-1].output[0] = "all"
        body.node.append(helper.make_node("Mul", ["all", "nan"], ["log_probs"]))
        body.initializer.append(onnx.numpy_helper.from_array(np.float32(np.nan), "nan"))
    elif change == "double":
        body.node[-1].output[0] = "all"
        body.node.append(helper.make_node("Cast", ["all"], ["log_probs"], to=TensorProto.DOUBLE))
        body.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("name", "has inputs ['sound'] and outputs ['log_probs'], not audio and log_probs"),
        ("tokens", "gives log_probs (1, 55, 5), wake.json states 6 tokens"),
        ("nan", "gives NaN or infinite log_probs"),
        ("double", "log_probs is tensor(double)"),
    ],
)
def test_a_graph_that_does_not_fit_is_refused(tmp_path: Path, change: str, message: str) -> None:
    folder = write_verified_bundle(tmp_path / "bundle", recogniser=graph(change))
    found = refused(folder)
    assert message in found
    assert VERIFIER_NAME in found


def test_bytes_that_are_no_graph_are_refused(tmp_path: Path) -> None:
    assert "not an ONNX file" in refused(write_verified_bundle(tmp_path / "a", recogniser=b"\xff" * 99))
    cut = tone_recogniser().SerializeToString()[:-200]
    found = refused(write_verified_bundle(tmp_path / "b", recogniser=cut))
    assert "not an ONNX file" in found or "ONNX Runtime cannot load it" in found


def test_another_frame_rate_is_refused(tmp_path: Path) -> None:
    assert "17600 samples give 55 frames, wake.json states 25 a second" in refused(written(tmp_path, rate_hz=25.0))


def test_nan_that_comes_later_is_one_sentence(tmp_path: Path) -> None:
    """The graph is sound on silence and fails on sound."""
    model = tone_recogniser()
    model.graph.node[-1].output[0] = "all"
    model.graph.node.append(helper.make_node("Div", ["all", "loud"], ["log_probs"]))
    model.graph.node.append(helper.make_node("ReduceMax", ["signal"], ["loudest"], keepdims=1))
    model.graph.node.append(helper.make_node("Less", ["loudest", "limit"], ["quiet"]))
    model.graph.node.append(helper.make_node("Cast", ["quiet"], ["loud"], to=TensorProto.FLOAT))
    order = [*model.graph.node[:-4], *model.graph.node[-3:], model.graph.node[-4]]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in order]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.3), "limit"))
    onnx.checker.check_model(model)
    detector = Detector(load_bundle(write_verified_bundle(tmp_path / "b", recogniser=model.SerializeToString())))
    with pytest.raises(BundleError, match=r"verifier.onnx: gives NaN or infinite log_probs"):
        detector.process(spoken_track([("alpha", 0.3)], [], 2.0))


def test_it_runs_on_numpy_and_onnxruntime_alone(folder: Path, tmp_path: Path) -> None:
    audio = tmp_path / "audio.npy"
    np.save(audio, spoken_track([("alpha", 0.3)], [("beta", 1.5)], 2.5))
    program = (
        "import sys, numpy as np\n"
        "for name in ('torch', 'ray', 'tensorflow', 'scipy', 'onnx', 'hama', 'pyarrow', 'soundfile', 'pandas'):\n"
        "    sys.modules[name] = None\n"
        "from wakeword.runtime import Detector, load_bundle\n"
        f"detector = Detector(load_bundle({str(folder)!r}))\n"
        f"found = detector.process(np.load({str(audio)!r})) + detector.flush()\n"
        "print([event.word for event in found])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "['alpha']", done.stderr
