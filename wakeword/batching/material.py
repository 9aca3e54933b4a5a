"""What a training worker, and a teacher that scores the same windows, take out of the shards."""

from __future__ import annotations

import logging

import numpy as np
import torch

from wakeword.audio.augment import Augmenter, Bank
from wakeword.batching.plans import word_targets
from wakeword.config import Config
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError

log = logging.getLogger(__name__)
AUDIBLE = ("wakeword", "confusable", "speech", "noise", "music", "hard_negative")
"""Kinds that windows are cut from; room responses only colour them."""
_VOICES = "speech that holds none of the words"
_NEEDS = {"music": ("music",), "rir": ("rir", "noise_rir"), _VOICES: ("babble", "speech")}
"""Which augmentations do nothing without recordings of a kind; without noises, coloured noise is made on the spot."""


def training_clips(shards: ShardSet, split: str, device: torch.device) -> ResidentClips:
    """All audible clips of a split on a device. Every worker holds all of them: any worker can take any row of a
    global batch, so the rows do not depend on the number of workers.

    Raises:
        DataError: the split has none.
    """
    return ResidentClips.load(shards, split, device, kinds=AUDIBLE)


def training_augmenter(config: Config, shards: ShardSet, clips: ResidentClips, device: torch.device) -> Augmenter:
    """The augmenter with the noises, music, speech and room responses of the train split.

    It does without any of them; an augmentation that then does nothing though it was asked for is told as a warning.

    Speech that holds a word, by its transcript, is not among the voices: it would be a positive labelled negative.
    """
    _, safe = word_targets(clips.columns, config.labels)
    speech = np.intersect1d(clips.where(kind=["speech"]), np.flatnonzero(safe))
    try:
        responses = ResidentClips.load(shards, "train", device, kinds=("rir",))
        rooms: Bank | None = Bank(responses.audio, responses.offset, responses.length)
    except DataError:
        rooms = None
    noises, music, voices = (
        _bank(clips, rows) for rows in (clips.where(kind=["noise", "music"]), clips.where(kind=["music"]), speech)
    )
    _tell_missing(config, {"music": music, "rir": rooms, _VOICES: voices})
    return Augmenter(config.augmentation, noises, rooms, config.frontend, music=music, speech=voices).to(device)


def _tell_missing(config: Config, banks: dict[str, Bank | None]) -> None:
    """One warning for each kind of recording that an augmentation asks for and the train split does not hold."""
    for kind, names in _NEEDS.items():
        asked = [f"augmentation.{name}_probability" for name in names if _probability(config, name)]
        if asked and not banks[kind]:
            log.warning(
                "the train split holds no clip of kind %s, so %s %s nothing: add a source of that kind, or set 0",
                kind,
                " and ".join(asked),
                "does" if len(asked) == 1 else "do",
            )


def _probability(config: Config, name: str) -> float:
    return float(getattr(config.augmentation, f"{name}_probability"))


def _bank(clips: ResidentClips, rows: np.ndarray) -> Bank:
    index = torch.from_numpy(rows).to(clips.offset.device)
    return Bank(clips.audio, clips.offset[index], clips.length[index])
