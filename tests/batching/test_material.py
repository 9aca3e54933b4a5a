"""What the augmenter of a training run is given, and that views with all of it on stay reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.synthetic import RATE, babble, clip, make_prepared, tiny_config
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.data.shards import ShardSet

CPU = torch.device("cpu")
NEW = ("noise_rir", "music", "babble", "speech", "tempo", "pitch", "eq", "microphone", "band", "clip", "codec")


@pytest.fixture(scope="module")
def with_music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw = np.random.default_rng(5)
    more = [
        clip("train", "music", "music", 0, 0.1 * np.sin(np.arange(3 * RATE) / 10)),
        clip("train", "speech", "speech", 900, babble(draw, 3.0), contains="nova"),
    ]
    return make_prepared(tmp_path_factory.mktemp("music"), words=6, more=more)


def test_music_and_voices_are_those_of_train_and_no_voice_says_the_word(with_music: Path) -> None:
    shards = ShardSet.open(with_music)
    clips = training_clips(shards, "train", CPU)
    augmenter = training_augmenter(tiny_config(), shards, clips, CPU)
    assert augmenter.music is not None
    assert augmenter.speech is not None
    assert augmenter.noises is not None
    kinds = {int(offset): kind for offset, kind in zip(clips.offset, clips.columns["kind"], strict=True)}
    assert [kinds[int(offset)] for offset in augmenter.music.offset] == ["music"]
    assert [kinds[int(offset)] for offset in augmenter.speech.offset] == ["speech"] * 6
    assert sorted({kinds[int(offset)] for offset in augmenter.noises.offset}) == ["music", "noise"]
    held = {int(offset): contains for offset, contains in zip(clips.offset, clips.columns["contains"], strict=True)}
    assert not any("nova" in (held[int(offset)] or "") for offset in augmenter.speech.offset)


def test_a_view_with_everything_on_sounds_the_same_in_any_batch(with_music: Path) -> None:
    config = tiny_config(augmentation={f"{name}_probability": 0.7 for name in NEW} | {"rir_late_db": (-10.0, 0.0)})
    shards = ShardSet.open(with_music)
    clips = training_clips(shards, "train", CPU)
    sampler = BatchSampler(config, clips, 4000, views=3)
    views = ViewMaker(WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, CPU))
    rows, numbers = np.array([0, 3, 7, 9]), np.array([0, 1, 2, 0])
    together, _ = views(sampler.plan_views(rows, numbers))
    assert bool(torch.isfinite(together).all())
    for row in range(4):
        alone, _ = views(sampler.plan_views(rows[row : row + 1], numbers[row : row + 1]))
        assert torch.equal(alone[0], together[row])


def test_an_augmentation_without_recordings_is_warned_of(
    with_music: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def messages(prepared: Path, **augmentation: float) -> list[str]:
        caplog.clear()
        shards, silent = ShardSet.open(prepared), {"rir_probability": 0.0}
        clips = training_clips(shards, "train", CPU)
        training_augmenter(tiny_config(augmentation=silent | augmentation), shards, clips, CPU)
        return [record.getMessage() for record in caplog.records]

    without_music = make_prepared(tmp_path / "quiet", words=6)
    (message,) = messages(without_music, music_probability=0.3)
    assert "no clip of kind music, so augmentation.music_probability does nothing" in message
    assert messages(without_music) == []
    assert messages(with_music, music_probability=0.3) == []
    (message,) = messages(without_music, music_probability=0.3, babble_probability=0.1)
    assert "music" in message
    dry = make_prepared(tmp_path / "dry", words=6, drop="rir")
    (message,) = messages(dry, rir_probability=0.4, noise_rir_probability=0.2)
    assert "no clip of kind rir, so augmentation.rir_probability and augmentation.noise_rir_probability do " in message
    silent = make_prepared(tmp_path / "silent", words=6, drop="speech")
    (message,) = messages(silent, babble_probability=0.1)
    assert "no clip of kind speech that holds none of the words, so augmentation.babble_probability does" in message
