"""A continuous track: pieces, truth, and audio that is rendered piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.evaluation.tracks.clips import Audio, Clips, Pool
from wakeword.evaluation.tracks.codecs import codec_version, through_codec
from wakeword.evaluation.tracks.conditions import faded, floor_noise, in_room, level, noise_of

SETTLE_S = 1.0
"""Quiet before the first clip and, in addition to `hit_after_s`, after the last one."""
RENDER_VERSION = 2
"""Version of the rendering; it is part of the cache key of the scores."""


@dataclass(frozen=True)
class TruthRow:
    """A labelled section of a track, in seconds of the track.

    `role`: `word` (an utterance), `ignored` (events of `word` here are not counted), `clip` (a negative clip) or
    `near_miss` (a confusable clip). `word` is empty for a `clip`; for a `near_miss` it is the word that it sounds like
    (empty: any) and `phoneme_distance` the distance to it (-1: unknown). `text` to `pitch_hz` are columns of the
    manifest, empty or None if unknown.
    """

    track: str
    role: str
    word: str
    start_s: float
    end_s: float
    speaker: str
    clip_id: str
    condition: str
    source: str
    kind: str
    phoneme_distance: int = -1
    text: str = ""
    accent: str = ""
    age: str = ""
    gender: str = ""
    pitch_hz: float | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class Piece:
    """A clip and the quiet after it; `word` is the utterance in samples of the clip, for levels.

    `follows`: the piece continues the recording of the previous piece; `goes_on`: the next piece continues this one.
    There is no fade between them.
    """

    row: int
    clip_samples: int
    gap_samples: int
    word: tuple[int, int]
    number: int
    follows: bool = False
    goes_on: bool = False

    @property
    def samples(self) -> int:
        """Length in samples."""
        return self.clip_samples + self.gap_samples


@dataclass(frozen=True)
class Track:
    """A continuous track; `kind` is positives, speech, noise, near_misses or recording.

    `as_recorded`: the track is the concatenated clips, without added quiet and noise.
    """

    name: str
    kind: str
    condition: str
    word: str
    clips: Clips
    pieces: tuple[Piece, ...]
    truth: tuple[TruthRow, ...]
    seed: int
    end_gap_s: float
    snr_db: float | None = None
    noise: Pool | None = None
    rooms: Pool | None = None
    codec: str = ""
    as_recorded: bool = False

    @cached_property
    def _edges(self) -> NDArray[np.int64]:
        """First sample of each part (quiet, pieces, quiet) and, last, the end of the track."""
        both = round((SETTLE_S + self.end_gap_s) * SAMPLE_RATE_HZ)
        lead = round(SETTLE_S * SAMPLE_RATE_HZ)
        quiet = (0, 0) if self.as_recorded else (lead, both - lead)
        lengths = [quiet[0], *(piece.samples for piece in self.pieces), quiet[1]]
        return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])

    @property
    def samples(self) -> int:
        """Length in samples."""
        return int(self._edges[-1])

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / SAMPLE_RATE_HZ

    @property
    def piece_starts(self) -> list[int]:
        """First sample of each piece."""
        return [int(edge) for edge in self._edges[1 : 1 + len(self.pieces)]]

    @property
    def random_access(self) -> bool:
        """True: `blocks` can start at any sample without rendering the samples before it."""
        return True

    def blocks(self, block_samples: int, start: int = 0, end: int | None = None) -> Iterator[Audio]:
        """The audio from sample `start` to `end`, float32, in blocks of `block_samples`; the last may be shorter.

        The samples do not depend on `start`.
        """
        yield from regrouped(self._parts(start, self.samples if end is None else end), block_samples)

    def identity(self) -> Iterator[bytes]:
        """Everything that the samples depend on, for a hash: the clips' samples, not their names."""
        shape = (RENDER_VERSION, self.name, self.seed, self.end_gap_s, self.snr_db, self.codec, self.as_recorded)
        yield repr(shape).encode()
        if self.codec:
            yield codec_version().encode()
        for pool in (self.noise, self.rooms):
            yield pool.digest if pool is not None else b"-"
        for piece in self.pieces:
            yield self.clips.digest(piece.row)
            yield repr((piece.gap_samples, piece.word, piece.number, piece.follows, piece.goes_on)).encode()

    def _parts(self, start: int, end: int) -> Iterator[Audio]:
        edges = self._edges
        part = int(np.searchsorted(edges, start, side="right")) - 1
        while part < len(edges) - 1 and edges[part] < end:
            first = int(edges[part])
            yield self._part(part)[max(0, start - first) : end - first]
            part += 1

    def _part(self, part: int) -> Audio:
        """Part 0 is the quiet before the pieces, the last one the quiet after them; each has a separate generator."""
        if 0 < part <= len(self.pieces):
            piece = self.pieces[part - 1]
            return self._render(piece, self._generator(1 + piece.number))
        return floor_noise(int(self._edges[part + 1] - self._edges[part]), self._generator(part))

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number, *self.name.encode()])

    def _render(self, piece: Piece, rng: np.random.Generator) -> Audio:
        clip = self.clips.audio(piece.row)
        if self.as_recorded:
            return clip
        audio = np.zeros(piece.samples, dtype=np.float32)
        audio[: piece.clip_samples] = faded(clip, not piece.follows, not piece.goes_on)
        if self.rooms is not None:
            audio = in_room(audio, piece.word, self.rooms, rng)
        if self.noise is not None and self.snr_db is not None:
            noise = noise_of(self.noise, piece.samples, rng)
            audio = audio + noise * np.float32(level(audio, piece.word) * 10 ** (-self.snr_db / 20))
        audio = audio + floor_noise(piece.samples, rng)
        if piece.follows or piece.goes_on:
            # A different gain per piece would cause a step in the middle of a recording.
            return np.clip(audio, -1.0, 1.0)
        loudest = float(np.abs(audio).max(initial=0.0))
        # Speech and noise are attenuated together if their sum would clip.
        audio = audio / np.float32(loudest) * np.float32(0.999) if loudest > 0.999 else audio
        # The codec is last, as between a device and its server.
        return through_codec(audio, self.codec) if self.codec else audio


def regrouped(parts: Iterator[Audio], block_samples: int) -> Iterator[Audio]:
    """Parts of any length as blocks of `block_samples`; the last one may be shorter."""
    pending: list[Audio] = []
    length = 0
    for part in parts:
        pending.append(part)
        length += len(part)
        if length < block_samples:
            continue
        joined = np.concatenate(pending)
        whole = length - length % block_samples
        for start in range(0, whole, block_samples):
            yield joined[start : start + block_samples]
        pending, length = [joined[whole:]], length - whole
    if length:
        yield np.concatenate(pending)
