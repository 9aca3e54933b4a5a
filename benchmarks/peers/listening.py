"""What a peer says of a track: audio to its process, scores back, on the grid of its own steps."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.peers.environment import REQUIREMENTS
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import DataError, RunError
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.events import EventTiming
from wakeword.system.files import atomic_path

CHILD = Path(__file__).with_name("child.py")
BLOCK_SAMPLES = 10 * SAMPLE_RATE_HZ
SHIPPED_REFRACTORY_S = 2.0
"""The packages leave it to their callers how long to stay silent after a detection. This is the default of Home
Assistant's Linux voice assistant, which runs both families: openWakeWord's scores stay high for longer than 1 s."""
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Peer:
    """A ready-made detector and how its package turns scores into detections.

    `key`: what `child.py` calls it. `step_samples`: audio per score. `smoothing_s`: its own moving average.
    `threshold`: the lowest smoothed score at which it fires as it comes.
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
        """The package's own rule: it fires at the first score at or above its threshold, without looking ahead."""
        return EventTiming.from_seconds(self.step_s, self.smoothing_s, 0.0, SHIPPED_REFRACTORY_S)


PEERS = (
    # Fires above 0.9, not at it; its average over five scores can be 0.9 exactly.
    Peer("microWakeWord v2 (pymicro-wakeword 2.5.0)", "pymicro_wakeword", 480, 0.15, float(np.nextafter(0.9, 1))),
    Peer("openWakeWord v0.1, ONNX (openwakeword 0.4.0)", "openwakeword", 1280, 0.0, 0.5),
    Peer("openWakeWord v0.1, TFLite (pyopen-wakeword 1.1.0)", "pyopen_wakeword", 1280, 0.0, 0.5),
)
"""All releases of a family hold the same network for the word, so the third peer is another way to run the second."""


def on_grid(heard: ArrayLike, scores: ArrayLike, step_samples: int, samples: int) -> Scores:
    """Scores `(samples // step_samples, 1)` of a track: number i came when `(i + 1) * step_samples` were heard.

    `heard`, `scores (k,)`: samples heard when each score came, and the score. Of several at once the highest counts, as
    it would to a user; before the first the score is 0.

    Raises DataError for scores that are not finite, off the grid, out of order or outside the track, or with a step
    left out after the first.
    """
    times, values = np.asarray(heard, dtype=np.int64), np.asarray(scores, dtype=np.float32)
    count = samples // step_samples
    if times.shape != values.shape or not np.all(np.isfinite(values)):
        raise DataError("the peer gives scores that are not finite, or without their times: its environment is broken")
    places = times // step_samples - 1
    if np.any(times % step_samples) or np.any(np.diff(places) < 0) or (len(places) and places[0] < 0):
        raise DataError(f"the peer gives scores that do not come every {step_samples} samples: its release is another")
    kept = places < count
    found = np.unique(places[kept])
    if len(found) and not np.array_equal(found, np.arange(found[0], count)):
        raise DataError(f"the peer leaves out scores between {found[0]} and {count}: its release is another")
    grid = np.zeros(count, dtype=np.float32)
    np.maximum.at(grid, places[kept], values[kept])
    return grid[:, None]


def hear(
    peer: Peer, tracks: Sequence[Track], python: Path, cache_dir: Path, progress: Callable[[float], None] | None = None
) -> list[Scores]:
    """Raw scores `(scores, 1)` of each track; those that are in `cache_dir` are not computed again.

    Raises RunError when the peer's process fails, DataError for scores that cannot be placed (`on_grid`).
    """
    results = []
    with _Process(peer, python, cache_dir / f"{peer.key}.log") as process:
        for track in tracks:
            path = cache_dir / f"{_digest(peer, track)}.npy"
            if not path.is_file():
                times, values = process.scores(track)
                with atomic_path(path) as temporary, temporary.open("wb") as file:
                    np.save(file, on_grid(times, values, peer.step_samples, track.samples), allow_pickle=False)
            results.append(np.load(path, allow_pickle=False))
            if progress is not None:
                progress(track.duration_s)
    return results


def _digest(peer: Peer, track: Track) -> str:
    """Name of a track's scores: what is heard, and everything that hears it."""
    digest = hashlib.sha256(peer.key.encode() + REQUIREMENTS.read_bytes() + CHILD.read_bytes())
    for part in track.identity():
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


class _Process:
    """The peer's process, started at the first track that needs it; what it says on stderr goes to `log`."""

    def __init__(self, peer: Peer, python: Path, log: Path) -> None:
        self._peer, self._python, self._log = peer, python, log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def scores(self, track: Track) -> tuple[NDArray[np.int64], Scores]:
        """Samples heard and scores `(k,)`, as they came."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"samples": track.samples}).encode() + b"\n")
            for block in track.blocks(BLOCK_SAMPLES):
                process.stdin.write(np.clip(np.rint(block * 32768), -32768, 32767).astype("<i2").tobytes())
            process.stdin.flush()
            count = json.loads(process.stdout.readline())["scores"]
            times = np.frombuffer(_exactly(process.stdout, 8 * count), dtype="<i8")
            return times, np.frombuffer(_exactly(process.stdout, 4 * count), dtype="<f4")
        except (OSError, EOFError, json.JSONDecodeError) as error:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing"]
            raise RunError(
                f"{self._peer.name} stopped on track {track.name} and said: {said[-1]}; all of it is in {self._log}"
            ) from error

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [str(self._python), str(CHILD), self._peer.key],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                )
        return self._process


def _exactly(source: IO[bytes], size: int) -> bytes:
    found = source.read(size)
    if len(found) != size:
        raise EOFError(f"{len(found)} of {size} bytes came")
    return found
