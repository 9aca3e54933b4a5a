"""Clips as pieces of a few lengths, which a teacher of features hears in batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.teachers.registry import FeatureTeacher

LONGEST_S = 20.0
"""Longer clips are cut: the cost of attention grows with the square of the length."""
TAIL_FRAMES = 2
"""Frames of silence behind a clip."""
GRID_S = 0.5
"""Silence fills a piece to a multiple of this, so that pieces share a batch."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a clip, and the frames that are taken from it."""

    clip: int
    first_frame: int
    """Of the clip."""
    frames: int
    start: int
    """Sample of the clip that is the piece's first, a multiple of the teacher's step."""
    skipped: int
    """Frames of the surroundings in front of the first."""
    samples: int
    """Length, with silence behind the clip's end."""

    def __len__(self) -> int:
        return self.samples

    def cut(self, audio: np.ndarray) -> np.ndarray:
        """The piece of its clip's audio, int16 `(samples,)`, as float32 in [-1, 1)."""
        found = np.zeros(self.samples, dtype=np.float32)
        taken = audio[self.start : self.start + self.samples]
        found[: len(taken)] = taken / np.float32(32768)
        return found


def cut_pieces(clip: int, samples: int, teacher: FeatureTeacher) -> Iterator[Piece]:
    """Pieces of a clip of so many samples, in order: together they hold each of its frames once.

    A piece of a longer clip begins and ends up to the teacher's context before and after its own frames.
    """
    step = teacher.step_samples
    total = max(1, math.ceil(samples / step))
    longest = round(LONGEST_S * SAMPLE_RATE_HZ)
    around = math.ceil(teacher.context_samples / step)
    if teacher.longest_samples is not None:
        longest = min(longest, teacher.longest_samples)
        # A short fixed length keeps a third of it for the surroundings at most.
        around = min(around, longest // step // 6)
    # Convolutions without padding give fewer frames than steps.
    tail = TAIL_FRAMES * step
    if total * step + tail <= longest:
        yield Piece(clip, 0, total, 0, 0, _length(total * step + tail, teacher))
        return
    own = longest // step - 2 * max(around, TAIL_FRAMES)
    for first in range(0, total, own):
        frames = min(own, total - first)
        skipped = min(around, first)
        length = (skipped + frames + max(around, TAIL_FRAMES)) * step
        yield Piece(clip, first, frames, (first - skipped) * step, skipped, _length(length, teacher))


def _length(samples: int, teacher: FeatureTeacher) -> int:
    if teacher.longest_samples is not None:
        return teacher.longest_samples
    grid = round(GRID_S * SAMPLE_RATE_HZ)
    return math.ceil(samples / grid) * grid


def same_length(pieces: Sequence[Piece], batch_s: float) -> Iterator[list[Piece]]:
    """Batches of pieces of one length and at most `batch_s` seconds (or one piece)."""
    for length, group in groupby(sorted(pieces, key=len), key=len):
        rows = max(1, int(batch_s * SAMPLE_RATE_HZ / length))
        alike = list(group)
        yield from (alike[at : at + rows] for at in range(0, len(alike), rows))
