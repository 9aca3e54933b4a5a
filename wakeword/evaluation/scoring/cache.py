"""Cache of scores by the hash of model and samples."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeword.evaluation.scoring.stage import scored_samples
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.bundle import VARIANTS, Bundle
from wakeword.runtime.engine import Engine
from wakeword.system.files import atomic_path

SCORING_VERSION = 2
"""Version of the scoring; it is part of the cache key."""


class ScoreCache:
    """One `.npy` per track in `folder`, named by the SHA-256 of model, samples and software versions."""

    def __init__(self, folder: Path, bundle: Bundle, engine: Engine) -> None:
        self.folder = folder
        self._bundle = bundle
        self._step = engine.step_samples
        model = bundle.manifest.files[VARIANTS[bundle.variant]].sha256
        about = (SCORING_VERSION, model, self._step, bundle.tail_steps, engine.runtime_version)
        self._model = " ".join(map(str, about)).encode()

    def path(self, track: Track) -> Path:
        """File of the track's scores."""
        digest = hashlib.sha256(self._model)
        for part in track.identity():
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return self.folder / f"{digest.hexdigest()}.npy"

    def read(self, track: Track) -> NDArray[np.float32] | None:
        """Scores `(scores, words)`, or None if they are missing or damaged."""
        try:
            found = np.load(self.path(track), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        shape = (scored_samples(track, self._bundle) // self._step, len(self._bundle.labels))
        fits = found.dtype == np.float32 and found.shape == shape
        return found if fits and bool(np.isfinite(found).all()) else None

    def write(self, track: Track, scores: NDArray[np.float32]) -> None:
        """Store a track's scores."""
        with atomic_path(self.path(track)) as temporary, temporary.open("wb") as file:
            np.save(file, scores, allow_pickle=False)
