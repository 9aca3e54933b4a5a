"""The int8 twin of an exported graph: weights and activations of the student's convolutions in 8 bits.

Static post-training quantisation (B. Jacob et al. 2018, arXiv 1712.05877) by ONNX Runtime: QDQ nodes, one scale for
each output channel of the weights, ranges of the activations from real audio streamed with real states. The front end
stays in float32 (a log of small energies has no use for 8 bits), and so does the state, so that both graphs have one
interface.
"""

from __future__ import annotations

import logging
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

BLOCK_STEPS = 50
"""Steps per calibration call."""
MAX_CALLS = 120
"""Calibration keeps the ranges of so many calls: two minutes of audio at 20 ms a step."""


def quantize_int8(bundle: Bundle, recordings: Sequence[NDArray[np.float32]]) -> bytes:
    """The bytes of the int8 graph of `bundle`, calibrated on `recordings`, each `(samples,)` float32 at 16 kHz.

    Raises RunError when there is no audio of at least one step, or the graph has nothing to quantise.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    calls = _streamed(Engine(bundle), recordings)

    class Reader(CalibrationDataReader):
        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(calls, None)

    model = onnx.load_from_string(bundle.model)
    if len(_convolutions(model)) < 3:
        raise RunError("the graph has no inner convolutions to quantise: leave export.int8 off for this model")
    if not any(len(audio) >= bundle.manifest.step_samples for audio in recordings):
        raise RunError("int8 needs audio to calibrate on: prepare data with a val split, or switch export.int8 off")
    with tempfile.TemporaryDirectory() as name, _quiet():
        source, folded, target = (Path(name) / f"{part}.onnx" for part in ("source", "folded", "int8"))
        source.write_bytes(bundle.model)
        # Folds norms into the convolutions before them: else each would be dequantised for its norm.
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            # The first sees log energies of a wide range, the last makes the score: the usual two exceptions.
            nodes_to_exclude=[_convolutions(onnx.load(str(folded)))[end] for end in (0, -1)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True},
        )
        result = onnx.load(str(target))
    # The runtime holds a graph against wake.json by these.
    onnx.helper.set_model_props(result, {prop.key: prop.value for prop in model.metadata_props})
    onnx.checker.check_model(result)
    return bytes(result.SerializeToString())


def _convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the convolutions in the order of the graph, which is that of the signal."""
    return [node.name for node in model.graph.node if node.op_type == "Conv"]


def _streamed(engine: Engine, recordings: Sequence[NDArray[np.float32]]) -> Iterator[dict[str, NDArray[Any]]]:
    """Inputs of the graph as a stream meets them, in turns over the recordings."""
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


class _quiet:
    """The quantiser advises, on the root logger, a pre-processing that has been done."""

    def __enter__(self) -> None:
        self._level = logging.getLogger().level
        logging.getLogger().setLevel(logging.ERROR)

    def __exit__(self, *_: Any) -> None:
        logging.getLogger().setLevel(self._level)
