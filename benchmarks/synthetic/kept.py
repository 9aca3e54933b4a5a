"""Training of a detector in minutes: windows and judging audio are embedded once, then heads train on the embeddings.

`training.replay_windows` trains on stored embeddings. Here all of them are computed first, and the heads train after
that with the same step, schedule and average. In contrast to a run of the pipeline there is no validation (the last
weights count), and no head trains before the last window is embedded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler, WindowPlan
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import SAMPLE_RATE_HZ, Config, config_hash
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.evaluation.tracks.track import Track
from wakeword.models.streaming import StreamingModel
from wakeword.system.files import atomic_path
from wakeword.training.ema import ModelAverage
from wakeword.training.replay import Replay
from wakeword.training.schedule import learning_rate
from wakeword.training.step import TrainingStep, make_optimizer

BLOCK_S = 60.0
CPU = torch.device("cpu")


class KeptStep(TrainingStep):
    """A training step whose windows are all embedded before the first update."""

    full = False

    def _keep(self, plan: WindowPlan) -> None:
        if not self.full:
            super()._keep(plan)


@dataclass
class Lab:
    """One word's windows and the heads that train on them."""

    config: Config
    sampler: BatchSampler
    step: KeptStep
    average: ModelAverage[StreamingModel]

    @classmethod
    def open(cls, config: Config, prepared_dir: Path) -> Lab:
        """Weights and clips of a training run before its first step."""
        shards = ShardSet.open(prepared_dir)
        torch.manual_seed(config.training.seed)
        model = StreamingModel(config, config.labels)
        clips: ResidentClips = training_clips(shards, "train", CPU)
        sampler = BatchSampler(config, clips, model.context_samples)
        views = ViewMaker(WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, CPU))
        step = KeptStep(config, model, make_optimizer(model, config.training), views)
        return cls(config, sampler, step, ModelAverage(model, config.training.ema_decay))

    def fill(self, steps: int) -> None:
        """Embed the windows of `steps` training steps."""
        assert self.step.replay is not None
        self.step.replay = Replay(steps * self.config.training.batch_size)
        for step in range(steps):
            self.step.remember(self.sampler.batch(step), step)

    def learn(self, updates: int) -> StreamingModel:
        """Update the heads `updates` times on the embeddings; returns their moving average."""
        self.step.full = True
        settings, plan = self.config.training, self.sampler.batch(0)
        for number in range(updates):
            rate = learning_rate(number, updates, settings.learning_rate, settings.warmup_share)
            self.step(plan, rate, number)
            self.average.update(self.step.model)
        return self.average.model


@dataclass(frozen=True)
class Embedded:
    """Tracks and the embeddings `(times, channels)` of each in half precision."""

    tracks: list[Track]
    embeddings: list[Tensor]

    @classmethod
    def of(cls, model: StreamingModel, tracks: list[Track], folder: Path) -> Embedded:
        """Embeddings of tracks, stored in `folder` under a hash of track, front end and model family."""
        return cls(tracks, [_kept(model, track, folder) for track in tracks])

    @torch.no_grad()
    def scores(self, model: StreamingModel) -> list[NDArray[np.float32]]:
        """Scores `(times, heads + 1)` per track of a model of one word: of all heads together, then of each."""
        heads = len(model.network.heads)  # type: ignore[arg-type]
        result = []
        for track in self.embeddings:
            logits = model.network.classify_embeddings(track.float().T[None].repeat(heads, 1, 1))[:, :, 0]
            result.append(torch.sigmoid(torch.cat([logits.mean(0, keepdim=True), logits])).T.numpy())
        return result


def _kept(model: StreamingModel, track: Track, folder: Path) -> Tensor:
    digest = hashlib.sha256(f"{config_hash(model.config.frontend)} {model.config.model.family}".encode())
    for part in track.identity():
        digest.update(part)
    path = folder / f"{digest.hexdigest()[:24]}.safetensors"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        found = torch.cat(list(_embedded(model, track))).half().contiguous()
        with atomic_path(path) as temporary:
            save_file({"embeddings": found}, temporary)
    return load_file(path)["embeddings"]


@torch.no_grad()
def _embedded(model: StreamingModel, track: Track) -> Iterator[Tensor]:
    """Embeddings from which the heads compute one score per step, starting from silence as every stream does."""
    model.eval()
    step = model.step_samples
    before = torch.zeros(model.context_samples - step)
    repeated = 0
    for block in track.blocks(round(BLOCK_S * SAMPLE_RATE_HZ / step) * step):
        whole = len(block) // step * step
        if whole:
            audio = torch.cat([before, torch.from_numpy(np.array(block[:whole]))])
            rows = model.embed(audio[None])[0].T
            yield rows[repeated:]
            repeated = len(rows) - whole // step
            before = audio[len(audio) - len(before) :]
