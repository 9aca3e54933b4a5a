"""What a training worker, and a teacher that scores the same windows, take out of the shards."""

from __future__ import annotations

import logging

import torch

from wakeword.audio.augment import Augmenter, Bank
from wakeword.config import Config
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError

log = logging.getLogger(__name__)
AUDIBLE = ("wakeword", "confusable", "speech", "noise", "music")
"""Kinds that windows are cut from; room responses only colour them."""


def training_clips(shards: ShardSet, split: str, device: torch.device) -> ResidentClips:
    """All audible clips of a split on a device. Every worker holds all of them: any worker can take any row of a
    global batch, so the rows do not depend on the number of workers.

    Raises:
        DataError: the split has none.
    """
    return ResidentClips.load(shards, split, device, kinds=AUDIBLE)


def training_augmenter(config: Config, shards: ShardSet, clips: ResidentClips, device: torch.device) -> Augmenter:
    """The augmenter with the noises and room responses of the train split (it does without either)."""
    noise = torch.from_numpy(clips.where(kind=["noise", "music"])).to(device)
    noises = Bank(clips.audio, clips.offset[noise], clips.length[noise])
    try:
        responses = ResidentClips.load(shards, "train", device, kinds=("rir",))
        rooms: Bank | None = Bank(responses.audio, responses.offset, responses.length)
    except DataError:
        log.info("no room responses among the training data: the room augmentation does nothing")
        rooms = None
    return Augmenter(config.augmentation, noises, rooms, config.frontend).to(device)
