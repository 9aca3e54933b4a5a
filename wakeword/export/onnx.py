"""A trained streaming model as one ONNX file: audio and state in, score and state out, the front end inside."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from typing import Any

import onnx
import onnx_ir.passes.common as passes
import onnxscript.optimizer
import torch
from onnx import helper
from torch import nn

from wakeword.errors import RunError

_MAX_STREAMS, _MAX_STEPS = 65_536, 16_384


def export_onnx(model: nn.Module, opset: int, metadata: Mapping[str, str]) -> bytes:
    """The bytes of the ONNX file of `model`, a `StreamingModel` or anything with its interface.

    The graph takes any number of streams and any multiple of `model.step_samples` samples. Weights lie inside the file.

    Raises RunError when the graph cannot be traced or does not pass the checker.
    """
    model = model.eval()
    step = int(model.step_samples)  # type: ignore[arg-type]
    streams = torch.export.Dim("streams", min=1, max=_MAX_STREAMS)
    samples = step * torch.export.Dim("steps", min=1, max=_MAX_STEPS)
    # Two streams and three steps: sizes of 1 would be taken for constants by the tracer.
    example = (torch.zeros(2, 3 * step), model.settled_state(2))  # type: ignore[operator]
    with _quiet_exporter():
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
                # Not the exporter's own optimiser: see simplify.
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
        raise RunError(f"the exporter wrote opset {stated} where {opset} was asked for; set export.opset={stated}")
    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise RunError(f"the exported graph is not valid ONNX ({' '.join(str(error).split())[:300]})") from error
    return bytes(proto.SerializeToString())


def simplify(model: Any) -> None:
    """Fold constants and drop what is unused, in place.

    onnxscript's full optimiser adds rewrite rules that take a constant up to 1e-8 for zero: `x + 1e-8` becomes `x`, the
    floor under a logarithm is gone and digital silence gives NaN. ONNX Runtime fuses convolutions and norms by itself.
    """
    passes.InlinePass()(model)
    for _ in range(2):
        onnxscript.optimizer.fold_constants(model)
        passes.RemoveUnusedNodesPass()(model)
    for clean in (
        passes.IdentityEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    ):
        clean(model)


def _name_dimensions(proto: onnx.ModelProto) -> None:
    """Plain names for the free dimensions, in place of the tracer's symbols such as `320*steps` and `s42`."""
    for value, name in ((proto.graph.input[0], "samples"), (proto.graph.output[0], "scores")):
        value.type.tensor_type.shape.dim[1].dim_param = name


class _quiet_exporter:
    """The exporter logs a warning per operator of packages that are absent (torchvision) and of its own internals."""

    def __enter__(self) -> None:
        self._logger = logging.getLogger("torch.onnx._internal.exporter")
        self._level = self._logger.level
        self._logger.setLevel(logging.ERROR)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *error: Any) -> None:
        self._warnings.__exit__(*error)
        self._logger.setLevel(self._level)
