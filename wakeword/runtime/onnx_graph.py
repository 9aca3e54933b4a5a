"""Run the ONNX graph of a bundle in ONNX Runtime on one thread."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wakeword.errors import BundleError
from wakeword.runtime.bundle import Bundle

Float = NDArray[np.float32]

# ONNX Runtime has one exception class per status code, all derived directly from Exception.
_STATUS_CODES = (
    "EPFail EngineError Fail InvalidArgument InvalidGraph InvalidProtobuf NoModel NoSuchFile NotImplemented"
    " RuntimeException"
)
ORT_ERRORS: tuple[type[Exception], ...] = (
    *(getattr(onnxruntime.capi.onnxruntime_pybind11_state, name) for name in _STATUS_CODES.split()),
    RuntimeError,
    ValueError,
)

INPUTS, OUTPUTS = ["audio", "state"], ["score", "next_state"]


def reason(error: BaseException) -> str:
    """The message of an error of another library on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _session_options() -> Any:
    options = onnxruntime.SessionOptions()
    # A stream needs a few per cent of one core: more threads would only wait, and spinning would waste CPU time.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # The arena would keep the largest buffers of every batch shape.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


def open_session(model: bytes, where: Path) -> Any:
    """A session on one thread of the processor. Raises BundleError if ONNX Runtime cannot load the model."""
    try:
        return onnxruntime.InferenceSession(model, sess_options=_session_options(), providers=["CPUExecutionProvider"])
    except ORT_ERRORS as error:
        raise BundleError(f"{where}: ONNX Runtime cannot load it ({reason(error)})") from error


class OnnxGraph:
    """A session with the graph; safe for several threads."""

    version = onnxruntime.__version__
    """Version of the runtime library; part of the key of cached scores."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError if names, types or sizes do not match the manifest."""
        self._where = bundle.model_path
        self.session = open_session(bundle.model, self._where)
        self._check(bundle.manifest.state_size, len(bundle.manifest.words))

    def _check(self, state_size: int, words: int) -> None:
        where = self._where
        inputs = {node.name: node for node in self.session.get_inputs()}
        outputs = {node.name: node for node in self.session.get_outputs()}
        if sorted(inputs) != sorted(INPUTS) or sorted(outputs) != sorted(OUTPUTS):
            raise BundleError(
                f"{where}: has inputs {sorted(inputs)} and outputs {sorted(outputs)}, not {INPUTS} and {OUTPUTS}"
            )
        expected = {"state": (1, state_size), "next_state": (1, state_size), "score": (2, words)}
        for name, node in (inputs | outputs).items():
            if node.type != "tensor(float)":
                raise BundleError(f"{where}: {name} is {node.type}, not float32")
            rank = 3 if name == "score" else 2
            if len(node.shape) != rank:
                raise BundleError(f"{where}: {name} has {len(node.shape)} dimensions, not {rank}")
            if name in expected:
                axis, size = expected[name]
                if isinstance(node.shape[axis], int) and node.shape[axis] != size:
                    raise BundleError(f"{where}: {name} has size {node.shape[axis]}, wake.json states {size}")

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata that the export wrote into the file."""
        return dict(self.session.get_modelmeta().custom_metadata_map)

    def run(self, audio: Float, state: Float) -> tuple[Float, Float]:
        """As `wakeword.runtime.engine.Engine.run`."""
        try:
            score, next_state = self.session.run(OUTPUTS, {"audio": audio, "state": state})
        except ORT_ERRORS as error:
            raise BundleError(
                f"{self._where}: fails on audio {audio.shape} with state {state.shape} ({reason(error)})"
            ) from error
        return score, next_state
