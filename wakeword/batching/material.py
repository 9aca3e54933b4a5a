"""Clips and the augmenter that a training worker, and a teacher that scores the same windows, load from the shards."""

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
"""Kinds that windows are cut from; room impulse responses are only convolved with them."""
_VOICES = "speech that holds none of the words"
_NEEDS = {"music": ("music",), "rir": ("rir", "noise_rir"), _VOICES: ("babble", "speech")}
"""Augmentations that have no effect without recordings of a kind; coloured noise replaces absent noise recordings."""


def training_clips(shards: ShardSet, split: str, device: torch.device) -> ResidentClips:
    """All audible clips of a split on a device.

    Every worker holds all of them, so the rows of a global batch do not depend on the number of workers.

    Raises:
        DataError: the split has none.
    """
    return ResidentClips.load(shards, split, device, kinds=AUDIBLE)


def training_augmenter(config: Config, shards: ShardSet, clips: ResidentClips, device: torch.device) -> Augmenter:
    """The augmenter with the noises, music, speech and room impulse responses of the train split.

    Each of these may be absent; a warning is logged for an augmentation that is switched on and has no recordings.
    Speech whose transcript holds a word is not mixed in: it would be a positive labelled as a negative.
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
    _warn_of_missing(config, {"music": music, "rir": rooms, _VOICES: voices})
    return Augmenter(config.augmentation, noises, rooms, config.frontend, music=music, speech=voices).to(device)


def _warn_of_missing(config: Config, banks: dict[str, Bank | None]) -> None:
    """Log one warning for each kind that an augmentation needs and the train split lacks."""
    for kind, names in _NEEDS.items():
        fields = [f"{name}_probability" for name in names]
        active = [f"augmentation.{name}" for name in fields if getattr(config.augmentation, name)]
        if active and not banks[kind]:
            log.warning(
                "the train split holds no clip of kind %s, so %s %s nothing: add a source of that kind, or set 0",
                kind,
                " and ".join(active),
                "does" if len(active) == 1 else "do",
            )


def _bank(clips: ResidentClips, rows: np.ndarray) -> Bank:
    index = torch.from_numpy(rows).to(clips.offset.device)
    return Bank(clips.audio, clips.offset[index], clips.length[index])
