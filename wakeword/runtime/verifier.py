"""The second stage of a bundle: a phoneme recogniser that hears the audio around each peak of the detector.

The path of the phrase's phonemes through the recogniser's output gives measures, and a map fuses them with the
detector's score. It runs at a few peaks a minute of speech, so its cost is small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.errors import BundleError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.fusion import FusionMap
from wakeword.runtime.manifest import VERIFIER_NAME, VerifierPart
from wakeword.runtime.phoneme_path import PathFeatures, PhraseScorer

__all__ = ["FusionMap", "Verifier"]

Float = NDArray[np.float32]

FRAMES_OFF = 2
"""Largest difference between the frames of a window and its length times the stated rate: recognisers pad."""


class Verifier:
    """The verifier of a bundle. It is stateless: one serves any number of streams and threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError without a verifier, and if graph and manifest do not match or silence gives NaN."""
        # Imported lazily: ONNX Runtime takes half of the time and memory of `import wakeword.runtime`.
        from wakeword.runtime.onnx_graph import open_session

        if bundle.manifest.verifier is None:
            raise BundleError(f"{bundle.path}: holds no verifier; export it again with export.verifier=phonetic")
        self.part: VerifierPart = bundle.manifest.verifier
        self._where = bundle.path / VERIFIER_NAME
        rate_hz = bundle.manifest.sample_rate_hz
        self.before_samples = round(self.part.before_s * rate_hz)
        """Samples before the end of a peak's score that a window holds."""
        self.after_samples = round(self.part.after_s * rate_hz)
        """Samples after it."""
        self.window_samples = self.before_samples + self.after_samples
        self._first_end = self.part.first_end
        self._words = {word.label: word for word in self.part.words}
        self._scorers = {
            word.label: PhraseScorer(
                [one.pronunciation() for one in word.pronunciations], self.part.blank, self.part.boundary
            )
            for word in self.part.words
        }
        self._session = open_session(bundle.verifier_model, self._where)
        self._check_interface()
        self._check_output(rate_hz)

    @property
    def thresholds(self) -> list[float]:
        """The default threshold of each word on its fused score."""
        return [word.threshold for word in self.part.words]

    @property
    def trigger_thresholds(self) -> list[float]:
        """The threshold of each word on the smoothed detector score above which a peak is verified."""
        return [word.trigger_threshold for word in self.part.words]

    def log_probs(self, windows: ArrayLike) -> Float:
        """Log-probabilities `(n, frames, tokens)` of windows `(n, samples)` float32 at 16 kHz.

        The windows run one by one, so that the result of each does not depend on the others.

        Raises BundleError if the graph fails or its output has another size or NaN, ValueError for a wrong shape.
        """
        audio = np.ascontiguousarray(windows, dtype=np.float32)
        if audio.ndim != 2:
            raise ValueError(f"windows must be (n, samples), got {audio.shape}")
        if not len(audio):
            return np.zeros((0, 0, self.part.tokens), dtype=np.float32)
        return np.concatenate([self._run(audio[row : row + 1]) for row in range(len(audio))])

    def measure(self, label: str, log_probs: Float) -> PathFeatures:
        """The best path of the word `label` through each of `log_probs (n, frames, tokens)`; every value `(n,)`.

        It ends near the detector's peak (`VerifierPart.path_end_s`).
        """
        return self._scorers[label](log_probs, self._first_end)

    def fused(self, label: str, score: ArrayLike, features: PathFeatures) -> NDArray[np.float64]:
        """Fused scores `(n,)` in (0, 1) of the smoothed detector scores `(n,)` of the word and its paths."""
        if label not in self._words:
            raise KeyError(label)
        return self.part.fusion.fused(score, features)

    def _run(self, window: Float) -> Float:
        from wakeword.runtime.onnx_graph import ORT_ERRORS, reason

        try:
            (found,) = self._session.run(["log_probs"], {"audio": window})
        except ORT_ERRORS as error:
            raise BundleError(f"{self._where}: fails on audio {window.shape} ({reason(error)})") from error
        log_probs = np.asarray(found)
        if log_probs.ndim != 3 or log_probs.shape[0] != 1 or log_probs.shape[2] != self.part.tokens:
            raise BundleError(
                f"{self._where}: gives log_probs {log_probs.shape}, wake.json states {self.part.tokens} tokens"
            )
        if not np.isfinite(log_probs).all():
            raise BundleError(f"{self._where}: gives NaN or infinite log_probs; export the bundle again")
        return log_probs

    def _check_interface(self) -> None:
        inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = {node.name: node for node in self._session.get_outputs()}
        if list(inputs) != ["audio"] or list(outputs) != ["log_probs"]:
            raise BundleError(
                f"{self._where}: has inputs {sorted(inputs)} and outputs {sorted(outputs)}, not audio and log_probs"
            )
        for name, rank in (("audio", 2), ("log_probs", 3)):
            node = (inputs | outputs)[name]
            if node.type != "tensor(float)" or len(node.shape) != rank:
                raise BundleError(
                    f"{self._where}: {name} is {node.type} with shape {node.shape}, not float32 of {rank} axes"
                )

    def _check_output(self, rate_hz: int) -> None:
        """Run one window of silence."""
        frames = self._run(np.zeros((1, self.window_samples), dtype=np.float32)).shape[1]
        expected = self.window_samples / rate_hz * self.part.rate_hz
        if abs(frames - expected) > FRAMES_OFF:
            raise BundleError(
                f"{self._where}: {self.window_samples} samples give {frames} frames, wake.json states"
                f" {self.part.rate_hz:g} a second"
            )
