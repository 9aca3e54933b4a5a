"""What a rendered window holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.synthetic import tiny_config
from wakeword.batching.material import training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.windows import WindowMaker
from wakeword.data.shards import ShardSet

CONTEXT = 16_000


@pytest.fixture(scope="module")
def parts(prepared: Path) -> tuple[BatchSampler, WindowMaker]:
    clips = training_clips(ShardSet.open(prepared), "train", torch.device("cpu"))
    sampler = BatchSampler(tiny_config(training={"batch_size": 64}), clips, CONTEXT)
    return sampler, WindowMaker(clips, sampler.window_samples)


def test_no_window_holds_digital_silence(parts: tuple[BatchSampler, WindowMaker]) -> None:
    sampler, windows = parts
    audio = windows.render(sampler.batch(0))
    assert audio.shape == (64, sampler.window_samples)
    assert torch.isfinite(audio).all()
    level = audio.unfold(1, 160, 160).square().mean(2).sqrt()
    assert level.min() > 10 ** (-110 / 20)
    assert (audio == 0).float().mean() < 1e-3


def test_the_word_ends_where_the_plan_says(parts: tuple[BatchSampler, WindowMaker]) -> None:
    sampler, windows = parts
    plan = sampler.batch(1)
    rows = np.flatnonzero(plan.target.any(1) & (plan.fill < 0))
    audio = windows.render(plan.take(rows))
    for row, end_s in zip(audio, plan.word_end_s[rows], strict=True):
        end = round(end_s * 16_000)
        before, after = row[end - 1600 : end - 400].square().mean(), row[end + 400 : end + 1600].square().mean()
        assert before > 30 * after


def test_a_row_does_not_depend_on_its_neighbours(parts: tuple[BatchSampler, WindowMaker]) -> None:
    sampler, windows = parts
    plan = sampler.batch(2)
    whole = windows.render(plan)
    rows = np.array([5, 17, 40])
    assert torch.equal(windows.render(plan.take(rows)), whole[torch.from_numpy(rows)])


def test_surroundings_fill_what_the_clip_leaves_free(parts: tuple[BatchSampler, WindowMaker]) -> None:
    sampler, windows = parts
    plan = sampler.batch(3)
    filled = np.flatnonzero((plan.fill >= 0) & plan.target.any(1))
    quiet = plan.take(filled)
    loud = windows.render(quiet).square().mean(1)
    quiet.fill = np.full(len(filled), -1)
    silent = windows.render(quiet)
    assert (loud > silent.square().mean(1)).float().mean() > 0.7


def test_cut_copies_what_gather_looks_up(parts: tuple[BatchSampler, WindowMaker]) -> None:
    sampler, windows = parts
    plan = sampler.batch(4)
    clip, start = torch.from_numpy(plan.clip), torch.from_numpy(plan.start)
    expected = windows.clips.gather(clip, start, sampler.window_samples).float() / 32768.0
    assert torch.equal(windows._cut(clip, start), expected)
