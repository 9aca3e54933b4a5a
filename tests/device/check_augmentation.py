"""Windows and every augmentation on the simulated accelerator: the CPU's numbers, and the host waits for nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.audio.augment.sounds import OFF, RATE, echo_bank, music_bank, noise_bank, seeded, speech_bank, words
from tests.device.accelerator import Traffic, install, on_sim
from tests.training.synthetic import make_prepared, tiny_config
from wakeword.audio.augment import Augmenter, Bank
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler, WindowPlan
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config.augmentation import AugmentationConfig
from wakeword.data.shards import ShardSet

SIM, CPU = install(), torch.device("cpu")
SAMPLES = 2 * RATE - 777
ALONE: dict[str, dict[str, Any]] = {
    "speed": {"speed_probability": 0.7, "speed": (0.7, 1.4)},
    "tempo": {"tempo_probability": 0.7},
    "pitch": {"pitch_probability": 0.7, "pitch_semitones": (-4.0, 4.0)},
    "speed, tempo and pitch": {"speed_probability": 0.6, "tempo_probability": 0.5, "pitch_probability": 0.5},
    "rooms": {"rir_probability": 0.7},
    "rooms, late part changed": {"rir_probability": 0.7, "rir_late_db": (-10.0, 0.0)},
    "noise": {"noise_probability": 0.7},
    "noise in a room": {"noise_probability": 0.8, "noise_rir_probability": 0.6},
    "music": {"music_probability": 0.7},
    "babble": {"babble_probability": 0.7},
    "voice": {"speech_probability": 0.7},
    "equaliser": {"eq_probability": 0.7},
    "microphone": {"microphone_probability": 0.7},
    "band limit": {"band_probability": 0.7},
    "clipping": {"clip_probability": 0.7},
    "codecs": {"codec_probability": 0.9},
    "gain": {"gain_db": (-12.0, 6.0)},
    "floor": {"floor_dbfs": (-60.0, -40.0)},
}
EVERYTHING = {key: value for changes in ALONE.values() for key, value in changes.items()}


def on_device(bank: Bank, device: torch.device) -> Bank:
    return Bank(*(values.to(device) for values in (bank.audio, bank.offset, bank.length)))


def augmenter(device: torch.device, changes: dict[str, Any], noises: bool = True) -> Augmenter:
    config = AugmentationConfig.model_validate({**OFF, **changes})
    banks = [on_device(bank, device) for bank in (noise_bank(), echo_bank(), music_bank(), speech_bank())]
    noise, rirs, music, speech = banks
    return Augmenter(config, noise if noises else None, rirs, music=music, speech=speech).to(device)


def clean(traffic: Traffic) -> None:
    assert traffic.reads == []
    assert traffic.blocking == []


def alike(found: torch.Tensor, expected: torch.Tensor, limit: float = 1e-8) -> None:
    """The energy of the difference; a rounding may tip a quantiser, which a largest difference would not forgive."""
    assert found.shape == expected.shape
    assert float((found - expected).square().sum()) <= limit * float(expected.square().sum())


def augmented(changes: dict[str, Any], noises: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    """Audio of the CPU and of the device, from the same draws."""
    audio = words(9)[:, :SAMPLES]
    anchor = torch.linspace(0, SAMPLES, 9)
    expected = augmenter(CPU, changes, noises)(audio, seeded(3), anchor)
    with on_sim() as traffic:
        transform = augmenter(SIM, changes, noises)
        there, anchor_there = audio.to(SIM), anchor.to(SIM)
        for _ in range(2):  # The first fills what is kept of filters and rooms.
            traffic.clear()
            found = transform(there, seeded(3), anchor_there)
        clean(traffic)
        assert len(traffic.uploads) == 1
        assert torch.equal(found.speed.cpu(), expected.speed)
        return found.audio.cpu(), expected.audio


@pytest.mark.parametrize("name", ALONE)
def test_each_alone(name: str) -> None:
    found, expected = augmented(ALONE[name])
    assert not torch.equal(expected, words(9)[:, :SAMPLES]), "the transform did nothing"
    alike(found, expected, 1e-5 if name == "codecs" else 1e-8)


def test_coloured_noise() -> None:
    alike(*augmented({"noise_probability": 0.7, "noise_rir_probability": 0.5}, noises=False))


def test_everything_at_once() -> None:
    alike(*augmented(EVERYTHING), 1e-4)


def test_features() -> None:
    features = torch.randn(9, 60, 40, generator=seeded(1))
    changes = {"vtlp_probability": 0.6, "spec_probability": 0.6}
    expected = augmenter(CPU, changes).features(features, seeded(3))
    with on_sim() as traffic:
        transform, there = augmenter(SIM, changes), features.to(SIM)
        traffic.clear()
        found = transform.features(there, seeded(3))
        clean(traffic)
        torch.testing.assert_close(found.cpu(), expected)
    assert not torch.equal(expected, features)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prepared(tmp_path_factory.mktemp("prepared"))


def view_maker(prepared: Path, device: torch.device, views: int, **augmentation: Any) -> tuple[ViewMaker, WindowPlan]:
    config = tiny_config(augmentation=augmentation)
    shards = ShardSet.open(prepared)
    clips = training_clips(shards, "train", device)
    sampler = BatchSampler(config, clips, 16_000, views)
    maker = ViewMaker(WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, device))
    return maker, sampler.batch(3)


def test_windows(prepared: Path) -> None:
    maker, plan = view_maker(prepared, CPU, 0)
    assert (plan.fill >= 0).any()
    expected = maker.windows.render(plan)
    with on_sim() as traffic:
        maker, _ = view_maker(prepared, SIM, 0)
        traffic.clear()
        found = maker.windows.render(plan)
        clean(traffic)
        torch.testing.assert_close(found.cpu(), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("views", [0, 3])
def test_views(prepared: Path, views: int) -> None:
    """Views of distillation have a generator each: the device augments them as one batch, the CPU row by row."""
    settings = {key: value for key, value in EVERYTHING.items() if not key.startswith(("codec", "clip"))}
    maker, plan = view_maker(prepared, CPU, views, **settings)
    assert (plan.view >= 0).any() == bool(views)
    expected = maker.with_speed(plan)
    with on_sim() as traffic:
        maker, _ = view_maker(prepared, SIM, views, **settings)
        maker(plan)
        traffic.clear()
        found = maker.with_speed(plan)
        clean(traffic)
        assert len(traffic.uploads) == 1
        alike(found[0].cpu(), expected[0], 1e-7)
        torch.testing.assert_close(found[1].cpu(), expected[1])
        torch.testing.assert_close(found[2].cpu(), expected[2])


def test_a_view_on_the_device_is_the_same_in_any_batch(prepared: Path) -> None:
    with on_sim():
        maker, plan = view_maker(prepared, SIM, 3, **EVERYTHING)
        whole = maker(plan)[0].cpu()
        some = np.array([7, 2])
        alone = maker(replace(plan.take(some)))[0].cpu()
    alike(alone, whole[some], 1e-4)
