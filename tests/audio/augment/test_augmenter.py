"""Each physical effect of the augmenter, measured."""

from __future__ import annotations

import pytest
import torch

from tests.audio.augment.sounds import RATE, augmenter, echo_bank, noise_bank, peak_hz, seeded, tones, words
from wakeword.audio.augment import Augmenter, Bank
from wakeword.audio.augment.features import warped_mels
from wakeword.audio.augment.levels import active_power
from wakeword.audio.augment.noise import coloured_noise
from wakeword.audio.augment.speed import resample
from wakeword.audio.frontend import Frontend
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.frontend import FrontendConfig


def test_everything_off_is_the_identity() -> None:
    audio, features = words(4), torch.randn(4, 50, 40)
    transform = augmenter(noise_bank())
    result = transform(audio, seeded())
    assert torch.equal(result.audio, audio)
    assert torch.equal(result.speed, torch.ones(4))
    assert torch.equal(transform.features(features, seeded()), features)


def test_same_seed_same_batch_and_another_seed_another() -> None:
    transform = Augmenter(AugmentationConfig(), noise_bank(), None)
    audio = words(6)
    first, again, other = (transform(audio, seeded(seed)).audio for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    features = torch.randn(6, 60, 40)
    assert torch.equal(transform.features(features, seeded(1)), transform.features(features, seeded(1)))


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 25.0])
@pytest.mark.parametrize("bank", [noise_bank(), None])
def test_noise_has_the_ratio_that_was_asked_for(snr_db: float, bank: Bank | None) -> None:
    audio = words(8)
    noisy = augmenter(bank, noise_probability=1.0, noise_snr_db=(snr_db, snr_db))(audio, seeded()).audio
    added = (noisy - audio).square().mean(dim=1)
    measured = 10 * torch.log10(audio[:, 10240:17920].square().mean(dim=1) / added)
    assert (measured - snr_db).abs().max() < 0.2


def test_noise_is_drawn_per_clip() -> None:
    audio = words(1).repeat(12, 1)
    added = augmenter(noise_bank(), noise_probability=0.5)(audio, seeded()).audio - audio
    level = added.square().mean(dim=1)
    assert 0 < int((level > 0).sum()) < 12
    noisy = level[level > 0]
    assert len(noisy.unique()) == len(noisy)


def test_silence_gets_noise_too() -> None:
    noisy = augmenter(noise_bank(), noise_probability=1.0, noise_snr_db=(10.0, 10.0))(torch.zeros(2, RATE), seeded())
    level_db = 10 * torch.log10(noisy.audio.square().mean(dim=1))
    assert (level_db + 60.0).abs().max() < 0.2


def test_a_short_noise_goes_on_from_its_beginning() -> None:
    bank = Bank.of([torch.arange(5).float(), torch.arange(100, 104).float()])
    taken = bank.take(torch.tensor([1, 0]), torch.tensor([3, 0]), 6)
    assert taken.tolist() == [[103, 100, 101, 102, 103, 100], [0, 1, 2, 3, 4, 0]]


def test_gain_is_uniform_in_decibel_and_clips() -> None:
    audio = words(200)
    louder = augmenter(gain_db=(-12.0, -6.0))(audio, seeded()).audio
    gain_db = 20 * torch.log10(louder.std(dim=1) / audio.std(dim=1))
    assert float(gain_db.min()) >= -12.01
    assert float(gain_db.max()) <= -5.99
    assert abs(float(gain_db.mean()) + 9.0) < 0.4
    assert augmenter(gain_db=(40.0, 40.0))(audio, seeded()).audio.abs().max() == 1.0


def test_every_clip_gets_a_floor() -> None:
    floor = augmenter(floor_dbfs=(-70.0, -60.0))(torch.zeros(50, RATE), seeded()).audio
    level_db = 10 * torch.log10(floor.square().mean(dim=1))
    assert float(level_db.min()) > -70.3
    assert float(level_db.max()) < -59.7
    assert float(level_db.max() - level_db.min()) > 5
    assert len({tuple(row[:10].tolist()) for row in floor}) == 50


def test_room_keeps_level_and_place_and_adds_the_echo() -> None:
    audio = words(4)
    audio[:, 10000:] *= torch.exp(-torch.arange(22000) / 1500)
    wet = augmenter(rirs=echo_bank(), rir_probability=1.0)(audio, seeded()).audio
    ratio_db = 10 * torch.log10(active_power(wet) / active_power(audio))
    assert ratio_db.abs().max() < 0.05
    correlation = torch.fft.irfft(torch.fft.rfft(wet, 65536) * torch.fft.rfft(audio, 65536).conj(), 65536)
    lags = correlation.topk(1, dim=1).indices[:, 0].tolist()
    assert set(lags) <= {0, 2400}
    near = correlation[:, 0] / correlation[:, 2400]
    assert bool(((near - 1 / 0.5).abs() < 0.2).logical_or((near - 1 / 1.3).abs() < 0.1).all())
    assert float(wet[:, :9900].abs().max()) < 1e-4


