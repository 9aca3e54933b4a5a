"""Convert an exported ONNX graph to TFLite with onnx2tf, for one stream and one step.

Front end and state are as in the ONNX file. `verify.verify_variant` compares the two.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
from onnx import helper, numpy_helper

from wakeword.errors import MissingExtraError, RunError
from wakeword.export.tflite_operators import check_operators, count_operators
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.tflite_graph import METADATA_NAME
from wakeword.system.onnx_graph import simplify

TIMEOUT_S = 1800.0
"""Limit for a conversion, which takes 10 to 30 s on an idle core."""
_NEEDED = ("onnx2tf", "tensorflow", "tf_keras", "ai_edge_litert")
_ALIGNMENT = 16
"""Alignment of the weights in bytes, as in TFLite's writer; microcontrollers read them in place."""


def require_tflite() -> None:
    """Raise MissingExtraError if a package for the conversion is not installed."""
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError("a TFLite export", "tflite", ImportError(f"there is no {name}"))


def convert_tflite(bundle: Bundle) -> bytes:
    """The bytes of the TFLite file of the float32 model of `bundle`.

    Inputs are `audio (1, step_samples)` and `state (1, state_size)`, outputs `score (1, 1, words)` and `next_state`,
    all float32, also as the signature `serving_default`. The metadata is that of the ONNX file.

    Raises MissingExtraError without the extra, RunError if the conversion fails or needs unsupported operators.
    """
    require_tflite()
    model = onnx.load_from_string(bundle.model)
    fixed = fix_shapes(model, bundle.manifest.step_samples, bundle.manifest.state_size)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    content = name_tensors(_convert(fixed.SerializeToString()), metadata)
    check_operators(count_operators(content))
    return content


def fix_shapes(model: onnx.ModelProto, step_samples: int, state_size: int) -> onnx.ModelProto:
    """Fix the shapes of `model` to one stream and one step, and fold the shape arithmetic."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    sizes = {"audio": (1, step_samples), "state": (1, state_size), "next_state": (1, state_size)}
    for value in (*fixed.graph.input, *fixed.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        for axis, dimension in enumerate(dimensions):
            # In the shape of the scores, only the number of words is fixed.
            size = sizes[value.name][axis] if value.name in sizes else dimension.dim_value or 1
            dimension.Clear()
            dimension.dim_value = size
    for _ in range(2):
        # The inferred shapes for any number of streams and steps are removed.
        del fixed.graph.value_info[:]
        graph = onnx_ir.from_proto(onnx.shape_inference.infer_shapes(fixed, data_prop=True))
        simplify(graph)
        fixed = onnx_ir.to_proto(graph)
    fixed = onnx.shape_inference.infer_shapes(fixed, data_prop=True)
    _gather_reversed(fixed)
    onnx.checker.check_model(fixed, full_check=True)
    return fixed


def _gather_reversed(model: onnx.ModelProto) -> None:
    """Replace slices with a negative step by Gather nodes, in place.

    onnx2tf 1.28 silently ignores the direction of a slice that ends at the start of its axis, as in the front end.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    sizes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*model.graph.value_info, *model.graph.input)
    }
    for node in model.graph.node:
        if node.op_type != "Slice" or len(node.input) < 5 or node.input[4] not in constants:
            continue
        starts, ends, axes, steps = (constants[name] for name in node.input[1:5])
        if steps.size != 1 or steps[0] > 0:
            continue
        axis = int(axes[0])
        size = sizes[node.input[0]][axis]
        # In Python, an end before the first element is None.
        end = None if int(ends[0]) < -size else int(ends[0])
        chosen = np.arange(size, dtype=np.int64)[int(starts[0]) : end : int(steps[0])]
        indices = f"{node.output[0]}_indices"
        model.graph.initializer.append(numpy_helper.from_array(chosen, indices))
        node.CopyFrom(
            helper.make_node("Gather", [node.input[0], indices], list(node.output), name=node.name, axis=axis)
        )


def _convert(model: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(model)
        command = [sys.executable, "-m", "wakeword.export.tflite_child", "model.onnx", "out"]
        try:
            # An empty working directory, because onnx2tf reads files with certain names from it.
            answer = subprocess.run(
                command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise RunError(f"onnx2tf did not finish the TFLite model within {TIMEOUT_S:g} s; try again") from error
        path = folder / "out" / "model_float32.tflite"
        # onnx2tf may exit with 0 without a file, or fail after it wrote one.
        if answer.returncode or not path.is_file():
            output = [line for line in (answer.stdout + answer.stderr).splitlines() if line.strip()] or ["nothing"]
            raise RunError(
                f"onnx2tf cannot convert this model to TFLite (exit code {answer.returncode}, last output:"
                f" {output[-1].strip()[:300]}): set export.tflite=false for this model"
            )
        return path.read_bytes()


def _environment() -> dict[str, str]:
    """The environment of this process, with this package on the path and without GPU and TensorFlow's messages."""
    package = Path(__file__).resolve().parents[2]
    paths = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    return {**os.environ, **quiet, "PYTHONPATH": os.pathsep.join(paths)}


def name_tensors(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """Add tensor names, a signature and `metadata` to a TFLite file.

    onnx2tf names the outputs Identity and Identity_1 in any order; they differ in rank.

    Raises RunError if inputs and outputs are not audio, state, score and next state.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    inputs = {graph.tensors[place].name.decode(): place for place in graph.inputs}
    outputs = {
        {3: "score", 2: "next_state"}.get(len(graph.tensors[place].shape), "other"): place for place in graph.outputs
    }
    if sorted(inputs) != ["audio", "state"] or sorted(outputs) != ["next_state", "score"]:
        raise RunError(f"onnx2tf gave a model with inputs {sorted(inputs)} and outputs {sorted(outputs)}")
    for name, place in outputs.items():
        graph.tensors[place].name = name
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.inputs = [_named(schema.TensorMapT(), name, place) for name, place in inputs.items()]
    signature.outputs = [_named(schema.TensorMapT(), name, place) for name, place in outputs.items()]
    model.signatureDefs = [signature]
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    text = schema.BufferT()
    text.data = np.frombuffer(json.dumps(dict(metadata), sort_keys=True).encode(), dtype=np.uint8)
    model.metadata = [*(model.metadata or []), entry]
    model.buffers = [_aligned(buffer) for buffer in (*model.buffers, text)]
    builder = flatbuffers.Builder(len(content) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _named(entry: Any, name: str, place: int) -> Any:
    entry.name, entry.tensorIndex = name, place
    return entry


def _aligned(buffer: Any) -> Any:
    """A buffer that is written at a multiple of `_ALIGNMENT` bytes; flatbuffers' Python aligns to 4."""
    from ai_edge_litert import schema_py_generated as schema

    class Aligned(schema.BufferT):  # type: ignore[misc, name-defined]
        def Pack(self, builder: Any) -> int:
            data = None if self.data is None else bytes(bytearray(self.data))
            if data is not None:
                builder.StartVector(1, len(data), _ALIGNMENT)
                # As CreateByteVector of the builder, which has no alignment parameter.
                builder.head = builder.Head() - len(data)
                builder.Bytes[builder.Head() : builder.Head() + len(data)] = data
                place = builder.EndVector()
            schema.BufferStart(builder)
            if data is not None:
                schema.BufferAddData(builder, place)
            return int(schema.BufferEnd(builder))

    copy = Aligned()
    copy.data = buffer.data
    return copy
