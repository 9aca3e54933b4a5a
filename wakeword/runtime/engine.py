"""ONNX Runtime on one thread: audio and state of many streams in, scores and state out."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wakeword.errors import BundleError
from wakeword.runtime.bundle import Bundle

Float = NDArray[np.float32]

# ONNX Runtime's exceptions derive from Exception directly: its binding makes one class per status code.
_STATUS_CODES = (
    "EPFail EngineError Fail InvalidArgument InvalidGraph InvalidProtobuf NoModel NoSuchFile NotImplemented"
    " RuntimeException"
)
_ORT_ERRORS: tuple[type[Exception], ...] = (
    *(getattr(onnxruntime.capi.onnxruntime_pybind11_state, name) for name in _STATUS_CODES.split()),
    RuntimeError,
    ValueError,
)

_INPUTS, _OUTPUTS = ["audio", "state"], ["score", "next_state"]


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _session_options() -> Any:
    options = onnxruntime.SessionOptions()
    # A stream needs a few per cent of one core: more threads only wait for each other, and spinning burns the rest.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # The arena keeps the largest buffers it ever needed, for every batch shape seen; malloc gives them back.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


class Engine:
    """The graph of a bundle. Holds no audio and no state, so one engine serves any number of streams."""

    def __init__(self, bundle: Bundle) -> None:
        """Make the session and check the graph against the manifest. Raises BundleError when they do not fit."""
        self.bundle = bundle
        self.step_samples = bundle.manifest.step_samples
        self.state_size = bundle.manifest.state_size
        self._words = len(bundle.manifest.words)
        where = bundle.model_path
        try:
            self._session = onnxruntime.InferenceSession(
                bundle.model, sess_options=_session_options(), providers=["CPUExecutionProvider"]
            )
        except _ORT_ERRORS as error:
            raise BundleError(f"{where}: ONNX Runtime cannot load it ({_reason(error)})") from error
        self._check(where)
        self._check_metadata(where)
        self.settled_state = self._settle(where)
        """`(state_size,)`: the state after `context_samples` of digital silence; every stream starts from it."""

    def _check(self, where: Any) -> None:
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = {node.name: node for node in self._session.get_outputs()}
        if sorted(inputs) != sorted(_INPUTS) or sorted(outputs) != sorted(_OUTPUTS):
            raise BundleError(
                f"{where}: has inputs {sorted(inputs)} and outputs {sorted(outputs)}, not {_INPUTS} and {_OUTPUTS}"
            )
        expected = {"state": (1, self.state_size), "next_state": (1, self.state_size), "score": (2, self._words)}
        for name, node in (inputs | outputs).items():
            if node.type != "tensor(float)":
                raise BundleError(f"{where}: {name} is {node.type}, not float32")
            rank = 3 if name == "score" else 2
            if len(node.shape) != rank:
                raise BundleError(f"{where}: {name} has {len(node.shape)} dimensions, not {rank}")
            if name in expected:
                axis, size = expected[name]
                if isinstance(node.shape[axis], int) and node.shape[axis] != size:
                    raise BundleError(f"{where}: {name} has size {node.shape[axis]}, wake.json says {size}")

    def _check_metadata(self, where: Any) -> None:
        """The graph carries what it was exported with: a model and a manifest of two exports are not mixed."""
        manifest = self.bundle.manifest
        expected = {
            "words": ",".join(self.bundle.labels),
            "sample_rate_hz": str(manifest.sample_rate_hz),
            "step_samples": str(manifest.step_samples),
            "context_samples": str(manifest.context_samples),
        }
        stated = self._session.get_modelmeta().custom_metadata_map
        for key, value in expected.items():
            if stated.get(key) != value:
                raise BundleError(f"{where}: was exported with {key} {stated.get(key)}, wake.json says {value}")

    def _settle(self, where: Any) -> Float:
        samples = max(1, -(-self.bundle.manifest.context_samples // self.step_samples)) * self.step_samples
        silence = np.zeros((1, samples), dtype=np.float32)
        score, state = self.run(silence, np.zeros((1, self.state_size), dtype=np.float32))
        expected = (1, samples // self.step_samples, self._words)
        if score.shape != expected or state.shape != (1, self.state_size):
            raise BundleError(
                f"{where}: {samples} samples give scores {score.shape} and state {state.shape},"
                f" wake.json says {expected} and {(1, self.state_size)}"
            )
        if not (np.isfinite(score).all() and np.isfinite(state).all()):
            raise BundleError(f"{where}: digital silence gives NaN or infinite scores or state; export the model again")
        return state[0]

    def initial_state(self, streams: int) -> Float:
        """`(streams, state_size)`: the settled state, once per stream."""
        return np.tile(self.settled_state, (streams, 1))

    def run(self, audio: Float, state: Float) -> tuple[Float, Float]:
        """`audio (streams, samples)` float32, samples a multiple of the step; `state (streams, state_size)`.

        Returns `score (streams, samples / step, words)` in [0, 1] and the next state.

        Raises BundleError when the graph fails on them.
        """
        try:
            score, next_state = self._session.run(_OUTPUTS, {"audio": audio, "state": state})
        except _ORT_ERRORS as error:
            raise BundleError(
                f"{self.bundle.model_path}: fails on audio {audio.shape} with state {state.shape} ({_reason(error)})"
            ) from error
        return score, next_state
