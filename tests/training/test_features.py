"""Features as targets: their place in a window, the layer that predicts them, the distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.synthetic import tiny_config
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler, WindowPlan
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError
from wakeword.models.streaming import StreamingModel
from wakeword.training.features import FeatureStore, FrameProjection, feature_distance
from wakeword.training.step import TrainingStep, make_optimizer

STEP, FIRST = 320, 40


def _plan(clip: list[int], start: list[int], anchor: list[int]) -> WindowPlan:
    rows = len(clip)
    empty = np.zeros(rows)
    values = dict.fromkeys(WindowPlan.__dataclass_fields__, empty)
    return WindowPlan(**{**values, "clip": np.array(clip), "start": np.array(start), "anchor": np.array(anchor)})


def _ramp_store(counts: list[int]) -> FeatureStore:
    """Features that say which sample of which clip they are the middle of."""
    rows = [[(FIRST + STEP * frame) / 1000, clip] for clip, count in enumerate(counts) for frame in range(count)]
    return FeatureStore(torch.tensor(rows).half(), np.array(counts), (STEP, FIRST), ([0.0, 0.0], [1.0, 1.0]))


def test_a_window_finds_the_frames_that_are_heard_in_it() -> None:
    """Against a loop over frames: clip time is the anchor's plus the distance from it, times the tempo."""
    store = _ramp_store([50, 20, 35])
    plan = _plan([0, 2, 1], [3_000, -4_000, -160], [8_000, 9_000, 1_000])
    speed = torch.tensor([1.0, 1.25, 0.8])
    times = torch.arange(0, 24_000, 640).float()
    found, inside = store.at(plan, times, speed)
    for row, (count, clip) in enumerate([(50, 0), (35, 2), (20, 1)]):
        for column, time in enumerate(times.tolist()):
            anchor, start = int(plan.anchor[row]), int(plan.start[row])
            sample = start + anchor + (time - anchor) * float(speed[row])
            within = FIRST - STEP / 2 <= sample <= FIRST + STEP * (count - 0.5)
            assert bool(inside[row, column]) == within
            if within:
                nearest = min(max(sample, FIRST), FIRST + STEP * (count - 1))
                assert float(found[row, column, 0]) == pytest.approx(nearest / 1000, abs=0.01)
                assert float(found[row, column, 1]) == clip


