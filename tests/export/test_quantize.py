"""The int8 twin: same interface, close scores, kept through evaluation, refused where it cannot be made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.evaluation import known
from tests.export.test_bundle import finished_run
from wakeword.errors import BundleError, RunError
from wakeword.export.bundle import export_bundle, pack, set_operating_points
from wakeword.export.quantize import quantize_int8
from wakeword.export.verify import compare_variant, synthetic_audio
from wakeword.runtime import Detector, load_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = finished_run(tmp_path_factory.mktemp("int8"), export={"int8": True})
    return export_bundle(run, parity_audio=synthetic_audio(seconds=20))


def test_the_bundle_holds_both_and_they_agree(bundle: Path, small_bundle: Path) -> None:
    plain, small = load_bundle(bundle), load_bundle(bundle, "int8")
    assert plain.variants == ["float32", "int8"]
    assert load_bundle(small_bundle).variants == ["float32"]
    types = {node.op_type for node in onnx.load_from_string(small.model).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= types
    recordings = synthetic_audio(seed=7)
    assert 0 < compare_variant(plain, small, recordings).score_difference < 0.1
    assert 0 < plain.manifest.variants["int8"].score_difference < 0.1
    assert "model.int8.onnx" in (bundle / "MODEL_CARD.md").read_text()


def test_it_streams_many_streams_at_any_chunk(bundle: Path) -> None:
    small = load_bundle(bundle, "int8")
    audio = synthetic_audio(seed=7)[0][:32_000]
    whole = Detector(small).scores(audio)[0]
    for streams, chunk in ((1, 320), (3, 1600)):
        detector = Detector(small, streams=streams)
        rows = np.tile(audio, (streams, 1))
        parts = [detector.scores(rows[:, at : at + chunk]) for at in range(0, len(audio), chunk)]
        assert np.abs(np.concatenate(parts, axis=1) - whole).max() < 1e-4


def test_evaluation_and_packing_keep_it(bundle: Path, tmp_path: Path) -> None:
    before = load_bundle(bundle, "int8").model
    words = load_bundle(bundle).labels
    set_operating_points(bundle, {words[0]: [{"fah_target": 0.5, "threshold": 0.4}]}, {}, default_fah=0.5)
    after = load_bundle(pack(bundle, tmp_path / "b.zip"), "int8")
    assert after.model == before
    assert after.thresholds[0] == 0.4


def test_what_cannot_be_is_refused(small_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"contains no int8 model.*export\.int8=true"):
        load_bundle(small_bundle, "int8")
    with pytest.raises(BundleError, match="no such precision 'int4'"):
        load_bundle(small_bundle, "int4")
    with pytest.raises(RunError, match="audio for calibration"):
        quantize_int8(load_bundle(small_bundle), [])
    tones = load_bundle(known.tone_bundle(tmp_path / "tones"))
    with pytest.raises(RunError, match="no inner convolutions"):
        quantize_int8(tones, synthetic_audio())
    # A model whose graph has other words than wake.json is refused in every precision.
    with pytest.raises(BundleError, match=r"model\.int8\.onnx"):
        Detector(replace(load_bundle(small_bundle), model=tones.model, variant="int8"))
