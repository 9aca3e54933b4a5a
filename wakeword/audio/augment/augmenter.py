"""The chain: who draws what, and in which order the sound goes through it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wakeword.audio.augment import codecs, features, filters
from wakeword.audio.augment.bank import Bank
from wakeword.audio.augment.draws import below, chosen, crops, log_uniform, uniform
from wakeword.audio.augment.levels import active_power, as_loud_as, clipped, decibel, noise_scale
from wakeword.audio.augment.noise import babble, coloured_noise, white_crops
from wakeword.audio.augment.rooms import ROOM_LEAD, quieter_late, reverberate, ringing, room_table
from wakeword.audio.augment.speed import change_tempo, resample
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.frontend import FrontendConfig

EQ_HZ = (100.0, 7000.0)
EQ_QUALITY = (0.5, 2.0)
MICROPHONE_PEAK_HZ = (1500.0, 6000.0)
"""Where cases and capsules of small devices resonate."""
MICROPHONE_QUALITY = (0.7, 2.0)


@dataclass(frozen=True)
class Augmented:
    """Changed audio and where its samples went.

    Attributes:
        audio: `(batch, samples)` float32 in [-1, 1].
        speed: `(batch,)` factor on each clip's tempo, 1 where unchanged.
        anchor: `(batch,)` sample that stayed in its place.
    """

    audio: Tensor
    speed: Tensor
    anchor: Tensor

    def moved(self, position: Tensor) -> Tensor:
        """Where a sample `(batch,)` of the input lies now; with anchor 0 that is position / speed."""
        return self.anchor + (position - self.anchor) / self.speed


class Augmenter(nn.Module):
    """Tempo and pitch, room, noises, microphone, clipping, gain, codec, noise floor on audio; vocal tract length and
    masks on features.

    Every clip draws for itself, from the generator that is passed in; all arithmetic runs on the device of the batch.
    A transform that is off draws nothing, so that the draws of the others stay what they are. (`speed`, `room`, `noise`
    and the features draw whether a clip takes part even at a probability of 0.)
    """

    def __init__(
        self,
        config: AugmentationConfig,
        noises: Bank | None = None,
        rooms: Bank | None = None,
        frontend: FrontendConfig | None = None,
        music: Bank | None = None,
        speech: Bank | None = None,
    ) -> None:
        """Prepare the banks.

        Args:
            noises: recordings to mix in; without any, coloured noise is made on the spot.
            rooms: room responses; without any there is no room.
            frontend: where the mels of the features lie (for `vtlp`).
            music: recordings of music; without any there is none.
            speech: speech without the words, for babble and other voices; without any there are none.
        """
        super().__init__()
        self.config = config
        self.noises, self.music, self.speech = (
            bank if bank is not None and len(bank) else None for bank in (noises, music, speech)
        )
        self.rooms: Tensor | None
        table = room_table(rooms) if rooms is not None and len(rooms) else None
        self.register_buffer("rooms", table if table is not None and len(table) else None, persistent=False)
        self.frontend = frontend or FrontendConfig()

    def forward(self, audio: Tensor, generator: torch.Generator, anchor: Tensor | None = None) -> Augmented:
        """Augment a batch.

        Args:
            audio: `(batch, samples)` float32 in [-1, 1].
            generator: source of every draw; its device need not be that of the audio.
            anchor: `(batch,)` sample that a change of tempo leaves in place; 0 when absent.

        Returns:
            New audio, the speed of each clip and where samples went.
        """
        count = audio.shape[0]
        anchor = torch.zeros(count, device=audio.device) if anchor is None else anchor.to(audio.device).float()
        audio, speed = self._speed(audio, anchor, generator)
        audio = self._room(audio, generator)
        audio = self._noises(audio, generator)
        audio = self._microphone(audio, generator)
        audio = self._clipped(audio, generator)
        audio = audio * decibel(uniform(self.config.gain_db, count, generator)).to(audio.device)[:, None]
        audio = self._codec(audio, generator)
        if self.config.floor_dbfs is not None:
            level = decibel(uniform(self.config.floor_dbfs, count, generator)).to(audio.device)[:, None]
            audio = audio + level * white_crops(count, audio.shape[1], generator).to(audio.device)
        return Augmented(audio.clamp(-1.0, 1.0), speed, anchor)

    def features(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Warp and mask features `(batch, frames, mels)`: the hook between front end and student."""
        return features.mask(features.warp(batch, self.config, self.frontend, generator), self.config, generator)

    def _speed(self, audio: Tensor, anchor: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
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
            audio, speed = audio.index_copy(0, rows, played), speed.index_copy(0, rows, applied)
        rows = vocoded.nonzero()[:, 0]
        if not len(rows):
            return audio, speed
        both = torch.where(taken, drawn, torch.ones_like(drawn))[rows]
        faster = both if tempo is None else both * tempo[rows].nan_to_num(1.0)
        higher = both if semitones is None else both * torch.exp2(semitones[rows].nan_to_num(0.0) / 12)
        played, _ = change_tempo(audio[rows], faster, higher, anchor[rows], self._highest_pitch())
        return audio.index_copy(0, rows, played), speed.index_copy(0, rows, faster)

    def _factors(
        self, probability: float, limits: tuple[float, float], audio: Tensor, generator: torch.Generator
    ) -> Tensor | None:
        """A draw for each clip, NaN for those that take no part; None where all is off."""
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
        """Which clips take part: int64 `(rows,)` on the device of the audio."""
        return chosen(probability, audio.shape[0], generator).to(audio.device).nonzero()[:, 0]

    def _responses(self, table: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Room responses drawn for so many clips: `(count, taps)`."""
        response = table[below(torch.full((count,), len(table), device=table.device), generator)]
        if self.config.room_late_db == (0.0, 0.0):
            return response
        late_db = uniform(self.config.room_late_db, count, generator).to(table.device)
        return quieter_late(response, late_db, ROOM_LEAD)

    def _room(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        if self.rooms is None:
            return audio
        rows = self._rows(self.config.room_probability, audio, generator)
        if not len(rows):
            return audio
        response = self._responses(self.rooms, len(rows), generator)
        return audio.index_copy(0, rows, reverberate(audio[rows], response, ROOM_LEAD))

    def _noises(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        """All that sounds besides the clip; each at its own ratio to the clip alone."""
        config, dry, samples = self.config, audio, audio.shape[1]
        rows = self._rows(config.noise_probability, audio, generator)
        if len(rows):
            noise = self._noise_crops(len(rows), samples, generator).to(audio.device)
            snr_db = uniform(config.noise_snr_db, len(rows), generator).to(audio.device)
            if self.rooms is not None and config.noise_room_probability:
                noise = self._in_rooms(noise, self.rooms, generator)
            audio = _added(audio, dry, rows, noise, noise.square().mean(dim=1), snr_db)
        if self.music is not None and config.music_probability:
            rows = self._rows(config.music_probability, audio, generator)
            music = crops(self.music, len(rows), samples, generator).to(audio.device)
            snr_db = uniform(config.music_snr_db, len(rows), generator).to(audio.device)
            audio = _added(audio, dry, rows, music, music.square().mean(dim=1), snr_db)
        if self.speech is None:
            return audio
        if config.babble_probability:
            rows = self._rows(config.babble_probability, audio, generator)
            voices = babble(self.speech, config.babble_talkers, len(rows), samples, generator).to(audio.device)
            snr_db = uniform(config.babble_snr_db, len(rows), generator).to(audio.device)
            audio = _added(audio, dry, rows, voices, voices.square().mean(dim=1), snr_db)
        if config.speech_probability:
            rows = self._rows(config.speech_probability, audio, generator)
            voice = crops(self.speech, len(rows), samples, generator).to(audio.device)
            snr_db = uniform(config.speech_snr_db, len(rows), generator).to(audio.device)
            # Speech has pauses: loud frames against loud frames.
            audio = _added(audio, dry, rows, voice, active_power(voice), snr_db)
        return audio

    def _noise_crops(self, count: int, samples: int, generator: torch.Generator) -> Tensor:
        if self.noises is None:
            return coloured_noise(uniform((0.0, 2.0), count, generator), samples, generator)
        return crops(self.noises, count, samples, generator)

    def _in_rooms(self, noise: Tensor, table: Tensor, generator: torch.Generator) -> Tensor:
        rows = self._rows(self.config.noise_room_probability, noise, generator)
        if not len(rows):
            return noise
        return noise.index_copy(0, rows, ringing(noise[rows], self._responses(table, len(rows), generator)))

    def _microphone(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        """Equaliser, microphone and band limit in one pass; the level of the loud frames stays."""
        config, count = self.config, audio.shape[0]
        probabilities = (config.eq_probability, config.microphone_probability, config.band_probability)
        if not any(probabilities):
            return audio
        power = torch.ones(count, filters.POINTS, device=audio.device)
        shaped = torch.zeros(count, dtype=torch.bool, device=audio.device)
        for probability, response in zip(probabilities, (self._eq, self._capsule, self._band), strict=True):
            rows = self._rows(probability, audio, generator) if probability else shaped.new_zeros(0, dtype=torch.int64)
            if len(rows):
                power[rows] *= response(len(rows), generator).to(audio.device)
                shaped[rows] = True
        rows = shaped.nonzero()[:, 0]
        if not len(rows):
            return audio
        return audio.index_copy(0, rows, as_loud_as(audio[rows], filters.filtered(audio[rows], power[rows])))

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

    def _clipped(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        if not self.config.clip_probability:
            return audio
        rows = self._rows(self.config.clip_probability, audio, generator)
        overdrive_db = uniform(self.config.clip_db, len(rows), generator).to(audio.device)
        return audio.index_copy(0, rows, clipped(audio[rows], overdrive_db))

    def _codec(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        """Each clip that takes part goes through a codec of its own; clips of one codec go together."""
        config = self.config
        if not config.codec_probability:
            return audio
        rows = self._rows(config.codec_probability, audio, generator)
        kind = below(torch.full((len(rows),), len(config.codecs), device=audio.device), generator)
        kbps = uniform(config.codec_kbps, len(rows), generator).to(audio.device)
        for number, name in enumerate(config.codecs):
            mine = kind == number
            if mine.any():
                audio = audio.index_copy(0, rows[mine], codecs.coded(name, audio[rows[mine]], kbps[mine]))
        return audio


def _added(audio: Tensor, dry: Tensor, rows: Tensor, noise: Tensor, power: Tensor, snr_db: Tensor) -> Tensor:
    """`audio` with noise of this mean power on some rows, `snr_db` below the loud frames of `dry`."""
    if not len(rows):
        return audio
    scale = noise_scale(dry[rows], power, snr_db)
    return audio.index_copy(0, rows, audio[rows] + scale[:, None] * noise)
