"""Time and pitch: resampling (both change) and a phase vocoder (time changes, pitch stays); together pitch alone."""

from __future__ import annotations

import bisect
import math
from functools import lru_cache

import torch
from torch import Tensor

from wakeword.audio.augment.levels import active_power

GAP = 256
"""Silence behind a clip that is resampled: it keeps its end from leaking into its beginning."""
VOCODER_WINDOW = 1024
"""64 ms: partials of a voice of 80 Hz still lie in bins of their own."""
VOCODER_HOP = 256
ONSET = 4.0
"""A frame of so many times the power of the one before is where a sound sets in."""
SLACK = 1.25
"""How much longer than needed a transform may be, so that two quick lengths have nearly the ratio that is wanted."""


@lru_cache(maxsize=4096)
def fast_length(samples: float) -> int:
    """The smallest even length from `samples` on whose prime factors are 2, 3 and 5: quick to transform."""
    length = 2 * math.ceil(samples / 2)
    while not _is_smooth(length, (2, 3, 5)):
        length += 2
    return length


def padded_length(samples: float) -> int:
    """What to pad clips to before a transform: the next multiple of 64 with no prime factors but 2, 3, 5 and 7 besides.

    Many factors of 2 are what a transform is quickest with: 34560 points take a tenth less than 33750, 33600 a fifth.
    """
    length = math.ceil(samples / 64)
    while not _is_smooth(length, (2, 3, 5, 7)):
        length += 1
    return 64 * length


def _is_smooth(length: int, primes: tuple[int, ...]) -> bool:
    """Whether a number has no other prime factors."""
    for prime in primes:
        while length % prime == 0:
            length //= prime
    return length == 1


