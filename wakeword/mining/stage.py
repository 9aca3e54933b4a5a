"""The stage of mining: negative recordings in, candidates (peaks with a high score) out.

A unit of work is a list of recordings. The runtime's detector scores them block by block, as in `audit`. The result is
one file per unit, written atomically, with the audio of all candidates; a unit with a file is not scored again.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.audio.decoding.guard import shared_decoder
from wakeword.audio.fingerprint import HOP, fingerprint
from wakeword.audio.io import AudioError, flac_bytes, stream_blocks, to_int16
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.config.data import DataConfig
from wakeword.config.frontend import FrontendConfig
from wakeword.evaluation.audit.run import BLOCK_S, Audio, ClipRecorder, ClipSpan
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.events import Detection
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import atomic_path

if TYPE_CHECKING:
    from wakeword.audio.frontend import Frontend

MINING_VERSION = 1
"""Increased when the same recordings would give other candidates."""
SPAN = ClipSpan(before_s=2.0, after_s=1.0)
"""The clip around a peak: the receptive field of a model, and the decay of its score."""
CONTEXT_S = 2.0
"""Audio on either side of the clip that is compared with clips of val and test as well."""
TAIL_S = 1.0
"""Silence after a recording: the score of a model peaks shortly after the sound."""
EMBEDDED_S = (-1.2, 0.3)
"""Times, relative to the peak, of the sound that the embedding describes."""
EMBEDDED_BINS = 10
RECORDING_MOST = 300
"""Most candidates of one recording, those of the highest score; they are in memory until it ends."""

_CANDIDATE = pa.struct(
    [
        ("word", pa.string()),
        *((name, pa.float64()) for name in ("score", "start_s", "end_s", "clip_start_s", "duration_s")),
        *((name, pa.large_binary()) for name in ("audio", "print", "embedding")),
        ("print_first", pa.int32()),
    ]
)
PART_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("uri", "digest", "reason", "detail")),
        ("heard_s", pa.float64()),
        ("candidates", pa.large_list(_CANDIDATE)),
    ]
)
"""A row per recording: `digest` is the SHA-256 of its samples, `print` a candidate's fingerprint with `CONTEXT_S` on
either side, in which the clip begins at frame `print_first`."""


@dataclass(frozen=True)
class _Found:
    """A peak with the audio around it; `first` is the place of the audio's first sample in the recording."""

    event: Detection
    audio: Audio
    first: int


class _Highest:
    """The events of one recording with the highest scores, as candidates, in bounded memory.

    Peaks of a word within `apart_s` of each other are one event, represented by the highest of them.
    """

    def __init__(self, apart_s: float, candidate: Callable[[_Found], dict[str, Any]]) -> None:
        self._apart_s, self._candidate = apart_s, candidate
        self._open: dict[str, _Found] = {}
        self._heap: list[tuple[float, float, str, dict[str, Any]]] = []

    def add(self, peaks: Iterable[_Found]) -> None:
        for peak in peaks:
            before = self._open.get(peak.event.word)
            if before is not None and peak.event.end_s - before.event.end_s >= self._apart_s:
                self._close(before)
                before = None
            if before is None or peak.event.score > before.event.score:
                self._open[peak.event.word] = peak

    def end(self) -> list[dict[str, Any]]:
        """The candidates in time order."""
        for found in self._open.values():
            self._close(found)
        return [entry[-1] for entry in sorted(self._heap, key=lambda entry: (-entry[1], entry[2]))]

    def _close(self, found: _Found) -> None:
        event = found.event
        # Of equal scores the earlier event stays; a word has one event at a time, so entries never tie.
        place = (event.score, -event.end_s, event.word)
        if len(self._heap) < RECORDING_MOST:
            heapq.heappush(self._heap, (*place, self._candidate(found)))
        elif place > self._heap[0][:3]:
            heapq.heapreplace(self._heap, (*place, self._candidate(found)))


