"""An ONNX model whose random nodes read noise from an input, so that a seed determines its output.

ONNX Runtime's RandomNormalLike and RandomUniformLike draw from one generator per process: equal requests would give
different samples.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

NOISE_VALUES = 1 << 18
"""Length of the noise; a node that needs more repeats it."""
_INPUTS = {"RandomNormalLike": "seeded_normal_noise", "RandomUniformLike": "seeded_uniform_noise"}
_RANGES = {"RandomNormalLike": ("mean", "scale"), "RandomUniformLike": ("low", "high")}
_OFFSET = 0.6180339887498949
"""The nodes start at multiples of this share of the noise, so that no two of them read the same values."""


class SeededSession:
    """A session of ONNX Runtime on one thread, with seeded noise; `run` is as the original's.

    Args:
        path: the model.
    """

    def __init__(self, path: Path) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(str(path))
        self._kinds = _noise_as_input(model.graph)
        options = onnxruntime.SessionOptions()
        # One thread, since many workers run in parallel.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        given = model.SerializeToString() if self._kinds else str(path)
        self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        self._draw = np.random.default_rng(0)

    def seed(self, seed: int) -> None:
        """Seed the noise of the following runs."""
        self._draw = np.random.default_rng(seed)

    def run(self, outputs: list[str] | None, inputs: dict[str, np.ndarray]) -> list[Any]:
        """Run the model with the next noise."""
        return list(
            self._session.run(outputs, {**inputs, **{_INPUTS[kind]: self._noise(kind) for kind in self._kinds}})
        )

    def _noise(self, kind: str) -> np.ndarray:
        if kind == "RandomUniformLike":
            return self._draw.random(NOISE_VALUES, np.float32)
        return self._draw.standard_normal(NOISE_VALUES, np.float32)


def _noise_as_input(graph: onnx.GraphProto) -> tuple[str, ...]:
    """Replace the random nodes of a graph by reads of added inputs `(NOISE_VALUES,)`; returns the kinds of nodes."""
    import onnx

    kinds: dict[str, None] = {}
    nodes: list[Any] = []
    for number, node in enumerate(list(graph.node)):
        if node.op_type not in _INPUTS:
            nodes.append(node)
            continue
        kinds[node.op_type] = None
        nodes += _reads(node, number, start=round(len(nodes) * _OFFSET * NOISE_VALUES) % NOISE_VALUES)
    del graph.node[:]
    graph.node.extend(nodes)
    for kind in kinds:
        value = onnx.helper.make_tensor_value_info(_INPUTS[kind], onnx.TensorProto.FLOAT, [NOISE_VALUES])
        graph.input.append(value)
    return tuple(kinds)


def _reads(node: onnx.NodeProto, number: int, start: int) -> list[onnx.NodeProto]:
    """Nodes that read as many values as a random node gives, from a place of the noise, in its range and shape."""
    from onnx import TensorProto, helper

    given = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    low, scale = (given.get(name, default) for name, default in zip(_RANGES[node.op_type], (0.0, 1.0), strict=True))
    scale = scale - low if node.op_type == "RandomUniformLike" else scale

    def name(part: str) -> str:
        return f"seeded_{number}_{part}"

    def constant(part: str, value: float, kind: int) -> onnx.NodeProto:
        return helper.make_node("Constant", [], [name(part)], value=helper.make_tensor(name(part), kind, [], [value]))

    return [
        *(constant(part, value, TensorProto.INT64) for part, value in (("start", start), ("one", 1))),
        *(constant(part, value, TensorProto.FLOAT) for part, value in (("low", low), ("scale", scale))),
        constant("length", NOISE_VALUES, TensorProto.INT64),
        helper.make_node("Shape", [node.input[0]], [name("shape")]),
        helper.make_node("Size", [node.input[0]], [name("size")]),
        helper.make_node("Add", [name("start"), name("size")], [name("end")]),
        helper.make_node("Range", [name("start"), name("end"), name("one")], [name("places")]),
        helper.make_node("Mod", [name("places"), name("length")], [name("wrapped")]),
        helper.make_node("Gather", [_INPUTS[node.op_type], name("wrapped")], [name("flat")]),
        helper.make_node("Mul", [name("flat"), name("scale")], [name("scaled")]),
        helper.make_node("Add", [name("scaled"), name("low")], [name("ranged")]),
        helper.make_node("Cast", [name("ranged")], [name("typed")], to=given.get("dtype", TensorProto.FLOAT)),
        helper.make_node("Reshape", [name("typed"), name("shape")], [node.output[0]]),
    ]
