"""One interface to the ONNX and TFLite graphs of a bundle: audio and state in, scores and next state out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import BundleError
from wakeword.runtime.bundle import Bundle

if TYPE_CHECKING:
    from wakeword.runtime.onnx_graph import OnnxGraph
    from wakeword.runtime.tflite_graph import TfliteGraph

Float = NDArray[np.float32]


def _open_graph(bundle: Bundle) -> OnnxGraph | TfliteGraph:
    if bundle.variant != "tflite":
        # Imported lazily: ONNX Runtime takes half of the time and memory of `import wakeword.runtime`.
        from wakeword.runtime.onnx_graph import OnnxGraph

        return OnnxGraph(bundle)
    from wakeword.runtime.tflite_graph import TfliteGraph

    return TfliteGraph(bundle)


class Engine:
    """The graph of a bundle. It is stateless: one engine serves any number of streams and threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError if graph and manifest do not match, MissingExtraError for TFLite without LiteRT."""
        self.bundle = bundle
        self.step_samples = bundle.manifest.step_samples
        self.state_size = bundle.manifest.state_size
        self._words = len(bundle.manifest.words)
        where = bundle.model_path
        self._graph = _open_graph(bundle)
        self.runtime_version = self._graph.version
        """Version of the runtime library."""
        self._check_metadata(where)
        self.settled_state = self._settle(where)
        """Initial state `(state_size,)` of a stream: the state after `context_samples` of digital silence."""

    def _check_metadata(self, where: Any) -> None:
        """Check that model and manifest are from the same export."""
        manifest = self.bundle.manifest
        expected = {
            "words": ",".join(self.bundle.labels),
            "sample_rate_hz": str(manifest.sample_rate_hz),
            "step_samples": str(manifest.step_samples),
            "context_samples": str(manifest.context_samples),
        }
        stated = self._graph.metadata
        for key, value in expected.items():
            if stated.get(key) != value:
                raise BundleError(f"{where}: was exported with {key} {stated.get(key)}, wake.json states {value}")

    def _settle(self, where: Any) -> Float:
        samples = max(1, -(-self.bundle.manifest.context_samples // self.step_samples)) * self.step_samples
        silence = np.zeros((1, samples), dtype=np.float32)
        score, state = self.run(silence, np.zeros((1, self.state_size), dtype=np.float32))
        expected = (1, samples // self.step_samples, self._words)
        if score.shape != expected or state.shape != (1, self.state_size):
            raise BundleError(
                f"{where}: {samples} samples give scores {score.shape} and state {state.shape},"
                f" wake.json states {expected} and {(1, self.state_size)}"
            )
        if not (np.isfinite(score).all() and np.isfinite(state).all()):
            raise BundleError(f"{where}: digital silence gives NaN or infinite scores or state; export the model again")
        return state[0]

    def initial_state(self, streams: int) -> Float:
        """The settled state for each stream: `(streams, state_size)`."""
        return np.tile(self.settled_state, (streams, 1))

    def run(self, audio: Float, state: Float) -> tuple[Float, Float]:
        """Run the graph on `audio (streams, samples)` float32 in whole steps and `state (streams, state_size)`.

        Returns `score (streams, samples / step, words)` in [0, 1] and the next state. Raises BundleError if it fails.
        """
        return self._graph.run(audio, state)
