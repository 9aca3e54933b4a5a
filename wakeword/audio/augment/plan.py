"""What happens to each clip of a batch: all random numbers of the chain, drawn on the host before audio is touched.

The draws are those of one generator on the CPU, in the order of the chain, so that they are the same on every device.
Which clips take part is known before the audio is, so no device has to be asked: a plan moves there in one copy
(`wakeword.system.device.moved`). Rows are int64 indices of the clips that take part.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wakeword.audio.augment.bank import Bank
from wakeword.audio.augment.draws import below, chosen, log_uniform, places, uniform
from wakeword.audio.augment.levels import decibel
from wakeword.audio.augment.noise import coloured_draws, draw_voices
from wakeword.audio.augment.speed import Resampling, Vocoding, resampling, vocoding
from wakeword.config.augmentation import AugmentationConfig, Codec

EQ_HZ = (100.0, 7000.0)
EQ_QUALITY = (0.5, 2.0)
MICROPHONE_PEAK_HZ = (1500.0, 6000.0)
"""Resonances of the cases and capsules of small devices."""
MICROPHONE_QUALITY = (0.7, 2.0)


@dataclass(frozen=True)
class Crops:
    """Clips of a bank, and the first sample of each: int64 `(rows,)`."""

    index: Tensor
    start: Tensor


@dataclass(frozen=True)
class Response:
    """Room impulse responses `(rows,)`, and the change of their late part in dB; None for no change."""

    index: Tensor
    late_db: Tensor | None


@dataclass(frozen=True)
class Tempo:
    """Changes of tempo and pitch; `speed` `(batch,)` is the factor on the tempo of every clip."""

    speed: Tensor
    resampled: Resampling | None
    vocoded: Vocoding | None


@dataclass(frozen=True)
class Room:
    """Clips in rooms."""

    rows: Tensor
    response: Response


@dataclass(frozen=True)
class Addition:
    """Crops of a bank added to clips at an SNR `(rows,)`."""

    rows: Tensor
    snr_db: Tensor
    crops: Crops


@dataclass(frozen=True)
class Noise:
    """Noise of a bank or, without one, coloured white noise `(rows, length)` of a slope `(rows,)`; some of it wet."""

    rows: Tensor
    snr_db: Tensor
    crops: Crops | None
    slope: Tensor | None
    white: Tensor | None
    wet: Room | None
    """Its rows are those of the noise, not of the batch."""


@dataclass(frozen=True)
class Babble:
    """Voices under clips: `number` `(rows,)` of them are heard."""

    rows: Tensor
    snr_db: Tensor
    number: Tensor
    voices: tuple[tuple[Tensor, Tensor, Tensor], ...]
    """Clip, first sample and level of each voice."""


@dataclass(frozen=True)
class Peaks:
    """A peaking filter per row: centre in Hz, gain in dB, quality."""

    centre_hz: Tensor
    gain_db: Tensor
    quality: Tensor


@dataclass(frozen=True)
class Edges:
    """The two ends of a band per row, in Hz."""

    low_hz: Tensor
    high_hz: Tensor


@dataclass(frozen=True)
class Equaliser:
    """Clips that pass peaking filters in series."""

    rows: Tensor
    bands: tuple[Peaks, ...]


@dataclass(frozen=True)
class Capsule:
    """Clips that pass a small microphone."""

    rows: Tensor
    edges: Edges
    peak: Peaks


@dataclass(frozen=True)
class Band:
    """Clips with a band limit."""

    rows: Tensor
    edges: Edges


@dataclass(frozen=True)
class Filters:
    """Equaliser, microphone and band limit; `rows` are those of any of them."""

    rows: Tensor
    equaliser: Equaliser | None
    capsule: Capsule | None
    band: Band | None


@dataclass(frozen=True)
class Clipping:
    """Clips that are clipped, so many dB below their peaks."""

    rows: Tensor
    overdrive_db: Tensor


@dataclass(frozen=True)
class Coding:
    """Clips that pass one codec."""

    name: Codec
    rows: Tensor
    kbps: Tensor


@dataclass(frozen=True)
class Floor:
    """White noise under every clip: its level, and where each clip starts in one signal."""

    level: Tensor
    stretch: Tensor
    start: Tensor


@dataclass(frozen=True)
class AugmentPlan:
    """All draws of a batch, in the order of the chain."""

    tempo: Tempo
    room: Room | None
    noise: Noise | None
    music: Addition | None
    babble: Babble | None
    speech: Addition | None
    filters: Filters | None
    clipping: Clipping | None
    gain: Tensor
    codecs: tuple[Coding, ...]
    floor: Floor | None


@dataclass(frozen=True)
class Sources:
    """What a chain can draw from; None for what it lacks."""

    noises: Bank | None
    music: Bank | None
    speech: Bank | None
    responses: int
    """Number of room impulse responses."""


def draw_plan(
    config: AugmentationConfig, sources: Sources, count: int, samples: int, generator: torch.Generator
) -> AugmentPlan:
    """Draw a plan for `count` clips of `samples` samples; `generator` is on the CPU."""
    # The order is that of the draws: a golden file depends on it.
    tempo = _tempo(config, count, samples, generator)
    room = _room(config, sources, count, generator)
    noise = _noise(config, sources, _rows(config.noise_probability, count, generator), samples, generator)
    music = speech = babble = None
    if sources.music is not None and config.music_probability:
        rows = _rows(config.music_probability, count, generator)
        music = _addition(rows, sources.music, config.music_snr_db, generator)
    if sources.speech is not None and config.babble_probability:
        babble = _babble(config, sources.speech, _rows(config.babble_probability, count, generator), generator)
    if sources.speech is not None and config.speech_probability:
        rows = _rows(config.speech_probability, count, generator)
        speech = _addition(rows, sources.speech, config.speech_snr_db, generator)
    filters = _filters(config, count, generator)
    clipping = None
    if config.clip_probability:
        rows = _rows(config.clip_probability, count, generator)
        clipping = Clipping(rows, uniform(config.clip_db, len(rows), generator))
    gain = decibel(uniform(config.gain_db, count, generator))
    codecs = _codecs(config, count, generator)
    return AugmentPlan(
        tempo,
        room,
        noise,
        music,
        babble,
        speech,
        filters,
        clipping,
        gain,
        codecs,
        _floor(config, count, samples, generator),
    )


def _rows(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """The clips that take part."""
    return chosen(probability, count, generator).nonzero()[:, 0]


def _tempo(config: AugmentationConfig, count: int, samples: int, generator: torch.Generator) -> Tempo:
    drawn = uniform(config.speed, count, generator)
    taken = chosen(config.speed_probability, count, generator)
    tempo = _factors(config.tempo_probability, config.tempo, count, generator)
    semitones = _factors(config.pitch_probability, config.pitch_semitones, count, generator)
    speed = torch.ones_like(drawn)
    vocoded = torch.zeros_like(taken)
    for bent in (tempo, semitones):
        vocoded |= torch.zeros_like(taken) if bent is None else ~bent.isnan()
    changed = bent_ = None
    rows = (taken & ~vocoded).nonzero()[:, 0]
    if len(rows):
        changed = resampling(rows, drawn[rows], samples)
        speed[rows] = changed.speed.to(speed.dtype)
    rows = vocoded.nonzero()[:, 0]
    if len(rows):
        both = torch.where(taken, drawn, torch.ones_like(drawn))[rows]
        faster = both if tempo is None else both * tempo[rows].nan_to_num(1.0)
        higher = both if semitones is None else both * torch.exp2(semitones[rows].nan_to_num(0.0) / 12)
        bent_ = vocoding(rows, faster, higher, samples, _highest_pitch(config))
        speed[rows] = faster
    return Tempo(speed, changed, bent_)


def _factors(probability: float, limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor | None:
    """A random factor for each clip, NaN for unchanged clips; None for probability 0."""
    if not probability:
        return None
    drawn = uniform(limits, count, generator)
    return torch.where(chosen(probability, count, generator), drawn, torch.nan)


def _highest_pitch(config: AugmentationConfig) -> float:
    speed = max(1.0, config.speed[1]) if config.speed_probability else 1.0
    return speed * (2.0 ** (config.pitch_semitones[1] / 12) if config.pitch_probability else 1.0)


def _response(config: AugmentationConfig, responses: int, count: int, generator: torch.Generator) -> Response:
    index = below(torch.full((count,), responses), generator)
    same = config.rir_late_db == (0.0, 0.0)
    return Response(index, None if same else uniform(config.rir_late_db, count, generator))


def _room(config: AugmentationConfig, sources: Sources, count: int, generator: torch.Generator) -> Room | None:
    if not sources.responses:
        return None
    rows = _rows(config.rir_probability, count, generator)
    return Room(rows, _response(config, sources.responses, len(rows), generator))


def _crops(bank: Bank, count: int, generator: torch.Generator) -> Crops:
    return Crops(*places(bank, count, generator))


def _addition(rows: Tensor, bank: Bank, snr_db: tuple[float, float], generator: torch.Generator) -> Addition:
    crops = _crops(bank, len(rows), generator)
    return Addition(rows, uniform(snr_db, len(rows), generator), crops)


def _noise(
    config: AugmentationConfig, sources: Sources, rows: Tensor, samples: int, generator: torch.Generator
) -> Noise | None:
    if not len(rows):
        return None
    crops = slope = white = wet = None
    if sources.noises is not None:
        crops = _crops(sources.noises, len(rows), generator)
    else:
        slope = uniform((0.0, 2.0), len(rows), generator)
        white = coloured_draws(len(rows), samples, generator)
    snr_db = uniform(config.noise_snr_db, len(rows), generator)
    if sources.responses and config.noise_rir_probability:
        some = _rows(config.noise_rir_probability, len(rows), generator)
        wet = Room(some, _response(config, sources.responses, len(some), generator))
    return Noise(rows, snr_db, crops, slope, white, wet)


def _babble(config: AugmentationConfig, speech: Bank, rows: Tensor, generator: torch.Generator) -> Babble:
    number, voices = draw_voices(speech, config.babble_talkers, len(rows), generator)
    return Babble(rows, uniform(config.babble_snr_db, len(rows), generator), number, voices)


def _filters(config: AugmentationConfig, count: int, generator: torch.Generator) -> Filters | None:
    equaliser = capsule = band = None
    shaped = torch.zeros(count, dtype=torch.bool)
    if config.eq_probability:
        rows = _rows(config.eq_probability, count, generator)
        shaped[rows] = True
        equaliser = Equaliser(rows, tuple(_eq_peaks(config, len(rows), generator) for _ in range(config.eq_bands)))
    if config.microphone_probability:
        rows = _rows(config.microphone_probability, count, generator)
        shaped[rows] = True
        edges = _edges(config.microphone_low_hz, config.microphone_high_hz, len(rows), generator)
        centre_hz = log_uniform(MICROPHONE_PEAK_HZ, len(rows), generator)
        quality = log_uniform(MICROPHONE_QUALITY, len(rows), generator)
        gain_db = uniform(config.microphone_peak_db, len(rows), generator)
        capsule = Capsule(rows, edges, Peaks(centre_hz, gain_db, quality))
    if config.band_probability:
        rows = _rows(config.band_probability, count, generator)
        shaped[rows] = True
        band = Band(rows, _edges(config.band_low_hz, config.band_high_hz, len(rows), generator))
    rows = shaped.nonzero()[:, 0]
    return Filters(rows, equaliser, capsule, band) if len(rows) else None


def _eq_peaks(config: AugmentationConfig, count: int, generator: torch.Generator) -> Peaks:
    centre_hz = log_uniform(EQ_HZ, count, generator)
    quality = log_uniform(EQ_QUALITY, count, generator)
    return Peaks(centre_hz, uniform(config.eq_gain_db, count, generator), quality)


def _edges(low_hz: tuple[float, float], high_hz: tuple[float, float], count: int, generator: torch.Generator) -> Edges:
    low = log_uniform(low_hz, count, generator)
    return Edges(low, log_uniform(high_hz, count, generator))


def _codecs(config: AugmentationConfig, count: int, generator: torch.Generator) -> tuple[Coding, ...]:
    """Clips with the same codec are processed together."""
    if not config.codec_probability:
        return ()
    rows = _rows(config.codec_probability, count, generator)
    kind = below(torch.full((len(rows),), len(config.codecs)), generator)
    kbps = uniform(config.codec_kbps, len(rows), generator)
    return tuple(Coding(name, rows[kind == number], kbps[kind == number]) for number, name in enumerate(config.codecs))


def _floor(config: AugmentationConfig, count: int, samples: int, generator: torch.Generator) -> Floor | None:
    if config.floor_dbfs is None:
        return None
    level = decibel(uniform(config.floor_dbfs, count, generator))
    stretch = torch.randn(2 * samples, generator=generator)
    return Floor(level, stretch, torch.randint(samples + 1, (count,), generator=generator))
