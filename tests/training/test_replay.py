"""Windows that are kept: which, for how long, who draws them, and the same again after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.synthetic import tiny_config
from tests.training.test_loop import Stop, _stop_after, _weights
from tests.training.test_step import build
from wakeword.config import Config
from wakeword.errors import ConfigError
from wakeword.training.loop import train
from wakeword.training.replay import Replay, Windows


def replay_config(**training: Any) -> Config:
    return tiny_config(
        frontend={"n_mels": 32},
        model={"family": "speech_embedding", "frame_stride": 8, "pool_frames": 1, "heads": 2, "dropout": 0.0},
        training={"batch_size": 8, "replay_windows": 20, "replay_batch": 12, **training},
    )


def numbered(first: int, rows: int) -> Windows:
    numbers = torch.arange(first, first + rows).float()
    return Windows(numbers[:, None, None].repeat(1, 2, 3), numbers[:, None], numbers)


def test_the_newest_are_kept_and_drawn_with_what_belongs_to_them() -> None:
    replay = Replay(10)
    generator = torch.Generator().manual_seed(0)
    replay.add(numbered(0, 4))
    assert len(replay) == 4
    assert set(replay.draw(200, generator).word_end_s.tolist()) == {0, 1, 2, 3}
    for first in (4, 8, 12):
        replay.add(numbered(first, 4))
    assert len(replay) == 10
    drawn = replay.draw(400, generator)
    assert set(drawn.word_end_s.tolist()) == set(range(6, 16))
    assert torch.equal(drawn.content[:, 1, 2], drawn.word_end_s)
    assert torch.equal(drawn.target[:, 0], drawn.word_end_s)
    assert drawn.soft is None
    assert drawn.content.dtype == torch.float32


def test_each_head_is_trained_on_separate_windows(prepared: Path) -> None:
    for rows in (5, 12):
        sampler, step = build(prepared, replay_config(replay_batch=rows))
        seen: list[torch.Tensor] = []
        for head in step.model.network.heads:
            head.register_forward_hook(lambda _m, inputs, _o, seen=seen: seen.append(inputs[0]))
        step(sampler.batch(0), 1e-3, 0)
        step(sampler.batch(1), 1e-3, 1)
        assert [len(value) for value in seen] == [rows] * 4
        assert not torch.equal(seen[2], seen[3])


def test_the_configured_number_of_windows_is_kept(prepared: Path) -> None:
    sampler, step = build(prepared, replay_config())
    for number, kept in enumerate((8, 16, 20)):
        step(sampler.batch(number), 1e-3, number)
        assert step.replay is not None
        assert len(step.replay) == kept
    _, without = build(prepared, replay_config(replay_windows=0))
    assert without.replay is None


def test_embedding_and_classifying_are_the_two_parts_of_the_model(prepared: Path) -> None:
    sampler, step = build(prepared, replay_config())
    network = step.model.network.train()
    audio, _ = step.views(sampler.batch(0))
    whole = step.model.offline(audio)
    kept = step.model.embed(audio)
    torch.testing.assert_close(network.classify_embeddings(kept.repeat(2, 1, 1)), whole)


def test_a_family_without_a_frozen_body_refuses(prepared: Path) -> None:
    with pytest.raises(ConfigError, match=r"replay_windows = 20 .* which tc_resnet has not"):
        build(prepared, tiny_config(training={"replay_windows": 20}))


def test_fewer_windows_than_a_batch_cannot_be_kept() -> None:
    with pytest.raises(ConfigError, match=r"replay_windows = 7 is less than a batch of 8 windows"):
        replay_config(replay_windows=7)


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(prepared: Path, tmp_path: Path) -> None:
    # 20 windows are two steps and a half: some that the last epoch needs were made before the kill.
    config = replay_config(epochs=2, steps_per_epoch=3)
    train(config, prepared, tmp_path / "whole")
    with pytest.raises(Stop):
        train(config, prepared, tmp_path / "killed", _stop_after(1))
    train(config, prepared, tmp_path / "killed")
    whole, killed = _weights(tmp_path / "whole", 2), _weights(tmp_path / "killed", 2)
    assert all(torch.equal(whole[key], killed[key]) for key in whole)
