"""Export a trained streaming model, with its front end, as one ONNX file."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import torch
from onnx import helper
from torch import nn

from wakeword.errors import RunError
from wakeword.system.onnx_graph import quiet, simplify

_MAX_STREAMS, _MAX_STEPS = 65_536, 16_384


def export_onnx(model: nn.Module, opset: int, metadata: Mapping[str, str]) -> bytes:
    """Export `model`, a `StreamingModel` or a module with its interface, to the bytes of an ONNX file with weights.

    The graph accepts any number of streams and any multiple of `model.step_samples` samples.

    Raises RunError if the graph cannot be traced or is not valid.
    """
    model = model.eval()
    step = int(model.step_samples)  # type: ignore[arg-type]
    streams = torch.export.Dim("streams", min=1, max=_MAX_STREAMS)
    samples = step * torch.export.Dim("steps", min=1, max=_MAX_STEPS)
    # The tracer would treat sizes of 1 as constants.
    example = (torch.zeros(2, 3 * step), model.settled_state(2))  # type: ignore[operator]
    with quiet("torch.onnx._internal.exporter"):
        try:
            program = torch.onnx.export(
                model,
                example,
                dynamo=True,
                external_data=False,
                opset_version=opset,
                input_names=["audio", "state"],
                output_names=["score", "next_state"],
                dynamic_shapes={"audio": {0: streams, 1: samples}, "state": {0: streams}},
                # The optimiser of the exporter is replaced by simplify.
                optimize=False,
                verbose=False,
            )
            assert program is not None
            simplify(program.model)
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            first = " ".join(str(error).split())[:300]
            raise RunError(f"the model cannot be exported to ONNX at opset {opset} ({first})") from error
    proto = program.model_proto
    _name_dimensions(proto)
    helper.set_model_props(proto, dict(metadata))
    if (stated := proto.opset_import[0].version) != opset:
        raise RunError(f"the exporter wrote opset {stated} instead of {opset}; set export.opset={stated}")
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise RunError(f"the exported graph is not valid ONNX ({' '.join(str(error).split())[:300]})") from error
    return bytes(proto.SerializeToString())


def _name_dimensions(proto: onnx.ModelProto) -> None:
    """Name the free dimensions; the tracer writes symbols such as `320*steps` and `s42`."""
    for value, name in ((proto.graph.input[0], "samples"), (proto.graph.output[0], "scores")):
        value.type.tensor_type.shape.dim[1].dim_param = name
