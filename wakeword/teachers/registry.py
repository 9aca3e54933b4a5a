"""The interfaces of teachers, and the decorator that registers a type of teacher by name.

A teacher *of the words* scores a student's words; a teacher *of features* describes speech frame by frame, and a linear
layer on the student's frames learns to predict what it says. `distillation.teacher` is `TYPE` or `TYPE:ARGUMENT`, or a
path alone for the type `run`; `wakeword.teachers.types` opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch

from wakeword.config import Config

Kind = Literal["words", "features"]


class Teacher(Protocol):
    """A model that scores windows frame by frame, at the student's step."""

    context_samples: int
    """Samples in front of the first score."""
    step_samples: int
    fingerprint: str
    """A string that changes with the teacher's scores, such as a hash of its weights."""

    def logits(self, audio: torch.Tensor) -> torch.Tensor:
        """Logits `(batch, scores, words)` of audio `(batch, samples)`, of the student's words, one per step."""


class FeatureTeacher(Protocol):
    """A model that describes audio at 16 kHz in frames.

    Frame `i` is centred at sample `first_sample + i * step_samples` of the audio, and depends on at most
    `context_samples` before and after its centre, except for attention over the whole audio.
    """

    dims: int
    step_samples: int
    first_sample: int
    context_samples: int
    longest_samples: int | None
    """Longest audio of one call; None for any length."""
    fingerprint: str

    @property
    def rate_hz(self) -> float:
        """Frames per second."""

    def features(self, audio: torch.Tensor) -> torch.Tensor:
        """Features `(batch, frames, dims)` of audio `(batch, samples)` in [-1, 1], at `rate_hz`."""


class PhoneticTeacher(FeatureTeacher, Protocol):
    """A teacher of features that also recognises sounds."""

    tokens: tuple[str, ...]
    """Its inventory: symbols of the IPA, and special ones."""

    def log_probs(self, audio: torch.Tensor) -> torch.Tensor:
        """Log-probabilities `(batch, frames, tokens)` of audio `(batch, samples)`, at `rate_hz`."""


Opener = Callable[[str, Config, torch.device], Teacher | FeatureTeacher]
"""Opens the teacher of an argument."""
Fingerprint = Callable[[str, Config], str]
"""The fingerprint of the teacher of an argument, without loading its model."""


@dataclass(frozen=True)
class TeacherType:
    """A registered type."""

    kind: Kind
    opener: Opener
    fingerprint: Fingerprint


TYPES: dict[str, TeacherType] = {}
"""Registered types by name. Read them through `wakeword.teachers.types`, which imports all of them."""


def register_teacher(name: str, kind: Kind, fingerprint: Fingerprint) -> Callable[[Opener], Opener]:
    """Decorator: register a teacher as `distillation.teacher: name:argument`. Raises ValueError for a taken name."""

    def add(opener: Opener) -> Opener:
        if name in TYPES:
            raise ValueError(f"two types of teachers are called {name!r}")
        TYPES[name] = TeacherType(kind, opener, fingerprint)
        return opener

    return add
