"""The augmentation chain: random draws and the order of the transforms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from wakeword.audio.augment import codecs, features, filters
from wakeword.audio.augment.bank import Bank
from wakeword.audio.augment.draws import below, chosen, crops, log_uniform, places, uniform
from wakeword.audio.augment.levels import active_power, as_loud_as, clipped, decibel, mean_power, noise_scale
from wakeword.audio.augment.noise import babble, coloured_noise, white_crops
from wakeword.audio.augment.pieces import PIECE, add_to_rows, replace_rows
from wakeword.audio.augment.rirs import RIR_LEAD, convolved, quieter_late, ringing, rir_table
from wakeword.audio.augment.speed import change_tempo, padded_length, resample
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.frontend import FrontendConfig

EQ_HZ = (100.0, 7000.0)
EQ_QUALITY = (0.5, 2.0)
MICROPHONE_PEAK_HZ = (1500.0, 6000.0)
"""Resonances of the cases and capsules of small devices."""
MICROPHONE_QUALITY = (0.7, 2.0)
MOST_KEPT = 1 << 25
"""Most samples of RIRs whose spectra are cached (128 MiB); the cache saves a third of the cost of a convolution."""


@dataclass(frozen=True)
class Augmented:
    """Augmented audio and the map of time.

    Attributes:
        audio: `(batch, samples)` float32 in [-1, 1].
        speed: `(batch,)` factor on the tempo of each clip, 1 where unchanged.
        anchor: `(batch,)` sample that did not move.
    """

    audio: Tensor
    speed: Tensor
    anchor: Tensor

    def moved(self, position: Tensor) -> Tensor:
        """New position `(batch,)` of a sample of the input."""
        return self.anchor + (position - self.anchor) / self.speed


class Augmenter(nn.Module):
    """Augmentation of audio (tempo and pitch, RIR, noises, microphone, clipping, gain, codec, noise floor) and of
    features (vocal tract length, masks).

    Each clip has separate draws from the given generator; all arithmetic runs on the device of the batch. A transform
    with probability 0 uses no random numbers, so it does not change the draws of the others. (The exceptions `speed`,
    `rir`, `noise` and the feature transforms always draw which clips take part.)
    """

    def __init__(
        self,
        config: AugmentationConfig,
        noises: Bank | None = None,
        rirs: Bank | None = None,
        frontend: FrontendConfig | None = None,
        music: Bank | None = None,
        speech: Bank | None = None,
    ) -> None:
        """Any bank may be None or empty: its transform is then off, except that coloured noise replaces `noises`.

        Args:
            rirs: room impulse responses.
            frontend: the mel scale of the features, for `vtlp`.
            speech: speech without the words, for babble and single voices.
        """
        super().__init__()
        self.config = config
        self.noises, self.music, self.speech = (
            bank if bank is not None and len(bank) else None for bank in (noises, music, speech)
        )
        self.rirs: Tensor | None
        table = rir_table(rirs) if rirs is not None and len(rirs) else None
        self.register_buffer("rirs", table if table is not None and len(table) else None, persistent=False)
        self.frontend = frontend or FrontendConfig()
        self._spectra: tuple[int, Tensor] | None = None

    def forward(self, audio: Tensor, generator: torch.Generator, anchor: Tensor | None = None) -> Augmented:
        """Augment a batch.

        Args:
            audio: `(batch, samples)` float32 in [-1, 1].
            generator: source of all random numbers, on any device.
            anchor: `(batch,)` sample that a change of tempo does not move; None means 0.
        """
        count = audio.shape[0]
        anchor = torch.zeros(count, device=audio.device) if anchor is None else anchor.to(audio.device).float()
        # The transforms work in place: a copy of the batch costs as much as a transform.
        audio = audio.clone()
        speed = self._speed(audio, anchor, generator)
        level = _levels(audio)
        self._reverberate(audio, level, generator)
        self._add_noises(audio, level, generator)
        self._microphone(audio, generator)
        self._clip(audio, generator)
        audio *= decibel(uniform(self.config.gain_db, count, generator)).to(audio.device)[:, None]
        self._codec(audio, generator)
        if self.config.floor_dbfs is not None:
            floor = decibel(uniform(self.config.floor_dbfs, count, generator)).to(audio.device)[:, None]
            audio += floor * white_crops(count, audio.shape[1], generator).to(audio.device)
        return Augmented(audio.clamp_(-1.0, 1.0), speed, anchor)

    def features(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Warp and mask features `(batch, frames, mels)`, between front end and network."""
        return features.mask(features.warp(batch, self.config, self.frontend, generator), self.config, generator)

    def _speed(self, audio: Tensor, anchor: Tensor, generator: torch.Generator) -> Tensor:
        """Change tempo and pitch in place; returns the factor on the tempo of each clip `(batch,)`."""
        config, count = self.config, audio.shape[0]
        drawn = uniform(config.speed, count, generator).to(audio.device)
        taken = chosen(config.speed_probability, count, generator).to(audio.device)
        tempo = self._factors(config.tempo_probability, config.tempo, audio, generator)
        semitones = self._factors(config.pitch_probability, config.pitch_semitones, audio, generator)
        speed = torch.ones_like(drawn)
        vocoded = torch.zeros_like(taken)
        for bent in (tempo, semitones):
            vocoded |= torch.zeros_like(taken) if bent is None else ~bent.isnan()
        rows = (taken & ~vocoded).nonzero()[:, 0]
        if len(rows):
            played, applied = resample(audio[rows], drawn[rows], anchor[rows])
            audio[rows], speed[rows] = played, applied
        rows = vocoded.nonzero()[:, 0]
        if not len(rows):
            return speed
        both = torch.where(taken, drawn, torch.ones_like(drawn))[rows]
        faster = both if tempo is None else both * tempo[rows].nan_to_num(1.0)
        higher = both if semitones is None else both * torch.exp2(semitones[rows].nan_to_num(0.0) / 12)
        played, _ = change_tempo(audio[rows], faster, higher, anchor[rows], self._highest_pitch())
        audio[rows], speed[rows] = played, faster
        return speed

    def _factors(
        self, probability: float, limits: tuple[float, float], audio: Tensor, generator: torch.Generator
    ) -> Tensor | None:
        """A random factor for each clip, NaN for unchanged clips; None for probability 0."""
        if not probability:
            return None
        drawn = uniform(limits, audio.shape[0], generator)
        taken = chosen(probability, audio.shape[0], generator)
        return torch.where(taken, drawn, torch.nan).to(audio.device)

    def _highest_pitch(self) -> float:
        config = self.config
        speed = max(1.0, config.speed[1]) if config.speed_probability else 1.0
        return speed * (2.0 ** (config.pitch_semitones[1] / 12) if config.pitch_probability else 1.0)

    def _rows(self, probability: float, audio: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the clips that take part: int64 `(rows,)` on the device of the audio."""
        return chosen(probability, audio.shape[0], generator).to(audio.device).nonzero()[:, 0]

    def _responses(self, table: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw RIRs `(count, taps)`."""
        response = table[below(torch.full((count,), len(table), device=table.device), generator)]
        if self.config.rir_late_db == (0.0, 0.0):
            return response
        late_db = uniform(self.config.rir_late_db, count, generator).to(table.device)
        return quieter_late(response, late_db, RIR_LEAD)

    def _reverberate(self, audio: Tensor, level: Tensor, generator: torch.Generator) -> None:
        """Convolve some clips with RIRs in place, at an unchanged `level` `(batch,)`."""
        if self.rirs is None:
            return
        rows, table = self._rows(self.config.rir_probability, audio, generator), self.rirs
        samples = audio.shape[1]
        length = padded_length(samples + table.shape[1])
        if self.config.rir_late_db != (0.0, 0.0) or len(table) * length > MOST_KEPT:
            drawn, spectrum = self._responses(table, len(rows), generator), partial(torch.fft.rfft, n=length)
        else:
            drawn = below(torch.full((len(rows),), len(table), device=table.device), generator)
            spectrum = partial(self._spectra_of(length).index_select, 0)

        def wet(dry: Tensor, level: Tensor, drawn: Tensor) -> Tensor:
            return as_loud_as(level, convolved(dry, spectrum(drawn), samples, RIR_LEAD))

        replace_rows(audio, rows, wet, level[rows], drawn, length=length)

    def _spectra_of(self, length: int) -> Tensor:
        """Spectra of all RIRs for a transform of `length`, cached for the next batch."""
        assert self.rirs is not None
        if self._spectra is None or self._spectra[0] != length or self._spectra[1].device != self.rirs.device:
            self._spectra = length, torch.fft.rfft(self.rirs, length)
        return self._spectra[1]

    def _add_noises(self, audio: Tensor, level: Tensor, generator: torch.Generator) -> None:
        """Add noise, music, babble and voices, each at its own SNR to the `level` `(batch,)` of the clip."""
        config, samples = self.config, audio.shape[1]
        rows = self._rows(config.noise_probability, audio, generator)
        self._noise(audio, level, rows, generator)
        if self.music is not None and config.music_probability:
            rows = self._rows(config.music_probability, audio, generator)
            _add_crops(audio, level, rows, config.music_snr_db, self.music, generator)
        if self.speech is not None and config.babble_probability:
            rows = self._rows(config.babble_probability, audio, generator)
            voices = babble(self.speech, config.babble_talkers, len(rows), samples, generator)
            snr_db = uniform(config.babble_snr_db, len(rows), generator)
            _add(audio, level, rows, snr_db, lambda voices: voices, voices)
        if self.speech is not None and config.speech_probability:
            rows = self._rows(config.speech_probability, audio, generator)
            # Speech has pauses, so the level of its loud frames counts.
            _add_crops(audio, level, rows, config.speech_snr_db, self.speech, generator, active_power)

    def _noise(self, audio: Tensor, level: Tensor, rows: Tensor, generator: torch.Generator) -> None:
        config, samples = self.config, audio.shape[1]
        if not len(rows):
            return
        if self.noises is not None and not config.noise_rir_probability:
            _add_crops(audio, level, rows, config.noise_snr_db, self.noises, generator)
            return
        if self.noises is not None:
            noise = crops(self.noises, len(rows), samples, generator)
        else:
            noise = coloured_noise(uniform((0.0, 2.0), len(rows), generator), samples, generator)
        noise = noise.to(audio.device)
        snr_db = uniform(config.noise_snr_db, len(rows), generator)
        if self.rirs is not None and config.noise_rir_probability:
            wet = self._rows(config.noise_rir_probability, noise, generator)
            replace_rows(noise, wet, ringing, self._responses(self.rirs, len(wet), generator))
        _add(audio, level, rows, snr_db, lambda noise: noise, noise)

    def _microphone(self, audio: Tensor, generator: torch.Generator) -> None:
        """Apply equaliser, microphone and band limit in one pass, at an unchanged level of the loud frames."""
        config, count = self.config, audio.shape[0]
        power = torch.ones(count, filters.POINTS, device=audio.device)
        shaped = torch.zeros(count, dtype=torch.bool, device=audio.device)
        probabilities = (config.eq_probability, config.microphone_probability, config.band_probability)
        for probability, response in zip(probabilities, (self._eq, self._capsule, self._band), strict=True):
            if probability:
                rows = self._rows(probability, audio, generator)
                power[rows] *= response(len(rows), generator).to(audio.device)
                shaped[rows] = True
        rows = shaped.nonzero()[:, 0]
        samples = audio.shape[1]

        def shape(audio: Tensor, power: Tensor) -> Tensor:
            return as_loud_as(active_power(audio[:, :samples]), filters.filtered(audio, power, samples))

        replace_rows(audio, rows, shape, power[rows], length=filters.filter_length(samples))

    def _eq(self, count: int, generator: torch.Generator) -> Tensor:
        power = torch.ones(count, filters.POINTS, device=generator.device)
        for _ in range(self.config.eq_bands):
            centre_hz = log_uniform(EQ_HZ, count, generator)
            quality = log_uniform(EQ_QUALITY, count, generator)
            gain_db = uniform(self.config.eq_gain_db, count, generator)
            power *= filters.peak_power(centre_hz, gain_db, quality)
        return power

    def _capsule(self, count: int, generator: torch.Generator) -> Tensor:
        low_hz = log_uniform(self.config.microphone_low_hz, count, generator)
        high_hz = log_uniform(self.config.microphone_high_hz, count, generator)
        centre_hz = log_uniform(MICROPHONE_PEAK_HZ, count, generator)
        quality = log_uniform(MICROPHONE_QUALITY, count, generator)
        gain_db = uniform(self.config.microphone_peak_db, count, generator)
        slopes = filters.band_power(low_hz, high_hz, order=2)
        return slopes * filters.peak_power(centre_hz, gain_db, quality)

    def _band(self, count: int, generator: torch.Generator) -> Tensor:
        low_hz = log_uniform(self.config.band_low_hz, count, generator)
        high_hz = log_uniform(self.config.band_high_hz, count, generator)
        return filters.band_power(low_hz, high_hz, order=4)

    def _clip(self, audio: Tensor, generator: torch.Generator) -> None:
        if self.config.clip_probability:
            rows = self._rows(self.config.clip_probability, audio, generator)
            replace_rows(audio, rows, clipped, uniform(self.config.clip_db, len(rows), generator).to(audio.device))

    def _codec(self, audio: Tensor, generator: torch.Generator) -> None:
        """Draw a codec for each clip; clips with the same codec are processed together."""
        config = self.config
        if not config.codec_probability:
            return
        rows = self._rows(config.codec_probability, audio, generator)
        kind = below(torch.full((len(rows),), len(config.codecs), device=audio.device), generator)
        kbps = uniform(config.codec_kbps, len(rows), generator).to(audio.device)
        for number, name in enumerate(config.codecs):
            mine = kind == number
            replace_rows(audio, rows[mine], partial(codecs.coded, name), kbps[mine])


def _levels(audio: Tensor) -> Tensor:
    """`active_power` of each clip; on a CPU, a few clips at a time."""
    size = PIECE if audio.device.type == "cpu" else len(audio)
    return torch.cat([active_power(piece) for piece in audio.split(size)])


def _add(
    audio: Tensor,
    level: Tensor,
    rows: Tensor,
    snr_db: Tensor,
    make: Callable[..., Tensor],
    *draws: Tensor,
    power: Callable[[Tensor], Tensor] = mean_power,
) -> None:
    """Add `make(*draws)` to `rows` in place, with its `power` scaled to `snr_db` below the `level` `(batch,)`."""

    def scaled(level: Tensor, snr_db: Tensor, *draws: Tensor) -> Tensor:
        noise = make(*draws).to(audio.device)
        return noise.mul_(noise_scale(level, power(noise), snr_db)[:, None])

    add_to_rows(audio, rows, scaled, level[rows], snr_db.to(audio.device), *draws)


def _add_crops(
    audio: Tensor,
    level: Tensor,
    rows: Tensor,
    snr_limits_db: tuple[float, float],
    bank: Bank,
    generator: torch.Generator,
    power: Callable[[Tensor], Tensor] = mean_power,
) -> None:
    """`_add` random crops of a bank at a random SNR."""
    drawn = places(bank, len(rows), generator)
    snr_db = uniform(snr_limits_db, len(rows), generator)
    _add(audio, level, rows, snr_db, partial(bank.take, samples=audio.shape[1]), *drawn, power=power)
