"""Small data that many observations share, made on first use."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.config.effects.effect import shared_folder
from tests.training.synthetic import babble, clip, make_prepared
from wakeword.batching.material import training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.config import Config
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet

CPU = torch.device("cpu")


@cache
def prepared() -> Path:
    """A prepared data set of tones with the word `nova` and three hard negatives."""
    return make_prepared(shared_folder("prepared"), words=3, more=[_hard(number) for number in range(3)])


def _hard(number: int) -> dict[str, Any]:
    audio = babble(np.random.default_rng(number), 3.0)
    return {**clip("train", "hard_negative", "hard_negative", number, audio), "word_end_s": 2.0}


@cache
def train_clips() -> ResidentClips:
    """Its clips of train."""
    return training_clips(ShardSet.open(prepared()), "train", CPU)


def sampler_of(config: Config) -> BatchSampler:
    """The sampler of a run on these clips, for a model that looks back one second."""
    return BatchSampler(config, train_clips(), 16_000)
