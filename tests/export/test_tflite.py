"""From the shipped ONNX graph to a TFLite file: the same scores, plain operators, refused where it differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.bundles import tone_manifest, write_tone_bundle
from tests.export.test_bundle import finished_run
from tests.tflite import INSTALLED, needs_tflite, tone_tflite
from wakeword.cli.main import main
from wakeword.errors import BundleError, MissingExtraError, RunError
from wakeword.export.bundle import export_bundle, pack, set_operating_points
from wakeword.export.manifest import write_bundle_files
from wakeword.export.tflite import convert_tflite, fix_shapes
from wakeword.export.tflite_operators import check_operators, count_operators, missing_in_micro
from wakeword.export.verify import compare_variant, synthetic_audio, verify_variant
from wakeword.models.streaming import StreamingModel
from wakeword.runtime import Bundle, load_bundle
from wakeword.runtime.engine import Engine


def test_shapes_are_fixed_and_scores_stay(small_model: StreamingModel, small_bundle: Path) -> None:
    """Every operator has constant shapes, none runs backwards, and the numbers are those of the shipped graph."""
    bundle = load_bundle(small_bundle)
    step, size = bundle.manifest.step_samples, bundle.manifest.state_size
    fixed = fix_shapes(onnx.load_from_string(bundle.model), step, size)
    kinds = {node.op_type for node in fixed.graph.node}
    assert not kinds & {"Shape", "Range", "Expand", "ConstantOfShape", "If", "Loop"}
    assert "Gather" in kinds, "the front end folds its window backwards"
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*fixed.graph.input, *fixed.graph.output)
    }
    assert shapes == {"audio": [1, step], "state": [1, size], "score": [1, 1, 2], "next_state": [1, size]}
    session = onnxruntime.InferenceSession(fixed.SerializeToString())
    engine, audio = Engine(bundle), synthetic_audio(2.0)[0]
    state = kept = engine.initial_state(1)
    for at in range(0, len(audio) - step + 1, step):
        chunk = audio[None, at : at + step]
        expected, state = engine.run(chunk, state)
        score, kept = session.run(["score", "next_state"], {"audio": chunk, "state": kept})
        assert np.allclose(score, expected, atol=1e-5)
    assert np.allclose(kept, state, atol=1e-4)


def test_operators_that_need_help_are_refused() -> None:
    check_operators({"CONV_2D": 3, "LOG": 1})
    for name in ("custom FlexErf", "custom TFLite_Detection_PostProcess", "STABLEHLO_ADD", "number 999"):
        with pytest.raises(RunError, match=f"needs {name}, which plain TFLite runtimes do not have"):
            check_operators({"CONV_2D": 3, name: 1})
    assert missing_in_micro(["CONV_2D", "POW", "LOG"]) == ["POW"]


def test_the_card_lists_sizes_differences_and_operators(tmp_path: Path) -> None:
    facts = {"score_difference": 6.2e-7, "scores": 3000, "events": 12, "events_changed": 1}
    variants = {"tflite": {**facts, "operators": {"CONV_2D": 20, "POW": 1}}, "int8": facts}
    folder = write_tone_bundle(tmp_path / "tones")
    others = {"tflite": b"0000TFL3" + bytes(2048), "int8": load_bundle(folder).model}
    write_bundle_files(folder, load_bundle(folder).model, tone_manifest(["alpha", "beta"], variants=variants), others)
    card = (folder / "MODEL_CARD.md").read_text()
    assert "`model.tflite`: TFLite, float32, the same interface for one stream and one step a call; 2 KiB" in card
    assert "3000 scores differ by at most 6.2e-07 from `model.onnx`, 1 of 12 events changed" in card
    assert "Operators: CONV_2D, POW; TFLite Micro supports all but POW" in card
    assert "`model.int8.onnx`" in card
    set_operating_points(folder, {"alpha": [{"fah_target": 0.5, "threshold": 0.4}]}, {}, default_fah=0.5)
    after = load_bundle(pack(folder, tmp_path / "b.zip"), "tflite")
    assert after.model == others["tflite"]
    assert after.manifest.variants["tflite"].operators == {"CONV_2D": 20, "POW": 1}


@pytest.mark.skipif(INSTALLED, reason="the extra is installed here")
def test_without_the_extra_nothing_is_written(tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", export={"tflite": True})
    with pytest.raises(MissingExtraError, match=r"a TFLite export needs the extra \[tflite\]"):
        export_bundle(run)
    assert not (run / "bundle").exists()


@needs_tflite
def test_another_model_is_refused_unless_the_tolerance_allows_it(tmp_path: Path) -> None:
    plain = load_bundle(write_tone_bundle(tmp_path / "tones"))
    twin = replace(plain, model=tone_tflite(), variant="tflite")
    assert verify_variant(plain, twin, 1e-4).score_difference < 1e-5
    spoilt = replace(twin, model=_with_weights(twin, 1.01))
    with pytest.raises(RunError, match=r"the tflite model differs from the ONNX graph by .*parity_tolerance=0\.0001"):
        verify_variant(plain, spoilt, 1e-4)
    assert 1e-4 < verify_variant(plain, spoilt, 0.5).score_difference < 0.5
    # Loading runs the model on digital silence.
    with pytest.raises(BundleError, match="NaN or infinite"):
        compare_variant(plain, replace(twin, model=_with_weights(twin, float("inf"))))


def _with_weights(twin: Bundle, factor: float) -> bytes:
    """The TFLite file with its largest buffer, the tones' waves, multiplied."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(twin.model, 0)
    sizes = [model.Buffers(place).DataLength() for place in range(model.BuffersLength())]
    weights = model.Buffers(int(np.argmax(sizes))).DataAsNumpy()
    start = twin.model.index(weights.tobytes())
    changed = weights.view(np.float32) * np.float32(factor)
    return twin.model[:start] + changed.tobytes() + twin.model[start + weights.size :]


