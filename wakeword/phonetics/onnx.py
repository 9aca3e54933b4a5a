"""A phoneme recogniser as one ONNX file, which the runtime runs without torch."""

from __future__ import annotations

import hashlib
import logging
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from wakeword.errors import RunError
from wakeword.phonetics.recogniser import SAMPLE_RATE_HZ, Recogniser
from wakeword.system.files import atomic_path, user_cache
from wakeword.system.onnx_graph import quiet, simplify

OPSET = 18
EXPORT_VERSION = 1
"""Incremented when the same network gives another graph."""
SHORTEST_S = 0.025
"""Of the audio that the exported graph accepts: one spectrum."""
_MOST_WINDOWS, _LONGEST_S = 65_536, 600
_HALF_FROM = 256
"""Elements of a tensor from which it is stored as float16."""
_DIGEST_BYTES = 32
_made: dict[str, bytes] = {}


def export_recogniser(recogniser: Recogniser) -> bytes:
    """The network as ONNX with input `audio (windows, samples)` and output `log_probs (windows, frames, tokens)`.

    Weights are stored as float16 and cast when the graph is loaded, which halves the file; the arithmetic is float32.
    Buffers, such as the kernels of a spectrum, stay float32.

    A recogniser is traced once (ten seconds of CPU) and kept in the user's cache, by its fingerprint and the versions
    of the tracer; a damaged file there is traced again.

    Raises:
        RunError: the network cannot be traced, or the graph is not valid.
    """
    if recogniser.fingerprint not in _made:
        versions = f"{EXPORT_VERSION}|{torch.__version__}|{version('onnxscript')}|{OPSET}"
        key = hashlib.sha256(f"{recogniser.fingerprint}|{versions}".encode()).hexdigest()[:32]
        path = user_cache() / "recognisers" / f"{key}.onnx"
        found = _kept(path)
        if found is None:
            found = _export(recogniser)
            _keep(path, found)
        _made[recogniser.fingerprint] = found
    return _made[recogniser.fingerprint]


def _keep(path: Path, model: bytes) -> None:
    """Write a model to the cache; an export does not end because that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            temporary.write_bytes(hashlib.sha256(model).digest() + model)
    except (OSError, RunError) as error:
        logging.getLogger("wakeword").warning("the traced recogniser is not kept for the next export: %s", error)


def _kept(path: Path) -> bytes | None:
    """A model of the cache, which follows its SHA-256 in the file; None where it is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, model = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return model if hashlib.sha256(model).digest() == digest else None


def _export(recogniser: Recogniser) -> bytes:
    network = deepcopy(recogniser.network).cpu().eval()
    windows = torch.export.Dim("windows", min=1, max=_MOST_WINDOWS)
    samples = torch.export.Dim("samples", min=int(SHORTEST_S * SAMPLE_RATE_HZ), max=_LONGEST_S * SAMPLE_RATE_HZ)
    # The tracer would treat sizes of 1 as constants.
    example = (torch.zeros(2, 2 * SAMPLE_RATE_HZ + 77),)
    with quiet("torch.onnx._internal.exporter"):
        try:
            program = torch.onnx.export(
                network,
                example,
                dynamo=True,
                external_data=False,
                opset_version=OPSET,
                input_names=["audio"],
                output_names=["log_probs"],
                dynamic_shapes={"audio": {0: windows, 1: samples}},
                # The optimiser of the exporter is replaced by simplify.
                optimize=False,
                verbose=False,
            )
            assert program is not None
            simplify(program.model)
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            first = " ".join(str(error).split())[:300]
            raise RunError(f"the phoneme recogniser {recogniser.name} cannot be exported to ONNX ({first})") from error
    proto = program.model_proto
    _halve(proto, {name for name, _ in network.named_buffers()})
    _name_dimensions(proto)
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise RunError(f"the exported recogniser is not valid ONNX ({' '.join(str(error).split())[:300]})") from error
    return bytes(proto.SerializeToString())


def _halve(proto: onnx.ModelProto, whole: set[str]) -> None:
    """Store the large float32 weights as float16, each with a cast to float32; those of `whole` stay."""
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or tensor.name in whole or np.prod(tensor.dims) < _HALF_FROM:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        if not np.isfinite(values).all():
            raise RunError(f"the recogniser's tensor {name} does not fit into float16")
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)


def _name_dimensions(proto: onnx.ModelProto) -> None:
    """Name the free dimensions; the tracer writes symbols such as `1 + s42//320`, also of inner values."""
    audio, log_probs = proto.graph.input[0], proto.graph.output[0]
    for value, names in ((audio, ("windows", "samples")), (log_probs, ("windows", "frames"))):
        for number, name in enumerate(names):
            value.type.tensor_type.shape.dim[number].dim_param = name
    del proto.graph.value_info[:]
