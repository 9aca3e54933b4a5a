"""Section `augmentation`: the real augmenter on fixed sounds and seeds, nothing on but what is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.audio.augment.sounds import (
    OFF,
    RATE,
    echo_bank,
    music_bank,
    noise_bank,
    peak_hz,
    seeded,
    speech_bank,
    tones,
    words,
)
from tests.config.effects.effect import Effect, Effects, Observe, check, differs, falls, rises
from tests.config.effects.material import sampler_of
from wakeword.audio.augment import Augmented, Augmenter
from wakeword.audio.frontend import Frontend
from wakeword.config import Config

QUIET = {f"augmentation.{name}": value for name, value in OFF.items()}
DRY = words(4)
FULL_BAND = 0.1 * torch.randn(4, RATE, generator=seeded(8))
TONES = tones(4)


def augmenter_of(config: Config) -> Augmenter:
    return Augmenter(
        config.augmentation, noise_bank(), echo_bank(), config.frontend, music=music_bank(), speech=speech_bank()
    )


def changed(config: Config, audio: Tensor) -> Augmented:
    return augmenter_of(config)(audio, seeded())


def added(config: Config, folder: Path) -> float:
    """Power of the difference to the clip before."""
    return float((changed(config, DRY).audio - DRY).square().mean())


def level(config: Config, folder: Path) -> float:
    return float(changed(config, DRY).audio.square().mean())


def samples(config: Config, folder: Path) -> Any:
    return changed(config, DRY).audio.numpy().tobytes()


def tail(config: Config, folder: Path) -> float:
    """Power after the word: its echo."""
    return float(changed(config, DRY).audio[:, 18500:].square().mean())


def speed(config: Config, folder: Path) -> float:
    """Mean factor on the tempo."""
    return float(changed(config, TONES).speed.mean())


def pitch(config: Config, folder: Path) -> float:
    return peak_hz(changed(config, TONES).audio[0, :24000])


def peak(config: Config, folder: Path) -> float:
    return float(changed(config, TONES).audio.abs().max())


def power_between(low_hz: int, high_hz: int) -> Observe:
    """Power in a band of noise that fills all bands, one bin a hertz."""

    def observe(config: Config, folder: Path) -> float:
        spectrum = torch.fft.rfft(changed(config, FULL_BAND).audio).abs().square()
        return float(spectrum[:, low_hz:high_hz].mean())

    return observe


lowest, presence, highest = power_between(20, 150), power_between(1500, 6000), power_between(6000, 7900)


def masked(config: Config, folder: Path) -> int:
    """Features that are masked."""
    features = torch.randn(8, 100, 40, generator=seeded(3))
    return int((augmenter_of(config).features(features, seeded()) != features).sum())


def formant(config: Config, folder: Path) -> float:
    """Centre of the features of a tone of 1 kHz, in mels."""
    frontend = Frontend(config.frontend)
    features = frontend(tones(4, 1000.0), frontend.initial_state(4))[0].detach()
    power = 10 ** (2 * augmenter_of(config).features(features, seeded())[:, 50])
    return float(((power * torch.arange(40)).sum(1) / power.sum(1)).mean())


def spread(config: Config, folder: Path) -> float:
    """How far the places of words in their windows lie apart, in samples."""
    return float(sampler_of(config).batch(0).anchor.std())


def of(observe: Observe, to: Any, holds: Any, start: Any = None, **given: Any) -> Effect:
    """An effect on an augmenter whose other transforms are off; `given` are fields of the section."""
    others = {**QUIET, **{f"augmentation.{name}": value for name, value in given.items()}}
    return Effect(observe, to, start, given=others, holds=holds)


EFFECTS: Effects = {
    "augmentation.gain_db": of(level, (6, 6), rises, (0, 0)),
    "augmentation.noise_probability": of(added, 1, rises, 0),
    "augmentation.noise_snr_db": of(added, (0, 0), rises, (20, 20), noise_probability=1),
    "augmentation.noise_rir_probability": of(samples, 1, differs, 0, noise_probability=1),
    "augmentation.music_probability": of(added, 1, rises, 0),
    "augmentation.music_snr_db": of(added, (0, 0), rises, (20, 20), music_probability=1),
    "augmentation.babble_probability": of(added, 1, rises, 0),
    "augmentation.babble_snr_db": of(added, (0, 0), rises, (20, 20), babble_probability=1),
    "augmentation.speech_probability": of(added, 1, rises, 0),
    "augmentation.speech_snr_db": of(added, (0, 0), rises, (20, 20), speech_probability=1),
    "augmentation.rir_probability": of(tail, 1, rises, 0),
    "augmentation.rir_late_db": of(tail, (-12, -12), falls, (0, 0), rir_probability=1),
    "augmentation.floor_dbfs": of(tail, (-40, -40), rises, None),
    "augmentation.shift_s": of(spread, 0.4, rises, 0),
    "augmentation.speed_probability": of(speed, 1, rises, 0, speed=(1.2, 1.2)),
    "augmentation.speed": of(speed, (1.2, 1.2), rises, (0.9, 0.9), speed_probability=1),
    "augmentation.tempo_probability": of(speed, 1, rises, 0, tempo=(1.15, 1.15)),
    "augmentation.tempo": of(speed, (1.15, 1.15), rises, (0.9, 0.9), tempo_probability=1),
    "augmentation.pitch_probability": of(pitch, 1, rises, 0, pitch_semitones=(2, 2)),
    "augmentation.pitch_semitones": of(pitch, (2, 2), rises, (-2, -2), pitch_probability=1),
    "augmentation.vtlp_probability": of(formant, 1, rises, 0, vtlp=(1.12, 1.12)),
    "augmentation.vtlp": of(formant, (1.12, 1.12), rises, (0.9, 0.9), vtlp_probability=1),
    "augmentation.eq_probability": of(added, 1, rises, 0),
    "augmentation.eq_gain_db": of(added, (8, 8), rises, (0, 0), eq_probability=1),
    "augmentation.microphone_probability": of(highest, 1, falls, 0),
    "augmentation.microphone_low_hz": of(lowest, (250, 250), falls, (40, 40), microphone_probability=1),
    "augmentation.microphone_high_hz": of(highest, (4500, 4500), falls, (7500, 7500), microphone_probability=1),
    "augmentation.microphone_peak_db": of(presence, (8, 8), rises, (0, 0), microphone_probability=1),
    "augmentation.band_probability": of(highest, 1, falls, 0, band_high_hz=(4000, 4000)),
    "augmentation.band_low_hz": of(lowest, (400, 400), falls, (80, 80), band_probability=1),
    "augmentation.band_high_hz": of(highest, (3000, 3000), falls, (7000, 7000), band_probability=1),
    "augmentation.clip_probability": of(peak, 1, falls, 0, clip_db=(6, 6)),
    "augmentation.clip_db": of(peak, (12, 12), falls, (1, 1), clip_probability=1),
    "augmentation.codec_probability": of(highest, 1, falls, 0, codecs=("telephone_mu",)),
    "augmentation.codecs": of(highest, ("telephone_a",), falls, ("a_law",), codec_probability=1),
    "augmentation.codec_kbps": of(added, (32, 32), falls, (8, 8), codec_probability=1, codecs=("low_rate",)),
    "augmentation.spec_probability": of(masked, 1, rises, 0),
    "augmentation.time_mask_frames": of(masked, 20, rises, 2, spec_probability=1),
    "augmentation.frequency_mask_mels": of(masked, 12, rises, 2, spec_probability=1),
    "augmentation.babble_talkers": of(samples, (6, 6), differs, (1, 1), babble_probability=1),
    "augmentation.eq_bands": of(samples, 8, differs, 1, eq_probability=1),
    "augmentation.masks": of(masked, 4, rises, 1, spec_probability=1),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
