"""What a training worker, and a teacher that scores the same windows, take out of the shards."""

from __future__ import annotations

import logging

import numpy as np
import torch

from wakeword.audio.augment import Augmenter, Bank
from wakeword.config import Config
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.training.batches import word_targets

log = logging.getLogger(__name__)
AUDIBLE = ("wakeword", "confusable", "speech", "noise", "music", "hard_negative")
"""Kinds that windows are cut from; room responses only colour them."""


def training_clips(shards: ShardSet, split: str, device: torch.device) -> ResidentClips:
    """All audible clips of a split on a device. Every worker holds all of them: any worker can take any row of a
    global batch, so the rows do not depend on the number of workers.

    Raises:
        DataError: the split has none.
    """
    return ResidentClips.load(shards, split, device, kinds=AUDIBLE)


def training_augmenter(config: Config, shards: ShardSet, clips: ResidentClips, device: torch.device) -> Augmenter:
    """The augmenter with the noises, music, speech and room responses of the train split (it does without any).

    Speech that holds a word, by its transcript, is not among the voices: it would be a positive labelled negative.
    """
    _, safe = word_targets(clips.columns, config.labels)
    speech = np.intersect1d(clips.where(kind=["speech"]), np.flatnonzero(safe))
    try:
        responses = ResidentClips.load(shards, "train", device, kinds=("rir",))
        rooms: Bank | None = Bank(responses.audio, responses.offset, responses.length)
    except DataError:
        log.info("no room responses among the training data: the room augmentation does nothing")
        rooms = None
    return Augmenter(
        config.augmentation,
        _bank(clips, clips.where(kind=["noise", "music"])),
        rooms,
        config.frontend,
        music=_bank(clips, clips.where(kind=["music"])),
        speech=_bank(clips, speech),
    ).to(device)


def _bank(clips: ResidentClips, rows: np.ndarray) -> Bank:
    index = torch.from_numpy(rows).to(clips.offset.device)
    return Bank(clips.audio, clips.offset[index], clips.length[index])
