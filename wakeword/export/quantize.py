"""Quantise the convolutions of an exported graph to int8.

Static post-training quantisation (B. Jacob et al. 2018, arXiv 1712.05877) by ONNX Runtime: QDQ nodes, one scale per
output channel of the weights, activation ranges from streamed audio. Front end and state stay float32, so both graphs
have the same interface.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from wakeword.errors import RunError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.engine import Engine
from wakeword.system.onnx_graph import quiet

BLOCK_STEPS = 50
"""Steps per calibration call."""
MAX_CALLS = 120
"""Most calibration calls: two minutes of audio at 20 ms per step."""


def quantize_int8(bundle: Bundle, recordings: Sequence[NDArray[np.float32]]) -> bytes:
    """The bytes of the int8 graph of `bundle`, calibrated on `recordings`, each `(samples,)` float32 at 16 kHz.

    Raises RunError without a recording of at least one step, and for a graph with fewer than three convolutions.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    calls = _streamed(Engine(bundle), recordings)

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(calls, None)

    model = onnx.load_from_string(bundle.model)
    if len(_convolutions(model)) < 3:
        raise RunError("the graph has no inner convolutions to quantise: set export.int8=false for this model")
    if not any(len(audio) >= bundle.manifest.step_samples for audio in recordings):
        raise RunError("int8 needs audio for calibration: prepare data with a val split, or set export.int8=false")
    with tempfile.TemporaryDirectory() as name, quiet(None):
        source, folded, target = (Path(name) / f"{part}.onnx" for part in ("source", "folded", "int8"))
        source.write_bytes(bundle.model)
        # Folds norms into the convolutions before them, which avoids dequantising for each norm.
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            # As usual, the first and the last convolution stay float32.
            nodes_to_exclude=[_convolutions(onnx.load(str(folded)))[end] for end in (0, -1)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True},
        )
        result = onnx.load(str(target))
    # The runtime compares the metadata with wake.json.
    onnx.helper.set_model_props(result, {prop.key: prop.value for prop in model.metadata_props})
    onnx.checker.check_model(result)
    return bytes(result.SerializeToString())


def _convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions in the order of the signal."""
    return [node.name for node in model.graph.node if node.op_type == "Conv"]


def _streamed(engine: Engine, recordings: Sequence[NDArray[np.float32]]) -> Iterator[dict[str, NDArray[Any]]]:
    """Inputs of the graph while streaming, in turn over the recordings."""
    step = engine.step_samples
    block = BLOCK_STEPS * step
    whole = [audio[: len(audio) - len(audio) % step] for audio in recordings]
    states = [engine.initial_state(1) for _ in whole]
    calls = 0
    for at in range(0, max((len(audio) for audio in whole), default=0), block):
        for place, audio in enumerate(whole):
            chunk = np.ascontiguousarray(audio[None, at : at + block], dtype=np.float32)
            if not chunk.shape[1] or calls == MAX_CALLS:
                continue
            calls += 1
            yield {"audio": chunk, "state": states[place]}
            _, states[place] = engine.run(chunk, states[place])
