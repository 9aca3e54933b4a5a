"""Clips in memory are the clips of the shards, and windows of them are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.data.corpus import config_for, write_corpus
from wakeword.data.prepare import prepare
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError


@pytest.fixture(scope="module")
def shard_set(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    root = tmp_path_factory.mktemp("resident")
    config = config_for(write_corpus(root / "corpus", speakers=9), data={"shard_mb": 0.2})
    prepare(config, root / "out", runner="local")
    return ShardSet.open(root / "out")


def test_resident_audio_is_that_of_the_shards(shard_set: ShardSet) -> None:
    clips = ResidentClips.load(shard_set, "train")
    rows = shard_set.table("train").to_pylist()
    assert len(shard_set.paths("train")) > 1, "the test needs clips from several shards"
    assert len(clips) == len(rows)
    assert clips.audio.dtype == torch.int16
    for number, row in enumerate(rows):
        start, length = int(clips.offset[number]), int(clips.length[number])
        np.testing.assert_array_equal(clips.audio[start : start + length].numpy(), np.frombuffer(row["audio"], "<i2"))
        assert clips.columns["clip_id"][number] == row["clip_id"]
        assert clips.columns["duration_s"][number] == row["duration_s"]


def test_gather_cuts_windows_and_fills_with_silence(shard_set: ShardSet) -> None:
    clips = ResidentClips.load(shard_set, "train")
    last = len(clips) - 1
    whole = [clips.audio[o : o + n] for o, n in zip(clips.offset.tolist(), clips.length.tolist(), strict=True)]
    index = torch.tensor([0, last, 1, last, 2])
    length = int(clips.length[last])
    start = torch.tensor([-100, length - 50, 10, length + 10_000, -100_000])
    out = clips.gather(index, start, 400)
    assert out.shape == (5, 400)
    assert out.dtype == torch.int16
    assert not out[0, :100].any()
    assert torch.equal(out[0, 100:], whole[0][:300])
    assert torch.equal(out[1, :50], whole[last][-50:])
    assert not out[1, 50:].any()
    assert torch.equal(out[2], whole[1][10:410])
    assert not out[3].any()
    assert not out[4].any()


def test_clips_of_some_kinds(shard_set: ShardSet) -> None:
    only = ResidentClips.load(shard_set, "train", kinds=["speech", "rir"])
    assert set(only.columns["kind"]) == {"speech", "rir"}
    clips = ResidentClips.load(shard_set, "train")
    chosen = clips.where(kind=["speech", "rir"])
    assert only.length.tolist() == clips.length[chosen].tolist()
    for number, row in enumerate(chosen.tolist()):
        expected = clips.gather(torch.tensor([row]), torch.tensor([0]), int(clips.length[row]))
        assert torch.equal(only.gather(torch.tensor([number]), torch.tensor([0]), int(only.length[number])), expected)
    with pytest.raises(DataError, match="has no music in the split train"):
        ResidentClips.load(shard_set, "train", kinds=["music"])
    assert clips.where(kind="wakeword", label="nobody").size == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_clips_live_on_the_gpu(shard_set: ShardSet) -> None:
    clips = ResidentClips.load(shard_set, "train", device="cuda")
    assert clips.audio.is_cuda
    out = clips.gather(torch.tensor([0, 1]), torch.tensor([-5, 7]), 300)
    expected = ResidentClips.load(shard_set, "train").gather(torch.tensor([0, 1]), torch.tensor([-5, 7]), 300)
    assert torch.equal(out.cpu(), expected)
