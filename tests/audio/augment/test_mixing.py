"""What is added to a clip, at the ratio that was requested: music, babble, another voice, noise in rooms; clipping."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.audio.augment.sounds import (
    RATE,
    augmenter,
    echo_bank,
    music_bank,
    noise_bank,
    peak_hz,
    seeded,
    speech_bank,
    tones,
    words,
)
from wakeword.audio.augment import Bank
from wakeword.audio.augment.levels import active_power
from wakeword.audio.augment.noise import babble
from wakeword.audio.augment.rirs import quieter_late, ringing


def ratio_db(audio: Tensor, added: Tensor, loud_frames: bool = False) -> Tensor:
    power = active_power(added) if loud_frames else added.square().mean(dim=1)
    return 10 * torch.log10(active_power(audio) / power)


@pytest.mark.parametrize("kind", ["music", "babble", "speech"])
@pytest.mark.parametrize("snr_db", [0.0, 12.0])
def test_additions_have_the_ratio_that_was_asked_for(kind: str, snr_db: float) -> None:
    audio = words(6)
    banks = {"music": music_bank(), "speech": speech_bank()}
    requested = {f"{kind}_probability": 1.0, f"{kind}_snr_db": (snr_db, snr_db)}
    added = augmenter(**banks, **requested)(audio, seeded()).audio - audio
    assert (ratio_db(audio, added, kind == "speech") - snr_db).abs().max() < 0.2
    drawn = {f"{kind}_probability": 0.6, f"{kind}_snr_db": (0.0, 20.0)}
    some = augmenter(**banks, **drawn)(words(1).repeat(20, 1), seeded()).audio - words(1)
    levels = some.square().mean(dim=1)
    assert 4 < int((levels > 0).sum()) < 20
    assert len(levels[levels > 0].unique()) == int((levels > 0).sum())
    assert torch.equal(augmenter(**requested)(audio, seeded()).audio, audio), "without a bank there is nothing to add"


def test_every_ratio_is_to_the_clip_alone() -> None:
    audio = 0.1 * words(4)
    both = augmenter(
        noise_bank(),
        music=music_bank(),
        noise_probability=1.0,
        noise_snr_db=(-10.0, -10.0),
        music_probability=1.0,
        music_snr_db=(0.0, 0.0),
    )
    # Noise is drawn first, so it is the same without music.
    alone = augmenter(noise_bank(), noise_probability=1.0, noise_snr_db=(-10.0, -10.0))
    music = both(audio, seeded()).audio - alone(audio, seeded()).audio
    assert ratio_db(audio, music).abs().max() < 0.2


def test_music_is_the_chord_of_its_bank() -> None:
    silent = torch.zeros(1, 2 * RATE)
    result = augmenter(music=music_bank(), music_probability=1.0)(silent, seeded()).audio
    assert min(abs(peak_hz(result[0]) - hz) for hz in (261.6, 329.6, 392.0)) < 0.5


def test_babble_has_as_many_talkers_as_were_asked_for() -> None:
    # Every "voice" is a tone of its own: talkers can be counted.
    voices = Bank.of([tones(1, 200.0 + 100 * k)[0] for k in range(60)])
    for talkers in ((1, 1), (2, 5)):
        mix = babble(voices, talkers, 30, 2 * RATE, seeded())
        spectrum = torch.fft.rfft(mix * torch.hann_window(2 * RATE)).abs()[:, 300:12300].unflatten(1, (60, 200))
        strong = spectrum.amax(dim=2) > 0.1 * spectrum.amax(dim=(1, 2))[:, None]
        counts = strong.sum(dim=1)
        assert int(counts.max()) <= talkers[1]
        # Two talkers may have drawn one tone.
        assert float(counts.float().mean()) == pytest.approx(sum(talkers) / 2, abs=0.6)
    first, second = (
        augmenter(speech=speech_bank(), babble_probability=1.0, babble_talkers=(many, many))(words(2), seeded()).audio
        for many in (1, 6)
    )
    assert not torch.equal(first, second)


def test_noise_in_a_room_has_its_echo_and_its_ratio() -> None:
    audio = words(8)
    requested = {"noise_probability": 1.0, "noise_snr_db": (5.0, 5.0), "noise_rir_probability": 0.6}
    added = augmenter(noise_bank(), echo_bank(), **requested)(audio, seeded()).audio - audio
    assert (ratio_db(audio, added) - 5.0).abs().max() < 0.2
    spectrum = torch.fft.rfft(added, 65536).abs().square()
    correlation = torch.fft.irfft(spectrum, 65536)
    # A room's echo lies 2400 samples behind its direct sound.
    echoes = (correlation[:, 2400] / correlation[:, 0]).abs() > 0.3
    assert 1 < int(echoes.sum()) < 8


def test_noise_rings_from_its_first_sample_on() -> None:
    response = torch.zeros(1, 40000)
    response[:, 30000] = 1.0
    noise = 0.1 * torch.randn(1, 16001, generator=seeded())
    # 30000 samples are once around the circle of 16001 and 13999 more.
    torch.testing.assert_close(ringing(noise, response), noise.roll(13999, dims=1), atol=1e-5, rtol=1e-4)


def test_late_reflections_change_and_early_ones_stay() -> None:
    response = torch.zeros(2, 4000)
    response[:, 64], response[:, 700], response[:, 2000] = 1.0, 0.5, 0.5
    changed = quieter_late(response, torch.tensor([-6.0206, 6.0206]), 64)
    torch.testing.assert_close(changed[:, [64, 700]], response[:, [64, 700]])
    torch.testing.assert_close(changed[:, 2000], torch.tensor([0.25, 1.0]), atol=1e-4, rtol=1e-4)

    audio = torch.zeros(6, 2 * RATE)
    audio[:, 8000:8400] = 0.2 * torch.randn(400, generator=seeded(1))

    def echo(late_db: tuple[float, float]) -> Tensor:
        wet = augmenter(rirs=echo_bank(), rir_probability=1.0, rir_late_db=late_db)(audio, seeded()).audio
        return 20 * torch.log10(wet[:, 10400:10800].norm(dim=1) / wet[:, 8000:8400].norm(dim=1))

    near, drawn = echo((-12.0, -12.0)), echo((-20.0, 0.0))
    assert set(near.round().int().tolist()) == {-18, -10}  # echoes of 0.5 and 1.3, 12 dB lower
    assert len(drawn.round(decimals=1).unique()) > 3


def test_clipping_cuts_at_the_level_that_was_asked_for_and_makes_harmonics() -> None:
    audio = tones(12)
    result = augmenter(clip_probability=1.0, clip_db=(6.0206, 6.0206))(audio, seeded()).audio
    assert result.abs().amax(dim=1).tolist() == pytest.approx([0.1] * 12, rel=1e-3)
    spectrum = torch.fft.rfft(result[0] * torch.hann_window(2 * RATE)).abs()
    # A sine that is cut at half its peak: (sin(2a) + 2a) / pi and its third harmonic, a = asin(0.5).
    assert float(spectrum[3 * 880] / spectrum[880]) == pytest.approx(0.226, abs=0.01)
    assert float(spectrum[2 * 880] / spectrum[880]) < 1e-3
    some = augmenter(clip_probability=0.5, clip_db=(1.0, 12.0))(audio, seeded()).audio.amax(dim=1)
    cut = some[some < 0.199]
    assert 1 < len(cut) < 12
    assert len(cut.unique()) == len(cut)
