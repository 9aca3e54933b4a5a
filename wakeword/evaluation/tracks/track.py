"""A continuous track: pieces, truth, and its audio from any sample on, rendered piece by piece."""

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
"""Quiet before the first and, beside `hit_after_s`, after the last clip."""
RENDER_VERSION = 2
"""Goes up when the same plan gives other samples: scores that were kept are then worth nothing."""


@dataclass(frozen=True)
class TruthRow:
    """What lies where in a track, in seconds of the track.

    `role`: `word` (`start_s`, `end_s` of the utterance), `ignored` (events of `word` count neither way), `clip` (a
    whole negative clip) or `near_miss` (a whole confusable clip). `word` is empty for a `clip`; of a `near_miss` it is
    the word that it resembles (empty: any) and `distance` how many phonemes lie between (-1: unknown). `text` and what
    follows are the clip's, as the manifest has them; empty or None where it does not know.
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


@dataclass(frozen=True)
class Piece:
    """A clip and the quiet after it; `word` is the utterance in samples of the clip, for levels.

    `follows` and `goes_on`: the recording of the piece before goes on here, and this one's in the next piece, without
    a fade between them.
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
    """One continuous recording to be: `kind` is positives, speech, noise, near_misses or recording.

    `as_recorded`: the samples of the clips one after another and nothing else, neither quiet around nor noise under
    them.
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
        """True: `blocks` from a later sample on costs nothing for the samples before it."""
        return True

    def blocks(self, block_samples: int, start: int = 0, end: int | None = None) -> Iterator[Audio]:
        """The audio from sample `start` to `end`, float32, in blocks of `block_samples`; the last may be shorter.

        A sample is the same wherever reading begins.
        """
        yield from regrouped(self._parts(start, self.samples if end is None else end), block_samples)

    def identity(self) -> Iterator[bytes]:
        """Everything that the samples follow from, for a hash: the clips' own samples count, not their names."""
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
        """Part 0 is the quiet in front, the last one the quiet behind; each draws from a generator of its own."""
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
            # A level of its own would be a step in the middle of a recording.
            return np.clip(audio, -1.0, 1.0)
        loudest = float(np.abs(audio).max(initial=0.0))
        # Loud noise on a loud clip would clip: turning both down keeps their ratio.
        audio = audio / np.float32(loudest) * np.float32(0.999) if loudest > 0.999 else audio
        # Last, as on the way from a device to its server.
        return through_codec(audio, self.codec) if self.codec else audio


def regrouped(parts: Iterator[Audio], block_samples: int) -> Iterator[Audio]:
    """Parts of any length as blocks of `block_samples`; the last one may be shorter."""
    waiting: list[Audio] = []
    held = 0
    for part in parts:
        waiting.append(part)
        held += len(part)
        if held < block_samples:
            continue
        joined = np.concatenate(waiting)
        whole = held - held % block_samples
        for start in range(0, whole, block_samples):
            yield joined[start : start + block_samples]
        waiting, held = [joined[whole:]], held - whole
    if held:
        yield np.concatenate(waiting)
