"""The whole chain with everything on: the same seed, odd lengths, silence, and disabled transforms change nothing."""

from __future__ import annotations

import pytest
import torch

from tests.audio.augment.sounds import RATE, echo_bank, music_bank, noise_bank, seeded, speech_bank, words
from wakeword.audio.augment import Augmenter
from wakeword.audio.augment.codecs import a_law, low_rate, mu_law, telephone
from wakeword.audio.augment.filters import filtered, peak_power
from wakeword.config import validate_config
from wakeword.config.augmentation import AugmentationConfig
from wakeword.errors import ConfigError

NEW = (
    "noise_rir", "music", "babble", "speech", "tempo", "pitch", "eq", "microphone", "band", "clip", "codec",
)  # fmt: skip
ALL_ON = {f"{name}_probability": 0.6 for name in (*NEW, "noise", "rir", "speed")}


def everything(**changes: object) -> Augmenter:
    config = AugmentationConfig.model_validate({**ALL_ON, "rir_late_db": (-10.0, 0.0), **changes})
    return Augmenter(config, noise_bank(), echo_bank(), music=music_bank(), speech=speech_bank())


def test_what_is_new_is_off() -> None:
    config = AugmentationConfig()
    assert all(getattr(config, f"{name}_probability") == 0 for name in NEW)
    assert config.rir_late_db == (0.0, 0.0)


def test_what_is_off_draws_nothing() -> None:
    audio = words(6)
    bare = Augmenter(AugmentationConfig(), noise_bank(), echo_bank())(audio, seeded()).audio
    off = AugmentationConfig.model_validate(
        {"pitch_semitones": (-5.0, 5.0), "codecs": ("mu_law",), "eq_bands": 7, "babble_talkers": (2, 2)}
    )
    banks = {"music": music_bank(), "speech": speech_bank()}
    assert torch.equal(Augmenter(off, noise_bank(), echo_bank(), **banks)(audio, seeded()).audio, bare)


@pytest.mark.parametrize("samples", [2 * RATE, 20001, 17003])
def test_same_seed_same_samples_at_any_length(samples: int) -> None:
    audio, transform = words(10)[:, :samples], everything()
    first, again, other = (transform(audio, seeded(seed), torch.full((10,), 16000)) for seed in (1, 1, 2))
    assert first.audio.shape == audio.shape
    assert bool(torch.isfinite(first.audio).all())
    assert float(first.audio.abs().max()) <= 1.0
    assert torch.equal(first.audio, again.audio)
    assert torch.equal(first.speed, again.speed)
    assert not torch.equal(first.audio, other.audio)
    assert len({float(row.square().sum()) for row in first.audio}) == 10


@pytest.mark.parametrize("name", NEW)
def test_each_one_alone_is_reproducible_and_leaves_silence_finite(name: str) -> None:
    transform = everything(**{f"{other}_probability": 0.0 for other in NEW} | {f"{name}_probability": 1.0})
    audio = torch.cat([words(3), torch.zeros(2, 2 * RATE)])[:, :30001]
    first, again = (transform(audio, seeded(4)).audio for _ in range(2))
    assert torch.equal(first, again)
    assert bool(torch.isfinite(first).all())
    assert not torch.equal(first, everything(**{f"{n}_probability": 0.0 for n in NEW})(audio, seeded(4)).audio)


def test_digital_silence_stays_finite_without_any_noise() -> None:
    quiet = {"noise_probability": 0.0, "music_probability": 0.0, "babble_probability": 0.0, "speech_probability": 0.0}
    on = {f"{n}_probability": 1.0 for n in ("tempo", "pitch", "eq", "microphone", "band", "clip", "codec", "rir")}
    result = everything(**quiet, **on, floor_dbfs=None)(torch.zeros(8, 16001), seeded()).audio
    assert bool(torch.isfinite(result).all())
    assert float(result.abs().max()) < 1e-3


def test_filters_and_codecs_do_not_depend_on_the_batch() -> None:
    audio = words(3)[:, 9000:20001]
    centre_hz, gain_db = torch.tensor([200.0, 1000.0, 4000.0]), torch.tensor([-6.0, 6.0, 3.0])
    power = peak_power(centre_hz, gain_db, torch.ones(3))
    kbps = torch.tensor([8.0, 16.0, 24.0])
    together = [filtered(audio, power), low_rate(audio, kbps), mu_law(audio), telephone(audio, a_law)]
    for row in range(3):
        one = slice(row, row + 1)
        alone = [
            filtered(audio[one], power[one]), low_rate(audio[one], kbps[one]),
            mu_law(audio[one]), telephone(audio[one], a_law),
        ]  # fmt: skip
        for apart, batched in zip(alone, together, strict=True):
            # A rounding difference may tip a quantiser: compare the energy of what differs.
            assert float((apart[0] - batched[row]).square().sum()) < 1e-4 * float(batched[row].square().sum())


@pytest.mark.parametrize(
    ("field", "value"),
    [("tempo", [0.2, 1.0]), ("pitch_semitones", [3.0, -3.0]), ("codecs", []), ("codecs", ["mp3"]),
     ("babble_talkers", [0, 3]), ("band_high_hz", [3000.0, 9000.0]), ("clip_db", [-3.0, 1.0])],
)  # fmt: skip
def test_impossible_values_are_refused_by_name(field: str, value: list[object]) -> None:
    with pytest.raises(ConfigError, match=field):
        validate_config({"words": [{"label": "nova"}], "augmentation": {field: value}})


def test_kept_spectra_of_rooms_follow_the_length_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_room(transform: Augmenter, samples: int) -> torch.Tensor:
        return transform(words(5)[:, :samples], seeded(3)).audio

    def rooms_only() -> Augmenter:
        off = {"noise_probability": 0.0, "speed_probability": 0.0, "rir_probability": 1.0, "floor_dbfs": None}
        return Augmenter(AugmentationConfig.model_validate(off), rirs=echo_bank())

    used = rooms_only()
    first = in_room(used, 2 * RATE)
    other = in_room(used, 20001)
    assert torch.equal(other, in_room(rooms_only(), 20001))
    assert torch.equal(first, in_room(used, 2 * RATE))
    monkeypatch.setattr("wakeword.audio.augment.augmenter.MOST_KEPT", 0)
    torch.testing.assert_close(in_room(rooms_only(), 2 * RATE), first, atol=1e-6, rtol=1e-4)
