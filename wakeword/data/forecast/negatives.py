"""The recordings that a forecast listens to, and what the phoneme recogniser heard in them, kept in the user's cache.

Recordings are chosen by a hash of their address until they fill the requested time, so that the choice is spread over
them and stays the same. What was heard does not depend on the phrase: a second phrase on the same recordings is quick.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wakeword.audio.io import AudioError, stream_blocks
from wakeword.audio.locators import stamp_of
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.manifest import MANIFEST_SCHEMA, Row
from wakeword.data.plan import guessed_s
from wakeword.data.sources.types import read_source, source_types
from wakeword.data.splits import draw
from wakeword.data.words import assign_words
from wakeword.errors import DataError
from wakeword.phonetics.listening import Listener, compact, hear_blocks
from wakeword.stages.progress import Progress
from wakeword.stages.ray_session import available_cpus
from wakeword.system.files import atomic_path, user_cache

KINDS = ("speech", "noise", "music")
UNIT_S = 60.0
"""Audio of one file of the cache."""
LONGEST_S = 60.0
"""Audio of one recording; longer ones are heard up to here, so that one book does not speak for all."""
_BLOCK_S = 10.0
_VERSION = 1
"""Increased when the same recordings would give another result."""


@dataclass(frozen=True)
class Listed:
    """Recordings to listen to; `holding` of those that were found hold the phrase by their text and are left out."""

    uris: tuple[str, ...]
    texts: tuple[str, ...]
    holding: int


@dataclass(frozen=True)
class Heard:
    """What a recogniser heard in recordings, one after another.

    `log_probs (frames, tokens)` in the compact form; `ends (recordings,)` is the frame after each one's last; `uris`
    and `texts` are their addresses and transcripts; `failed` are sentences on recordings that could not be read.
    """

    log_probs: NDArray[np.uint8]
    ends: NDArray[np.int64]
    uris: tuple[str, ...]
    texts: tuple[str, ...]
    failed: tuple[str, ...]
    rate_hz: float

    @property
    def hours(self) -> float:
        """Length of the audio."""
        return len(self.log_probs) / self.rate_hz / 3600

    def place(self, end_s: float) -> tuple[int, float]:
        """Number of the recording that holds a moment of the whole, and the moment in it in seconds."""
        frame = max(0, int(end_s * self.rate_hz) - 1)
        number = min(int(np.searchsorted(self.ends, frame, side="right")), len(self.ends) - 1)
        return number, end_s - (float(self.ends[number - 1]) / self.rate_hz if number else 0.0)


def list_negatives(place: str, words: Sequence[WordConfig]) -> Listed:
    """Speech, noise and music of a prepared folder, a CSV manifest, a source `TYPE:URI` or a folder of recordings.

    Raises:
        DataError: there is nothing of that name, or no recording is left.
    """
    path = Path(place)
    kind, separator, uri = place.partition(":")
    if (path / "manifest.parquet").is_file():
        table = pq.read_table(path / "manifest.parquet", schema=MANIFEST_SCHEMA)
    elif path.suffix.lower() == ".csv":
        table = read_source(SourceConfig(type="csv", uri=place), words).clips
    elif separator and uri and kind in source_types():
        table = read_source(SourceConfig(type=kind, uri=uri), words).clips
    else:
        table = read_source(SourceConfig(type="noise_folder", uri=place, kind="speech"), words).clips
    kept, held = assign_words(table, words)
    rows: dict[str, Row] = {}
    for row in kept.select(["uri", "kind", "text"]).to_pylist():
        if row["kind"] in KINDS:
            rows.setdefault(row["uri"], row)
    if not rows:
        raise DataError(f"{place} holds no speech, noise or music without the phrase: name another with --negatives")
    ordered = sorted(rows.values(), key=lambda row: (draw(f"forecast:{Path(row['uri']).name}"), row["uri"]))
    return Listed(tuple(row["uri"] for row in ordered), tuple(row["text"] or "" for row in ordered), len(held))


def hear_negatives(
    listener: Listener, fingerprint: str, listed: Listed, most_s: float, progress: bool | None = None
) -> Heard:
    """Listen to recordings until they fill `most_s` seconds (0: to all), or read it from the cache.

    Raises:
        DataError: no recording can be read.
    """
    folder = user_cache() / "heard"
    parts: list[NDArray[np.uint8]] = []
    lengths: list[int] = []
    used: list[int] = []
    failed: list[str] = []
    units = list(_units(listed.uris, most_s))

    def read(unit: list[int]) -> tuple[NDArray[np.uint8], list[int], list[str]]:
        return _unit(listener, fingerprint, [listed.uris[number] for number in unit], folder)

    # A thread per CPU, each with one unit: torch releases the lock, and its own threads gain little on such networks.
    with (
        Progress("listening", float(len(units)), "pieces", progress) as bar,
        ThreadPoolExecutor(available_cpus()) as pool,
    ):
        for done, (unit, (log_probs, frames, faults)) in enumerate(zip(units, pool.map(read, units), strict=True), 1):
            parts.append(log_probs)
            lengths += [length for length in frames if length]
            used += [number for number, length in zip(unit, frames, strict=True) if length]
            failed += faults
            bar.to(float(done))
    if not lengths:
        raise DataError(
            f"none of the {len(listed.uris)} recordings can be read: {failed[0] if failed else 'all are empty'}"
        )
    uris, texts = (tuple(part[number] for number in used) for part in (listed.uris, listed.texts))
    return Heard(np.concatenate(parts), np.cumsum(lengths), uris, texts, tuple(failed), listener.rate_hz)


def _units(uris: Sequence[str], most_s: float) -> Iterator[list[int]]:
    """Numbers of the recordings of each file of the cache."""
    unit: list[int] = []
    unit_s = total_s = 0.0
    for number, uri in enumerate(uris):
        if most_s and total_s >= most_s:
            break
        duration_s = min(LONGEST_S, guessed_s(uri))
        unit.append(number)
        unit_s += duration_s
        total_s += duration_s
        if unit_s >= UNIT_S:
            yield unit
            unit, unit_s = [], 0.0
    if unit:
        yield unit


def _unit(
    listener: Listener, fingerprint: str, uris: Sequence[str], folder: Path
) -> tuple[NDArray[np.uint8], list[int], list[str]]:
    """Frames `(frames, tokens)`, their number for each recording, and what could not be read."""
    settings = "|".join([str(_VERSION), fingerprint, *(f"{uri} {stamp_of(uri)}" for uri in uris)])
    path = folder / f"{hashlib.sha256(settings.encode()).hexdigest()[:32]}.npz"
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as stored:
                return stored["log_probs"], stored["frames"].tolist(), stored["failed"].tolist()
        except (OSError, ValueError, KeyError, BadZipFile):
            pass  # A damaged file of the cache is made again.
    parts, frames, failed = [], [], []
    for uri in uris:
        heard: list[NDArray[np.uint8]] = []
        try:
            blocks = islice(stream_blocks(uri, _BLOCK_S), round(LONGEST_S / _BLOCK_S))
            heard = [compact(part) for part in hear_blocks(listener, blocks)]
        except AudioError as error:
            failed.append(str(error))
        frames.append(sum(map(len, heard)))
        parts += heard
    log_probs = np.concatenate(parts) if parts else np.zeros((0, 0), np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    # np.savez adds the suffix to a name without it: the temporary file is opened here.
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, log_probs=log_probs, frames=np.asarray(frames), failed=np.asarray(failed, dtype=np.str_))
    return log_probs, frames, failed