def resample(audio: Tensor, factor: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
    """Play each clip about `factor` times faster: out[n] = in[anchor + (n - anchor) * factor], silence beyond it.

    Band-limited, by cutting or padding the spectrum. The transforms take lengths that are quick, a few per cent apart:
    the factor moves to the next such one, and clips that share it share a transform.

    Returns:
        Audio `(batch, samples)` and the factors that were applied `(batch,)`.
    """
    samples = audio.shape[1]
    length = fast_length(samples + GAP)
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


@lru_cache(maxsize=8)
def _quick_lengths(low: int, high: int) -> list[int]:
    """Even lengths that are quick to transform, 7 among their prime factors: more ratios to choose from."""
    return [length for length in range(low + low % 2, high, 2) if _is_smooth(length, (2, 3, 5, 7))]


def _near_lengths(samples: int, factor: float) -> tuple[int, int]:
    """Two quick lengths, the first at least `samples`, with a ratio near `factor` (within 0.2 %, as a rule)."""
    if factor == 1.0:
        return samples, samples
    all_lengths = _quick_lengths(samples // 4, 4 * samples)
    best = (math.inf, 0, 0)
    for length in all_lengths:
        if samples <= length <= SLACK * samples:
            place = bisect.bisect(all_lengths, length / factor)
            for played in all_lengths[max(0, place - 1) : place + 1]:
                best = min(best, (abs(length / played / factor - 1.0), length, played))
    return best[1], best[2]


def stretch(audio: Tensor, factor: Tensor, anchor: Tensor, target: Tensor, samples: int) -> Tensor:
    """Play each clip `factor` times faster at its own pitch: out[n] sounds like in[anchor + (n - target) * factor].

    A phase vocoder with identity phase locking (Laroche and Dolson 1999): a spectral peak's phase goes on as it does at
    that place of the input, and the bins around it keep their phases relative to it. Where the sound sets in, all
    phases are those of the input, which keeps attacks sharp and in their place.

    Args:
        audio: `(batch, samples_in)`.
        factor, anchor, target: `(batch,)`.
        samples: length of the result.

    Returns:
        `(batch, samples)`, silent where the input does not reach.
    """
    window = torch.hann_window(VOCODER_WINDOW, device=audio.device)
    spectrum = torch.stft(
        audio, VOCODER_WINDOW, VOCODER_HOP, window=window, center=True, pad_mode="constant", return_complex=True
    ).mT
    frames = spectrum.shape[1]
    centre = VOCODER_HOP * torch.arange(samples // VOCODER_HOP + 2, device=audio.device)
    place = (anchor[:, None] + (centre[None, :] - target[:, None]) * factor[:, None]) / VOCODER_HOP
    # A frame half a window beyond the clip's end still hears its last samples.
    inside = (place > -1.0) & (place < frames)
    left = place.floor().long().clamp(0, frames - 2)
    part = (place - left).clamp(0.0, 1.0)[:, :, None]
    magnitude = spectrum.abs()
    loud = torch.lerp(_frames(magnitude, left), _frames(magnitude, left + 1), part) * inside[:, :, None]
    near = place.round().long().clamp(0, frames - 1)
    phase = _locked_phases(loud, _frames(spectrum, near).angle(), _frames(spectrum, (near - 1).clamp(min=0)).angle())
    return torch.istft(
        torch.polar(loud, phase).mT, VOCODER_WINDOW, VOCODER_HOP, window=window, center=True, length=samples
    )


def _frames(spectrum: Tensor, index: Tensor) -> Tensor:
    """Frames `(batch, count, bins)` of spectra `(batch, frames, bins)`, each clip its own."""
    return spectrum.gather(1, index[:, :, None].expand(-1, -1, spectrum.shape[2]))


def _locked_phases(magnitude: Tensor, now: Tensor, before: Tensor) -> Tensor:
    """Phases of the frames that are written `(batch, frames, bins)`.

    Args:
        magnitude: of those frames.
        now, before: phases of the frames of the input that they sound like, and of those one hop earlier.
    """
    peak = _nearest_peak(magnitude)
    # To the peak's old phase comes its advance over a hop, and what sets the bin apart from its peak.
    change = (now - before).gather(2, peak) + now - now.gather(2, peak)
    power = magnitude.square().sum(dim=2)
    onset = torch.nn.functional.pad(power[:, 1:] > ONSET * power[:, :-1], (1, 0), value=True)
    phase = now[:, 0]
    phases = []
    for peak_, change_, now_, onset_ in zip(*(x.unbind(1) for x in (peak, change, now, onset)), strict=True):
        phase = torch.where(onset_[:, None], now_, phase.gather(1, peak_) + change_)
        phases.append(phase)
    return torch.stack(phases, dim=1)


def _nearest_peak(magnitude: Tensor) -> Tensor:
    """Bin of the spectral peak (the largest of five bins) nearest to each bin: int64, the shape of the input."""
    bins = magnitude.shape[2]
    is_peak = magnitude >= torch.nn.functional.max_pool1d(magnitude, 5, stride=1, padding=2)
    number = torch.arange(bins, device=magnitude.device).expand_as(magnitude)
    lower = torch.where(is_peak, number, -bins).cummax(dim=2).values
    upper = torch.where(is_peak, number, 3 * bins).flip(2).cummin(dim=2).values.flip(2)
    return torch.where(number - lower <= upper - number, lower, upper)


def change_tempo(
    audio: Tensor, tempo: Tensor, pitch: Tensor, anchor: Tensor, highest_pitch: float
) -> tuple[Tensor, Tensor]:
    """Play each clip `tempo` times faster at `pitch` times its frequencies, each free of the other.

    The vocoder sets the tempo to what resampling to the new pitch then makes of it. Level kept, within 6 dB.

    Args:
        audio: `(batch, samples)`.
        tempo, pitch: factors `(batch,)`; the pitch moves by up to 0.2 %, as a rule, to lengths that are quick.
        anchor: sample of each clip that stays in place.
        highest_pitch: bound of `pitch`; the room that is made for every clip, so that a clip does not sound otherwise
            in another batch.

    Returns:
        Audio `(batch, samples)`, and the pitch factors that were applied `(batch,)`.
    """
    samples = audio.shape[1]
    room = math.ceil(samples * max(1.0, highest_pitch)) + GAP
    lengths = [_near_lengths(room, factor) for factor in pitch.tolist()]
    applied = torch.tensor([length / played for length, played in lengths], device=audio.device, dtype=audio.dtype)
    # The gap stays silent: it keeps the end from leaking into the beginning.
    drawn_out = stretch(audio, tempo / applied, anchor, anchor * applied, room - GAP)
    result = torch.zeros_like(audio)
    for pair in sorted(set(lengths)):
        length, played_length = pair
        rows = [row for row, mine in enumerate(lengths) if mine == pair]
        played = drawn_out[rows]
        if length != played_length:
            played = torch.fft.irfft(torch.fft.rfft(played, length), played_length) * (played_length / length)
        kept = played[:, :samples]
        result[rows, : kept.shape[1]] = kept
    gain = (active_power(audio) / active_power(result).clamp(min=1e-12)).sqrt()
    return result * gain.clamp(0.5, 2.0)[:, None], applied
