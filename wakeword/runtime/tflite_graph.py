"""Run the TFLite model of a bundle in LiteRT on one thread.

The file has fixed shapes for one stream and one step, as small devices need. The state is an input and an output, so
streams and steps are processed in turn by a stateless interpreter.
"""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import BundleError, MissingExtraError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.onnx_graph import INPUTS, OUTPUTS, reason

Float = NDArray[np.float32]

METADATA_NAME = "wakeword"
"""Name of the metadata entry of the file, JSON that the export wrote."""

# LiteRT raises these for a damaged file, a missing operator, wrong shapes and lack of memory.
_LITERT_ERRORS = (ValueError, RuntimeError, TypeError, MemoryError)


class TfliteGraph:
    """One interpreter of the model per thread: interpreters are not thread-safe."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError if the model does not match the manifest, MissingExtraError without LiteRT."""
        self._model = bundle.model
        self._where = bundle.model_path
        self._step = bundle.manifest.step_samples
        self._state_size = bundle.manifest.state_size
        self._words = len(bundle.manifest.words)
        self._threads = threading.local()
        self._interpreter()
        self.version = f"ai-edge-litert {version('ai-edge-litert')}"
        """Version of the runtime library; part of the key of cached scores."""

    @cached_property
    def metadata(self) -> Mapping[str, str]:
        """The metadata that the export wrote into the file; empty without an entry."""
        from ai_edge_litert import schema_py_generated as schema

        try:
            model = schema.Model.GetRootAs(self._model, 0)
            for place in range(model.MetadataLength()):
                entry = model.Metadata(place)
                if entry is not None and entry.Name() == METADATA_NAME.encode():
                    stated = json.loads(bytes(model.Buffers(entry.Buffer()).DataAsNumpy()))
                    return {str(key): str(value) for key, value in stated.items()}
        except (struct.error, IndexError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(f"{self._where}: its metadata cannot be read ({reason(error)})") from error
        return {}

    def run(self, audio: Float, state: Float) -> tuple[Float, Float]:
        """As `wakeword.runtime.engine.Engine.run`, with one call of the model per stream and step."""
        streams, samples = audio.shape
        if state.shape != (streams, self._state_size) or samples % self._step:
            raise BundleError(
                f"{self._where}: fails on audio {audio.shape} with state {state.shape} (it needs whole steps of"
                f" {self._step} samples and states of {self._state_size})"
            )
        interpreter, places = self._interpreter()
        score = np.empty((streams, samples // self._step, self._words), dtype=np.float32)
        next_state = np.empty_like(state)
        try:
            for stream in range(streams):
                kept = state[stream : stream + 1]
                for step in range(samples // self._step):
                    chunk = audio[stream : stream + 1, step * self._step : (step + 1) * self._step]
                    interpreter.set_tensor(places["audio"], chunk)
                    interpreter.set_tensor(places["state"], kept)
                    interpreter.invoke()
                    score[stream, step] = interpreter.get_tensor(places["score"])[0, 0]
                    kept = interpreter.get_tensor(places["next_state"])
                next_state[stream] = kept[0]
        except _LITERT_ERRORS as error:
            raise BundleError(
                f"{self._where}: fails on audio {audio.shape} with state {state.shape} ({reason(error)})"
            ) from error
        return score, next_state

    def _interpreter(self) -> tuple[Any, dict[str, int]]:
        """The interpreter of this thread and the indices of its tensors by name."""
        found = getattr(self._threads, "found", None)
        if found is None:
            found = self._threads.found = self._load()
        return found

    def _load(self) -> tuple[Any, dict[str, int]]:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError("a TFLite model", "litert", error) from error
        try:
            # A step is too little work for several threads.
            interpreter = Interpreter(model_content=self._model, num_threads=1)
            interpreter.allocate_tensors()
        except _LITERT_ERRORS as error:
            raise BundleError(f"{self._where}: LiteRT cannot load it ({reason(error)})") from error
        inputs = {detail["name"]: detail for detail in interpreter.get_input_details()}
        outputs = {detail["name"]: detail for detail in interpreter.get_output_details()}
        if sorted(inputs) != sorted(INPUTS) or sorted(outputs) != sorted(OUTPUTS):
            raise BundleError(
                f"{self._where}: has inputs {sorted(inputs)} and outputs {sorted(outputs)}, not {INPUTS} and {OUTPUTS}"
            )
        state = (1, self._state_size)
        expected = {"audio": (1, self._step), "state": state, "score": (1, 1, self._words), "next_state": state}
        for name, detail in (inputs | outputs).items():
            if detail["dtype"] is not np.float32:
                raise BundleError(f"{self._where}: {name} is {np.dtype(detail['dtype'])}, not float32")
            if (shape := tuple(map(int, detail["shape"]))) != expected[name]:
                raise BundleError(f"{self._where}: {name} has shape {shape}, wake.json states {expected[name]}")
        return interpreter, {name: detail["index"] for name, detail in (inputs | outputs).items()}