def test_a_view_is_heard_at_the_place_that_features_are_taken_from(prepared: Path) -> None:
    """The loudness of a window without noise follows that of the clip at the places that the store looks up."""
    config = tiny_config(
        augmentation={
            "speed_probability": 1.0, "noise_probability": 0.0, "rir_probability": 0.0, "gain_db": (0.0, 0.0),
            "floor_dbfs": None,
        },
        training={"batch_size": 64},
    )  # fmt: skip
    shards = ShardSet.open(prepared)
    clips = training_clips(shards, "train", torch.device("cpu"))
    sampler = BatchSampler(config, clips, 8_000)
    views = ViewMaker(
        WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, torch.device("cpu"))
    )
    plan = sampler.batch(0)
    plan = plan.take(np.flatnonzero(plan.target.any(1) & (plan.fill < 0)))
    audio, _, speed = views.with_speed(plan)
    counts = (clips.length.numpy() + STEP - 1) // STEP
    levels = []
    for clip, count in enumerate(counts):
        begin = int(clips.offset[clip])
        wave = clips.audio[begin : begin + int(clips.length[clip])].float() / 32768
        wave = torch.nn.functional.pad(wave, (STEP // 2, STEP))
        levels.append(wave.unfold(0, STEP, STEP)[:count].square().mean(1).sqrt())
    store = FeatureStore(torch.cat(levels)[:, None].half(), counts, (STEP, 0), ([0.0], [1.0]))
    times = torch.arange(STEP, audio.shape[1] - STEP, STEP).float()
    expected, inside = store.at(plan, times, speed)
    heard = audio[:, STEP // 2 :].unfold(1, STEP, STEP)[:, : len(times)].square().mean(2).sqrt()
    assert len(plan) >= 2
    assert (speed != 1).any()
    for row in range(len(plan)):
        kept = inside[row]
        pair = torch.stack([heard[row, kept], expected[row, kept, 0]])
        assert float(torch.corrcoef(pair)[0, 1]) > 0.9


def _step(prepared: Path, config: Config) -> tuple[BatchSampler, TrainingStep, FrameProjection]:
    torch.manual_seed(0)
    shards, cpu = ShardSet.open(prepared), torch.device("cpu")
    clips = training_clips(shards, "train", cpu)
    counts = (clips.length.numpy() + STEP - 1) // STEP
    frames = torch.randn(int(counts.sum()), 6).half()
    store = FeatureStore(frames, counts, (STEP, 0), ([0.0] * 6, [1.0] * 6))
    model = StreamingModel(config, config.labels)
    projection = FrameProjection(model.network, 6)
    sampler = BatchSampler(config, clips, model.context_samples)
    views = ViewMaker(WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, cpu))
    optimizer = make_optimizer(model, config.training, projection)
    return sampler, TrainingStep(config, model, optimizer, views, features=store, projection=projection), projection


def test_the_distance_is_added_to_the_loss_of_the_words(prepared: Path) -> None:
    terms = {}
    for weight in (0.0, 2.0):
        sampler, step, _ = _step(prepared, tiny_config(distillation={"teacher": "hama", "feature_weight": weight}))
        terms[weight] = step(sampler.batch(0), 1e-3, 0)
    assert terms[0.0][3] == terms[2.0][3] > 0
    assert float(terms[2.0][0] - terms[0.0][0]) == pytest.approx(2 * float(terms[0.0][3]), rel=1e-5)


def test_projection_and_body_learn_from_the_features(prepared: Path) -> None:
    sampler, step, projection = _step(prepared, tiny_config(distillation={"teacher": "hama"}))
    before = projection.layer.weight.detach().clone()
    step(sampler.batch(0), 1e-2, 0)
    assert not torch.equal(before, projection.layer.weight)
    step.optimizer.zero_grad()
    step.losses(sampler.batch(1))[3].backward()
    touched = {name for name, p in step.model.network.named_parameters() if p.grad is not None and p.grad.any()}
    assert any(name.startswith("blocks") for name in touched)
    assert not any(name.startswith("classify") for name in touched)


def test_the_last_frame_belongs_to_the_last_score(prepared: Path) -> None:
    config = tiny_config(model={"pool_frames": 7}, distillation={"teacher": "hama", "feature_latency_s": 0.0})
    _, step, projection = _step(prepared, config)
    audio = torch.randn(1, step.model.context_samples + 16_000)
    with torch.no_grad():
        scores, frames = step.model.offline(audio).shape[1], projection().shape[1]
    assert frames == scores + 6
    times = step._frame_times(scores, frames)
    last = step.model.context_samples + (scores - 1) * step.model.step_samples
    assert float(times[-1]) == last
    assert float(times[6]) == step.model.context_samples


def test_distances() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(3, 5, 8, generator=generator)
    inside = torch.rand(3, 5, generator=generator) > 0.4
    noisy = torch.where(inside[:, :, None], teacher, teacher + 100.0)
    for kind in ("cosine", "mse"):
        assert float(feature_distance(noisy, teacher, inside, kind)) == pytest.approx(0.0, abs=1e-6)
    assert float(feature_distance(-teacher, teacher, inside, "cosine")) == pytest.approx(2.0)
    assert float(feature_distance(teacher + 2, teacher, inside, "mse")) == pytest.approx(4.0, rel=1e-5)
    assert float(feature_distance(noisy, teacher, torch.zeros_like(inside), "mse")) == 0.0


def test_a_family_without_a_classifier_is_refused() -> None:
    config = tiny_config()
    network = StreamingModel(config, config.labels).network
    del network.classify
    with pytest.raises(ConfigError, match="tc_resnet has no layer `classify`"):
        FrameProjection(network, 4)