@needs_tflite
def test_weights_are_aligned_and_the_signature_is_named() -> None:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    content = tone_tflite()
    model = schema.Model.GetRootAs(content, 0)
    whole = np.frombuffer(content, dtype=np.uint8)
    for place in range(model.BuffersLength()):
        data = model.Buffers(place).DataAsNumpy()
        if isinstance(data, np.ndarray) and data.size:
            assert (data.ctypes.data - whole.ctypes.data) % 16 == 0
    signature = Interpreter(model_content=content).get_signature_list()["serving_default"]
    assert (sorted(signature["inputs"]), sorted(signature["outputs"])) == (["audio", "state"], ["next_state", "score"])


@needs_tflite
def test_a_graph_that_needs_an_operator_which_tflite_lacks(tmp_path: Path) -> None:
    """The error function: TensorFlow has it, TFLite only by Flex."""
    plain = load_bundle(write_tone_bundle(tmp_path / "tones"))
    model = onnx.load_from_string(plain.model)
    for node in model.graph.node:
        if node.op_type == "Transpose":
            node.output[0] = "before"
    model.graph.node.append(onnx.helper.make_node("Erf", ["before"], ["score"]))
    with pytest.raises(RunError, match=r"FlexErf, which plain|onnx2tf cannot convert.*set export\.tflite=false"):
        convert_tflite(replace(plain, model=model.SerializeToString()))


@needs_tflite
@pytest.mark.slow
def test_a_run_with_its_twin(tmp_path: Path, recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trained model, exported, packed, and run by the command line in both forms."""
    from wakeword.audio.io import read_audio

    files = [str(path) for path in sorted((recordings / "positive").rglob("*.*"))[:3]]
    run = finished_run(tmp_path / "run", export={"tflite": True})
    bundle = export_bundle(run, parity_audio=[read_audio(Path(path)) for path in files] + synthetic_audio())
    twin = load_bundle(bundle, "tflite")
    assert twin.variants == ["float32", "tflite"]
    facts = twin.manifest.variants["tflite"]
    assert facts.score_difference < 1e-4
    assert facts.events > 0
    assert facts.events_changed == 0
    assert missing_in_micro(facts.operators) == []
    assert facts.operators == count_operators(twin.model)
    printed = []
    for variant in ("float32", "tflite"):
        assert main(["detect", str(bundle), *files, "--json", "--threshold", "0.3", "--variant", variant]) == 0
        printed.append([line.split('"score"')[0] for line in capsys.readouterr().out.splitlines()])
    assert printed[0] == printed[1]


@needs_tflite
@pytest.mark.slow
@pytest.mark.parametrize("sections", [{"model": {"family": "bc_resnet", "width": 0.5}}, {"frontend": {"kind": "pcen"}}])
def test_other_families_and_front_ends(sections: dict, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run", export={"tflite": True}, **sections)
    facts = load_bundle(export_bundle(run)).manifest.variants["tflite"]
    assert facts.score_difference < 1e-4
    assert missing_in_micro(facts.operators) == (["POW"] if "frontend" in sections else [])
