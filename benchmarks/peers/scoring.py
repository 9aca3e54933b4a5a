"""Scores of a peer on tracks, computed in its own environment and placed on the grid of its steps."""

from __future__ import annotations

import hashlib
import subprocess
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.harness import pip_install
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import DataError, RunError
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.events import EventTiming
from wakeword.system.files import atomic_path

CHILD = Path(__file__).with_name("child.py")
REQUIREMENTS = Path(__file__).resolve().parent.parent / "peers_requirements.txt"
BLOCK_SAMPLES = 10 * SAMPLE_RATE_HZ
SHIPPED_REFRACTORY_S = 2.0
"""The packages have no refractory time. This is the default of Home Assistant's Linux voice assistant, which runs both
families: openWakeWord's scores stay high for longer than 1 s."""
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Peer:
    """A ready-made detector and its package's rule for detections.

    `key`: its name in `child.py`. `step_samples`: audio per score. `smoothing_s`: its moving average.
    `threshold`: the lowest smoothed score at which it fires by default.
    """

    name: str
    key: str
    step_samples: int
    smoothing_s: float
    threshold: float

    @property
    def step_s(self) -> float:
        """Seconds of audio per score."""
        return self.step_samples / SAMPLE_RATE_HZ

    @property
    def shipped_timing(self) -> EventTiming:
        """The package's rule: it fires at the first score at or above its threshold."""
        return EventTiming.from_seconds(self.step_s, self.smoothing_s, 0.0, SHIPPED_REFRACTORY_S)


PEERS = (
    # It fires above 0.9, not at 0.9, and the mean of five scores can be exactly 0.9.
    Peer("microWakeWord v2 (pymicro-wakeword 2.5.0)", "pymicro_wakeword", 480, 0.15, float(np.nextafter(0.9, 1))),
    Peer("openWakeWord v0.1, ONNX (openwakeword 0.4.0)", "openwakeword", 1280, 0.0, 0.5),
    Peer("openWakeWord v0.1, TFLite (pyopen-wakeword 1.1.0)", "pyopen_wakeword", 1280, 0.0, 0.5),
)
"""The second and third peer are the same network in two runtimes."""


def peers_python(folder: Path) -> Path:
    """Interpreter of the environment in `folder`, which is rebuilt when the pinned requirements have changed.

    Raises RunError where the packages cannot be installed.
    """
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if python.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"making the peers' environment in {folder}", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    if fault := pip_install(python, "--only-binary", ":all:", "-r", str(REQUIREMENTS)):
        raise RunError(
            f"the peers' packages cannot be installed into {folder} ({fault}): this benchmark needs a package index"
            " and, for its wheels, Linux on x86-64 with Python 3.11 or 3.12"
        )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def on_grid(positions: ArrayLike, scores: ArrayLike, step_samples: int, samples: int) -> Scores:
    """Scores `(samples // step_samples, 1)` of a track; score i belongs to sample `(i + 1) * step_samples`.

    `positions`, `scores (k,)`: samples processed before each score, and the score. Of several at one position the
    highest counts; before the first the score is 0.

    Raises DataError for scores that are not finite, off the grid, out of order or outside the track, or with a step
    left out after the first.
    """
    times, values = np.asarray(positions, dtype=np.int64), np.asarray(scores, dtype=np.float32)
    count = samples // step_samples
    if times.shape != values.shape or not np.all(np.isfinite(values)):
        raise DataError("the peer's scores are not finite or have no times: delete its environment and run again")
    places = times // step_samples - 1
    if np.any(times % step_samples) or np.any(np.diff(places) < 0) or (len(places) and places[0] < 0):
        raise DataError(f"the peer's scores do not follow every {step_samples} samples: install its pinned release")
    kept = places < count
    found = np.unique(places[kept])
    if len(found) and not np.array_equal(found, np.arange(found[0], count)):
        raise DataError(f"the peer leaves out scores between {found[0]} and {count}: install its pinned release")
    grid = np.zeros(count, dtype=np.float32)
    np.maximum.at(grid, places[kept], values[kept])
    return grid[:, None]


def peer_scores(peer: Peer, tracks: Sequence[Track], python: Path, cache_dir: Path) -> list[Scores]:
    """Raw scores `(scores, 1)` of each track; scores in `cache_dir` are not computed again.

    Raises RunError when the peer's process fails, DataError for scores that cannot be placed (`on_grid`).
    """
    results = []
    for track in tracks:
        path = cache_dir / f"{_digest(peer, track)}.npy"
        if not path.is_file():
            found = _run_child(peer, track, python)
            scores = on_grid(found["position"], found["score"], peer.step_samples, track.samples)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, scores, allow_pickle=False)
        results.append(np.load(path, allow_pickle=False))
    return results


def _digest(peer: Peer, track: Track) -> str:
    """Hash of the track, the peer, its packages and `child.py`."""
    digest = hashlib.sha256(peer.key.encode() + REQUIREMENTS.read_bytes() + CHILD.read_bytes())
    for part in track.identity():
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _run_child(peer: Peer, track: Track, python: Path) -> NDArray[Any]:
    """Positions in samples and scores of a track, as a structured array `(k,)`."""
    audio = np.concatenate(list(track.blocks(BLOCK_SAMPLES)))
    samples = np.clip(np.rint(audio * 32768), -32768, 32767).astype("<i2").tobytes()
    done = subprocess.run([str(python), str(CHILD), peer.key], input=samples, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise RunError(f"{peer.name} stopped on track {track.name}: {lines[-1]}")
    return np.frombuffer(done.stdout, dtype=[("position", "<i8"), ("score", "<f4")])