class MiningStage(Stage):
    """Scores the recordings of each row and writes their candidates to the row's file.

    Args:
        bundle: of the detector.
        limits: the least score of each word.
        data: how recordings are decoded.
    """

    name = "mining"
    reads = ("file", "clips")
    writes = ("file", "clips_done", "duration_s")
    resources = StageResources(cpus=1.0, batch_size=1, stateful=True)

    def __init__(self, bundle: Bundle, limits: list[float], data: DataConfig) -> None:
        detector = bundle.manifest.detector
        # With the low limit, the refractory time after a first low peak could suppress the highest one: the detector
        # reports all peaks, and `_Highest` chooses the highest of those that are one event.
        manifest = bundle.manifest.model_copy(update={"detector": detector.model_copy(update={"refractory_s": 0.0})})
        self.bundle = replace(bundle, manifest=manifest)
        self.apart_s = detector.refractory_s
        self.limits = limits
        self.data = data

    def setup(self) -> None:
        """Load the detector and the front end of the embedding."""
        from wakeword.audio.frontend import Frontend

        wide = ClipSpan(SPAN.before_s + CONTEXT_S, SPAN.after_s + CONTEXT_S)
        # The detector is trained on what is mined, so it searches alone.
        self.recorder = ClipRecorder(self.bundle, self.limits, wide, verify=False)
        self.frontend = Frontend(FrontendConfig())

    def __call__(self, table: pa.Table) -> pa.Table:
        """Score each unit and write its file."""
        return write_parts(table, self._mined)

    def _mined(self, uri: str) -> dict[str, Any]:
        """The candidates of a recording; one that cannot be decoded to its end gives none."""
        digest, samples = hashlib.sha256(), 0
        highest = _Highest(self.apart_s, self._candidate)
        try:
            for block in recording_blocks(uri, self.data):
                digest.update(to_int16(block).tobytes())
                samples += len(block)
                highest.add(self._found(self.recorder.process(block), samples))
        except AudioError as error:
            self.recorder.finish()
            empty = {"uri": uri, "digest": "", "heard_s": 0.0, "candidates": []}
            return {**empty, "reason": error.reason, "detail": error.detail}
        for _ in range(round(TAIL_S / BLOCK_S)):
            quiet = np.zeros(round(BLOCK_S * SAMPLE_RATE_HZ), np.float32)
            highest.add(self._found(self.recorder.process(quiet), samples))
        highest.add(self._found(self.recorder.finish(), samples))
        facts = {"uri": uri, "digest": digest.hexdigest(), "reason": "", "detail": ""}
        return {**facts, "heard_s": samples / SAMPLE_RATE_HZ, "candidates": highest.end()}

    def _found(self, events: list[tuple[Detection, Audio]], samples: int) -> Iterator[_Found]:
        """Peaks with their audio, without the silence after the recording."""
        for event, audio in events:
            first = max(0, round((event.end_s - SPAN.before_s - CONTEXT_S) * SAMPLE_RATE_HZ))
            yield _Found(event, audio[: max(0, samples - first)], first)

    def _candidate(self, found: _Found) -> dict[str, Any]:
        event = found.event
        return candidate_row(
            self.frontend, event.word, event.score, (event.start_s, event.end_s), found.audio, found.first
        )


def write_parts(units: pa.Table, mined: Callable[[str], dict[str, Any]]) -> pa.Table:
    """Write the file of each unit (`file`, `clips`) with the row that `mined` gives for a recording's address."""
    done = []
    for row in units.to_pylist():
        uris = pa.ipc.open_stream(row["clips"]).read_all().column("uri").to_pylist()
        results = [mined(uri) for uri in uris]
        with atomic_path(Path(row["file"])) as temporary:
            pq.write_table(pa.Table.from_pylist(results, schema=PART_SCHEMA), temporary)
        total_s = sum(one["heard_s"] for one in results)
        done.append({"file": row["file"], "clips_done": len(uris), "duration_s": total_s})
    schema = pa.schema([("file", pa.string()), ("clips_done", pa.int64()), ("duration_s", pa.float64())])
    return pa.Table.from_pylist(done, schema=schema)


def recording_blocks(uri: str, data: DataConfig) -> Iterator[Audio]:
    """A recording in blocks of `BLOCK_S`, decoded in a child process unless `data.quality.guarded` is off."""
    quality = data.quality
    stream = shared_decoder().stream_blocks if quality.guarded else stream_blocks
    return stream(uri, BLOCK_S, quality.decode_timeout_s)


def candidate_row(
    frontend: Frontend, word: str, score: float, span_s: tuple[float, float], audio: Audio, first: int
) -> dict[str, Any]:
    """A candidate of `PART_SCHEMA`: its clip, and what tells copies and similar sounds.

    Args:
        frontend: of the embedding.
        word, score: what fired.
        span_s: start and end (the peak) in the recording.
        audio: `(samples,)`, the clip and `CONTEXT_S` on either side, where the recording has them.
        first: the place of its first sample in the recording.
    """
    start_s, end_s = span_s
    rate = SAMPLE_RATE_HZ
    low = max(first, round((end_s - SPAN.before_s) * rate)) - first
    high = min(len(audio), round((end_s + SPAN.after_s) * rate) - first)
    clip = audio[low:high]
    return {
        "word": word,
        "score": score,
        "start_s": round(start_s, 4),
        "end_s": round(end_s, 4),
        "clip_start_s": round((first + low) / rate, 6),
        "duration_s": len(clip) / rate,
        "audio": flac_bytes(clip),
        "print": fingerprint(audio).tobytes(),
        "print_first": low // HOP,
        "embedding": embedding(frontend, audio, round(end_s * rate) - first).tobytes(),
    }


def embedding(frontend: Frontend, audio: Audio, peak: int) -> np.ndarray:
    """Log-mel levels around sample `peak` of `audio (samples,)`, averaged in `EMBEDDED_BINS` bins of time.

    Samples outside the audio are silence. The mean is subtracted, so loudness has no effect, and the vector
    `(EMBEDDED_BINS * mels,)` float32 has length 1.
    """
    import torch

    low, high = (peak + round(edge_s * SAMPLE_RATE_HZ) for edge_s in EMBEDDED_S)
    size = (high - low) // (frontend.hop * EMBEDDED_BINS) * frontend.hop * EMBEDDED_BINS
    window = np.zeros(size, np.float32)
    start, stop = max(0, low), min(len(audio), low + size)
    window[start - low : stop - low] = audio[start:stop]
    with torch.inference_mode():
        mels = frontend(torch.from_numpy(window)[None], frontend.initial_state(1))[0][0].numpy()
    values = mels.reshape(EMBEDDED_BINS, -1, mels.shape[1]).mean(axis=1).ravel()
    values = values - values.mean()
    return (values / max(float(np.linalg.norm(values)), 1e-6)).astype(np.float32)
