"""Augmentation of whole batches on their device; every draw is per clip and comes from an explicit generator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from wakeword.audio.frontend import hz_to_mel, mel_to_hz
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ, FrontendConfig

ACTIVE_FRAME = 320
ACTIVE_RANGE_DB = 25.0
SILENT_DBFS = -50.0
"""A clip quieter than this counts as this loud when noise is added, so that silence gets noise too."""
QUIETEST_NOISE = 1e-7
"""Power (-70 dBFS) that a noise crop counts with at least: quantisation noise is not pulled up to full level."""
ROOM_LEAD = 64
"""Samples of a room response kept before its direct sound (the ringing of a band-limited arrival)."""
ROOM_LONGEST_S = 1.5


@dataclass(frozen=True)
class Bank:
    """Clips one after another in a flat tensor, on any device.

    Attributes:
        audio: `(samples,)` int16 or float32 in [-1, 1].
        offset, length: int64 `(clips,)`; clip `i` is `audio[offset[i] : offset[i] + length[i]]`.
    """

    audio: Tensor
    offset: Tensor
    length: Tensor

    @staticmethod
    def of(clips: list[Tensor]) -> Bank:
        """A bank of separate clips of one kind of number."""
        length = torch.tensor([len(clip) for clip in clips], dtype=torch.int64)
        audio = torch.cat(clips) if clips else torch.zeros(0)
        return Bank(audio, torch.cumsum(length, 0) - length, length)

    def __len__(self) -> int:
        return len(self.offset)

    def take(self, index: Tensor, start: Tensor, samples: int) -> Tensor:
        """Clips `(batch, samples)` float32 from `start` on; a clip that ends goes on at its beginning."""
        if self.audio.device.type == "cpu":
            return self._copy(index, start, samples)
        place = (start[:, None] + torch.arange(samples, device=self.audio.device)) % self.length[index, None]
        return as_float(self.audio[self.offset[index, None] + place])

    def _copy(self, index: Tensor, start: Tensor, samples: int) -> Tensor:
        """`take` by whole stretches, which on a CPU is several times faster than looking up sample by sample."""
        taken = torch.empty(len(index), samples, dtype=self.audio.dtype)
        rows = zip(taken, self.offset[index].tolist(), self.length[index].tolist(), start.tolist(), strict=True)
        for row, offset, length, place in rows:
            done, place = 0, place % length
            while done < samples:
                piece = min(length - place, samples - done)
                row[done : done + piece] = self.audio[offset + place : offset + place + piece]
                done, place = done + piece, 0
        return as_float(taken)


def as_float(audio: Tensor) -> Tensor:
    """int16 to float32 in [-1, 1); float32 stays."""
    return audio.to(torch.float32) / 32768.0 if audio.dtype == torch.int16 else audio.to(torch.float32)


@dataclass(frozen=True)
class Augmented:
    """Changed audio and where its samples went.

    Attributes:
        audio: `(batch, samples)` float32 in [-1, 1].
        speed: `(batch,)` factor of each clip, 1 where unchanged.
        anchor: `(batch,)` sample that stayed in its place.
    """

    audio: Tensor
    speed: Tensor
    anchor: Tensor

    def moved(self, position: Tensor) -> Tensor:
        """Where a sample `(batch,)` of the input lies now; with anchor 0 that is position / speed."""
        return self.anchor + (position - self.anchor) / self.speed


def _uniform(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def _chosen(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """Which clips a transform takes: bool `(count,)`."""
    return torch.rand(count, generator=generator, device=generator.device) < probability


def _below(limit: Tensor, generator: torch.Generator) -> Tensor:
    """A whole number from 0 to below `limit`, for each."""
    draw = torch.rand(limit.shape, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.minimum((draw.to(limit.device) * limit).long(), limit - 1)


def active_power(audio: Tensor) -> Tensor:
    """Mean power of the loud frames of each clip, `(batch,)`: those within 25 dB of the loudest 20 ms."""
    frames = audio[:, : audio.shape[1] // ACTIVE_FRAME * ACTIVE_FRAME].unflatten(1, (-1, ACTIVE_FRAME))
    power = frames.square().mean(dim=2)
    loud = power >= power.amax(dim=1, keepdim=True) * 10 ** (-ACTIVE_RANGE_DB / 10)
    return (power * loud).sum(dim=1) / loud.sum(dim=1)


@lru_cache(maxsize=4096)
def fast_length(samples: float) -> int:
    """The smallest even length from `samples` on whose prime factors are 2, 3 and 5: quick to transform."""
    length = 2 * math.ceil(samples / 2)
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2


def resample(audio: Tensor, factor: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
    """Play each clip about `factor` times faster: out[n] = in[anchor + (n - anchor) * factor], silence beyond it.

    Band-limited, by cutting or padding the spectrum. The transforms take lengths that are quick, a few per cent apart:
    the factor moves to the next such one, and clips that share it share a transform.

    Returns:
        Audio `(batch, samples)` and the factors that were applied `(batch,)`.
    """
    samples = audio.shape[1]
    # The gap behind the clip keeps its end from leaking into its beginning.
    length = fast_length(samples + 256)
    spectrum = torch.fft.rfft(audio, length)
    groups: dict[int, list[int]] = {}
    for row, wanted in enumerate(factor.tolist()):
        groups.setdefault(fast_length(math.ceil(0.99 * length / wanted)), []).append(row)
    result = torch.zeros_like(audio)
    applied = torch.ones_like(factor)
    places = anchor.tolist()
    for new_length, rows in groups.items():
        speed = length / new_length
        played = torch.fft.irfft(spectrum[rows], new_length)[:, : math.ceil(samples / speed)] / speed
        applied[rows] = speed
        for row, clip in zip(rows, played, strict=True):
            begin = round(places[row] / speed - places[row])
            piece = clip[max(0, begin) : max(0, begin + samples)]
            first = max(0, -begin)
            result[row, first : first + len(piece)] = piece[: samples - first]
    return result, applied


def reverberate(audio: Tensor, response: Tensor, lead: int) -> Tensor:
    """Convolve each clip with its response `(batch, taps)` whose direct sound lies at tap `lead`; level kept.

    The direct sound stays where it was, so nothing moves in time; the power of the loud frames stays the same.
    """
    samples = audio.shape[1]
    length = fast_length(samples + response.shape[1])
    spectrum = torch.fft.rfft(audio, length) * torch.fft.rfft(response, length)
    wet = torch.fft.irfft(spectrum, length)[:, lead : lead + samples]
    return wet * (active_power(audio) / active_power(wet).clamp(min=1e-12)).sqrt()[:, None]


def coloured_noise(slope: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """Noise `(batch, samples)` with power falling as f ** -slope (0 white, 1 pink, 2 brown), without DC."""
    length = fast_length(samples)
    white = torch.randn(len(slope), length, generator=generator, device=generator.device).to(slope.device)
    spectrum = torch.fft.rfft(white)
    bins = torch.arange(spectrum.shape[1], device=slope.device, dtype=torch.float32)
    # Flat below 20 Hz: brown noise would put all its power into the lowest bins.
    lowest = 20.0 * length / SAMPLE_RATE_HZ
    shape = bins.clamp(min=lowest)[None, :].pow(-slope[:, None] / 2) * (bins > 0)
    noise = torch.fft.irfft(spectrum * shape, length)[:, :samples]
    return noise / noise.square().mean(dim=1, keepdim=True).sqrt()


def white_crops(count: int, samples: int, generator: torch.Generator) -> Tensor:
    """White noise `(count, samples)` of power 1: crops of one stretch, which is cheaper than that many draws."""
    stretch = torch.randn(2 * samples, generator=generator, device=generator.device)
    start = torch.randint(samples + 1, (count,), generator=generator, device=generator.device)
    return stretch.unfold(0, samples, 1)[start]


def _room_table(rooms: Bank) -> Tensor:
    """Responses `(rooms, taps)` with the direct sound at tap `ROOM_LEAD`, unit energy.

    The direct sound is the first tap within 10 dB of the strongest: a reflection may be stronger.
    """
    taps = ROOM_LEAD + min(int(rooms.length.max()), int(ROOM_LONGEST_S * SAMPLE_RATE_HZ))
    table = torch.zeros(len(rooms), taps, device=rooms.audio.device)
    for row, (offset, length) in enumerate(zip(rooms.offset.tolist(), rooms.length.tolist(), strict=True)):
        response = as_float(rooms.audio[offset : offset + length])
        strength = response.abs()
        direct = int((strength >= 0.3 * strength.max()).nonzero()[0, 0])
        kept = response[max(0, direct - ROOM_LEAD) : direct + taps - ROOM_LEAD]
        begin = ROOM_LEAD - min(direct, ROOM_LEAD)
        table[row, begin : begin + len(kept)] = kept
    energy = table.square().sum(dim=1, keepdim=True)
    return (table / energy.clamp(min=1e-12).sqrt())[energy[:, 0] > 0]


class Augmenter(nn.Module):
    """Speed, room, noise, gain, noise floor on audio; vocal tract length and masks on features.

    Every clip draws for itself, from the generator that is passed in; all arithmetic runs on the device of the batch.
    """

    def __init__(
        self,
        config: AugmentationConfig,
        noises: Bank | None = None,
        rooms: Bank | None = None,
        frontend: FrontendConfig | None = None,
    ) -> None:
        """Prepare the banks.

        Args:
            noises: recordings to mix in; without any, coloured noise is made on the spot.
            rooms: room responses; without any there is no room.
            frontend: where the mels of the features lie (for `vtlp`).
        """
        super().__init__()
        self.config = config
        self.noises = noises if noises is not None and len(noises) else None
        self.rooms: Tensor | None
        table = _room_table(rooms) if rooms is not None and len(rooms) else None
        self.register_buffer("rooms", table if table is not None and len(table) else None, persistent=False)
        self.frontend = frontend or FrontendConfig()

    def forward(self, audio: Tensor, generator: torch.Generator, anchor: Tensor | None = None) -> Augmented:
        """Augment a batch.

        Args:
            audio: `(batch, samples)` float32 in [-1, 1].
            generator: source of every draw; its device need not be that of the audio.
            anchor: `(batch,)` sample that a change of speed leaves in place; 0 when absent.

        Returns:
            New audio, the speed of each clip and where samples went.
        """
        count = audio.shape[0]
        anchor = torch.zeros(count, device=audio.device) if anchor is None else anchor.to(audio.device).float()
        audio, speed = self._speed(audio, anchor, generator)
        audio = self._room(audio, generator)
        audio = self._noise(audio, generator)
        audio = audio * _decibel(_uniform(self.config.gain_db, count, generator)).to(audio.device)[:, None]
        if self.config.floor_dbfs is not None:
            level = _decibel(_uniform(self.config.floor_dbfs, count, generator)).to(audio.device)[:, None]
            audio = audio + level * white_crops(count, audio.shape[1], generator).to(audio.device)
        return Augmented(audio.clamp(-1.0, 1.0), speed, anchor)

    def _speed(self, audio: Tensor, anchor: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        count = audio.shape[0]
        drawn = _uniform(self.config.speed, count, generator).to(audio.device)
        chosen = _chosen(self.config.speed_probability, count, generator).to(audio.device)
        rows = chosen.nonzero()[:, 0]
        speed = torch.ones_like(drawn)
        if not len(rows):
            return audio, speed
        played, applied = resample(audio[rows], drawn[rows], anchor[rows])
        return audio.index_copy(0, rows, played), speed.index_copy(0, rows, applied)

    def _room(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        if self.rooms is None:
            return audio
        rows = _chosen(self.config.room_probability, audio.shape[0], generator).to(audio.device).nonzero()[:, 0]
        if not len(rows):
            return audio
        index = _below(torch.full((len(rows),), len(self.rooms), device=audio.device), generator)
        return audio.index_copy(0, rows, reverberate(audio[rows], self.rooms[index], ROOM_LEAD))

    def _noise(self, audio: Tensor, generator: torch.Generator) -> Tensor:
        rows = _chosen(self.config.noise_probability, audio.shape[0], generator).to(audio.device).nonzero()[:, 0]
        if not len(rows):
            return audio
        clean = audio[rows]
        noise = self._noise_crops(len(rows), audio.shape[1], generator).to(audio.device)
        snr_db = _uniform(self.config.noise_snr_db, len(rows), generator).to(audio.device)
        wanted = active_power(clean).clamp(min=10 ** (SILENT_DBFS / 10)) * 10 ** (-snr_db / 10)
        scale = (wanted / noise.square().mean(dim=1).clamp(min=QUIETEST_NOISE)).sqrt()
        return audio.index_copy(0, rows, clean + scale[:, None] * noise)

    def _noise_crops(self, count: int, samples: int, generator: torch.Generator) -> Tensor:
        if self.noises is None:
            return coloured_noise(_uniform((0.0, 2.0), count, generator), samples, generator)
        clips = torch.full((count,), len(self.noises), device=self.noises.offset.device)
        index = _below(clips, generator)
        return self.noises.take(index, _below(self.noises.length[index], generator), samples)

    def features(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Warp and mask features `(batch, frames, mels)`: the hook between front end and student."""
        return self._mask(self._warp(features, generator), generator)

    def _warp(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Vocal tract length perturbation (Jaitly and Hinton 2013): a piecewise linear map of the frequency axis."""
        count, _, mels = features.shape
        factor = _uniform(self.config.vtlp, count, generator).to(features.device)
        rows = _chosen(self.config.vtlp_probability, count, generator).to(features.device).nonzero()[:, 0]
        if not len(rows):
            return features
        place = warped_mels(self.frontend, mels, factor[rows])
        left = place.floor().long().clamp(0, mels - 2)
        part = (place - left)[:, None, :].to(features.dtype)
        source = features[rows]
        left = left[:, None, :].expand(-1, source.shape[1], -1)
        warped = torch.lerp(source.gather(2, left), source.gather(2, left + 1), part)
        return features.index_copy(0, rows, warped)

    def _mask(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """SpecAugment (Park et al. 2019) with masks of each clip's own, filled with its mean."""
        count, frames, mels = features.shape
        chosen = _chosen(self.config.spec_probability, count, generator)
        hidden = torch.zeros(count, frames, mels, dtype=torch.bool, device=features.device)
        for _ in range(self.config.masks):
            over_time = _stripe(count, frames, self.config.time_mask_frames, generator).to(features.device)
            over_mels = _stripe(count, mels, self.config.frequency_mask_mels, generator).to(features.device)
            hidden |= over_time[:, :, None] | over_mels[:, None, :]
        hidden &= chosen.to(features.device)[:, None, None]
        return torch.where(hidden, features.mean(dim=(1, 2), keepdim=True), features)


def _decibel(level_db: Tensor) -> Tensor:
    return 10.0 ** (level_db / 20.0)


def _stripe(count: int, size: int, widest: int, generator: torch.Generator) -> Tensor:
    """One stripe of 0 to `widest` cells anywhere in each row: bool `(count, size)`."""
    width = _below(torch.full((count,), min(widest, size) + 1, device=generator.device), generator)
    start = _below(size - width + 1, generator)
    cell = torch.arange(size, device=generator.device)
    return (cell >= start[:, None]) & (cell < (start + width)[:, None])


def warped_mels(frontend: FrontendConfig, mels: int, factor: Tensor) -> Tensor:
    """Which (fractional) mel of the input each mel of the output reads: `(batch, mels)`, monotone.

    Output at frequency f reads f / factor up to 4/5 of the range, then a straight line to the end of the range.
    """
    low, high = float(hz_to_mel(frontend.f_min_hz)), float(hz_to_mel(frontend.f_max_hz))
    step = (high - low) / (mels + 1)
    centre_hz = torch.tensor(mel_to_hz(low + step * torch.arange(1, mels + 1).numpy()), device=factor.device)
    top = float(frontend.f_max_hz)
    knee = 0.8 * top * factor.clamp(max=1.0)[:, None].double()
    scale = factor[:, None].double()
    beyond = knee / scale + (centre_hz - knee) * (top - knee / scale) / (top - knee)
    source_hz = torch.where(centre_hz <= knee, centre_hz / scale, beyond)
    source_mel = 2595.0 * torch.log10(1.0 + source_hz / 700.0)
    return ((source_mel - low) / step - 1.0).clamp(0.0, mels - 1.0).float()