def test_without_rooms_there_is_no_room() -> None:
    audio = words(2)
    assert torch.equal(augmenter(rir_probability=1.0)(audio, seeded()).audio, audio)
    empty = Bank(torch.zeros(0), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    assert torch.equal(augmenter(empty, empty, rir_probability=1.0)(audio, seeded()).audio, audio)


def test_speed_moves_pitch_and_time_alike_and_per_clip() -> None:
    result = augmenter(speed_probability=0.7, speed=(0.88, 1.14))(tones(24), seeded())
    for row, speed in enumerate(result.speed.tolist()):
        assert abs(peak_hz(result.audio[row, :24000]) - 440 * speed) < 0.3
    assert 4 < len(result.speed.unique()) <= 24
    assert float((result.speed == 1.0).sum()) >= 3
    assert float(result.speed.min()) > 0.86
    assert float(result.speed.max()) < 1.16


@pytest.mark.parametrize("anchor", [0, 14000])
def test_speed_says_where_the_word_went(anchor: int) -> None:
    audio = torch.zeros(2, 2 * RATE)
    audio[:, 16000] = 0.9
    transform = augmenter(speed_probability=1.0, speed=(1.1, 1.14))
    result = transform(audio, seeded(), torch.full((2,), anchor))
    expected = result.moved(torch.tensor([16000.0, 16000.0]))
    assert (result.audio.abs().argmax(dim=1) - expected).abs().max() <= 1.0
    assert (expected - (anchor + (16000 - anchor) / result.speed)).abs().max() < 1e-2
    assert float(result.speed.min()) > 1.08


def test_speed_does_not_alias() -> None:
    played, applied = resample(tones(1, 7500.0), torch.tensor([1.14]), torch.tensor([0.0]))
    assert float(applied) * 7500 > 8000
    assert float(played[0, 1000:20000].std()) < 1e-3


def test_slowing_down_from_the_end_leaves_no_hole_at_the_start() -> None:
    played, applied = resample(tones(1), torch.tensor([0.9]), torch.tensor([31999.0]))
    assert float(applied) < 0.95
    assert float(played[0, :2000].std()) > 0.1


def test_masks_are_per_clip_limited_and_filled_with_the_mean() -> None:
    features = torch.randn(40, 100, 40, generator=seeded(3))
    masked = augmenter(spec_probability=0.5, masks=1, time_mask_frames=8, frequency_mask_mels=0).features(
        features, seeded()
    )
    changed = masked != features
    frames = changed.all(dim=2).sum(dim=1)
    assert torch.equal(changed.any(dim=2).sum(dim=1), frames)
    assert 1 <= int(frames.max()) <= 8
    assert len({tuple(row.nonzero()[:, 0].tolist()) for row in changed.all(dim=2)}) > 10
    assert 8 < int((frames == 0).sum()) < 35
    mean = features.mean(dim=(1, 2), keepdim=True).expand_as(features)
    torch.testing.assert_close(masked[changed], mean[changed])
    masked = augmenter(spec_probability=1.0, masks=3, time_mask_frames=0, frequency_mask_mels=4).features(
        features, seeded()
    )
    mels = (masked != features).all(dim=1).sum(dim=1)
    assert 4 < int(mels.max()) <= 12


def test_vtlp_moves_formants_by_its_factor_and_keeps_the_tempo() -> None:
    frontend = Frontend(FrontendConfig())
    features = frontend(tones(10, 1000.0), frontend.initial_state(10))[0].detach()
    target = frontend(tones(1, 1120.0), frontend.initial_state(1))[0]
    warped = augmenter(vtlp_probability=1.0, vtlp=(1.12, 1.12)).features(features, seeded())
    centre = [(10 ** (x[0, 50] * 2) * torch.arange(40)).sum() / (10 ** (x[0, 50] * 2)).sum() for x in (warped, target)]
    assert abs(float(centre[0] - centre[1])) < 0.35
    some = augmenter(vtlp_probability=0.5).features(features, seeded())
    moved = (some != features).flatten(1).any(dim=1)
    assert 1 < int(moved.sum()) < 10
    assert len({round(float(row.sum()), 2) for row in some[moved]}) == int(moved.sum())


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_an_unwarped_axis_reads_every_mel_from_itself(scale: str) -> None:
    place = warped_mels(FrontendConfig(mel_scale=scale), 40, torch.tensor([1.0]))
    torch.testing.assert_close(place[0], torch.arange(40.0), atol=1e-3, rtol=0)


def test_vtlp_without_change_is_the_identity_and_monotone_otherwise() -> None:
    place = warped_mels(FrontendConfig(), 40, torch.tensor([1.0, 0.88, 1.12]))
    torch.testing.assert_close(place[0], torch.arange(40.0), atol=1e-3, rtol=0)
    assert bool((place.diff(dim=1) >= 0).all())


def test_coloured_noise_falls_as_asked() -> None:
    noise = coloured_noise(torch.tensor([0.0, 1.0, 2.0]), 4 * RATE, seeded())
    power = torch.fft.rfft(noise).abs().square()
    bands = [power[:, 4 * low : 8 * low].mean(dim=1) for low in (200, 800, 3200)]
    fall_db = 10 * torch.log10(bands[0] / bands[2])
    torch.testing.assert_close(fall_db, torch.tensor([0.0, 12.04, 24.08]), atol=0.8, rtol=0)
    torch.testing.assert_close(noise.square().mean(dim=1), torch.ones(3), atol=1e-3, rtol=0)
