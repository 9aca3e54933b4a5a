"""Change speed by resampling, tempo by a phase vocoder, and pitch by both."""

from __future__ import annotations

import bisect
import math
from functools import lru_cache

import torch
from torch import Tensor

from wakeword.audio.augment.levels import active_power

GAP = 256
"""Silence behind a resampled clip that keeps its end out of its start."""
VOCODER_WINDOW = 1024
"""64 ms: the harmonics of a voice of 80 Hz are in separate bins."""
VOCODER_HOP = 256
ONSET = 4.0
"""Ratio of the powers of two successive frames at an onset."""
SLACK = 1.25
"""Largest ratio of the length of a transform to the needed length; longer ones allow more accurate factors."""


@lru_cache(maxsize=4096)
def fast_length(samples: float) -> int:
    """The smallest even length of at least `samples` with the prime factors 2, 3 and 5, which is fast to transform."""
    length = 2 * math.ceil(samples / 2)
    while not _is_smooth(length, (2, 3, 5)):
        length += 2
    return length


def padded_length(samples: float) -> int:
    """The smallest fast length of at least `samples`: a multiple of 64 with the prime factors 2, 3, 5 and 7.

    Factors of 2 make a transform faster: 34560 points take 10 % less time than 33750, and 33600 take 20 % less.
    """
    length = math.ceil(samples / 64)
    while not _is_smooth(length, (2, 3, 5, 7)):
        length += 1
    return 64 * length


def _is_smooth(length: int, primes: tuple[int, ...]) -> bool:
    """Whether a number has only these prime factors."""
    for prime in primes:
        while length % prime == 0:
            length //= prime
    return length == 1


def resample(audio: Tensor, factor: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
    """Play each clip about `factor` times faster: out[n] = in[anchor + (n - anchor) * factor], silence beyond it.

    The spectrum is cut or padded. The factors are rounded to ratios of fast lengths, a few per cent apart, and clips
    with the same factor share a transform.

    Returns:
        Audio `(batch, samples)` and the applied factors `(batch,)`.
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
    """Even lengths with the prime factors 2, 3, 5 and 7."""
    return [length for length in range(low + low % 2, high, 2) if _is_smooth(length, (2, 3, 5, 7))]


def _near_lengths(samples: int, factor: float) -> tuple[int, int]:
    """Two fast lengths, the first at least `samples`, whose ratio is near `factor` (usually within 0.2 %)."""
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
    """Play each clip `factor` times faster at unchanged pitch: out[n] is like in[anchor + (n - target) * factor].

    A phase vocoder with identity phase locking (Laroche and Dolson 1999): the phase of a spectral peak advances as in
    the input, and the bins around it keep their phases relative to it. At onsets all phases are those of the input,
    which keeps attacks sharp.

    Args:
        audio: `(batch, samples_in)`.
        factor, anchor, target: `(batch,)`.
        samples: length of the result.

    Returns:
        `(batch, samples)`, silent beyond the input.
    """
    window = torch.hann_window(VOCODER_WINDOW, device=audio.device)
    spectrum = torch.stft(
        audio, VOCODER_WINDOW, VOCODER_HOP, window=window, center=True, pad_mode="constant", return_complex=True
    ).mT
    frames = spectrum.shape[1]
    centre = VOCODER_HOP * torch.arange(samples // VOCODER_HOP + 2, device=audio.device)
    place = (anchor[:, None] + (centre[None, :] - target[:, None]) * factor[:, None]) / VOCODER_HOP
    # Frames overlap the end of the clip by up to half a window.
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
    """Select frames `(batch, count, bins)` of spectra `(batch, frames, bins)`, separately for each clip."""
    return spectrum.gather(1, index[:, :, None].expand(-1, -1, spectrum.shape[2]))


def _locked_phases(magnitude: Tensor, now: Tensor, before: Tensor) -> Tensor:
    """Phases `(batch, frames, bins)` of the output frames.

    Args:
        magnitude: of the output frames.
        now, before: phases of the matching input frames and of the frames one hop earlier.
    """
    peak = _nearest_peak(magnitude)
    # The advance of the peak over a hop, plus the phase of the bin relative to its peak.
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
    """Index of the nearest spectral peak (the largest of five bins) for each bin: int64, the shape of the input."""
    bins = magnitude.shape[2]
    is_peak = magnitude >= torch.nn.functional.max_pool1d(magnitude, 5, stride=1, padding=2)
    number = torch.arange(bins, device=magnitude.device).expand_as(magnitude)
    lower = torch.where(is_peak, number, -bins).cummax(dim=2).values
    upper = torch.where(is_peak, number, 3 * bins).flip(2).cummin(dim=2).values.flip(2)
    return torch.where(number - lower <= upper - number, lower, upper)


def change_tempo(
    audio: Tensor, tempo: Tensor, pitch: Tensor, anchor: Tensor, highest_pitch: float
) -> tuple[Tensor, Tensor]:
    """Play each clip `tempo` times faster at `pitch` times its frequencies.

    The vocoder changes the tempo by tempo / pitch, then resampling changes tempo and pitch. The level is restored
    within 6 dB.

    Args:
        audio: `(batch, samples)`.
        tempo, pitch: factors `(batch,)`; the pitch is rounded to a ratio of fast lengths (usually within 0.2 %).
        anchor: sample of each clip that does not move.
        highest_pitch: upper bound of `pitch`. It sets the padding, so that a clip does not depend on its batch.

    Returns:
        Audio `(batch, samples)` and the applied pitch factors `(batch,)`.
    """
    samples = audio.shape[1]
    room = math.ceil(samples * max(1.0, highest_pitch)) + GAP
    lengths = [_near_lengths(room, factor) for factor in pitch.tolist()]
    applied = torch.tensor([length / played for length, played in lengths], device=audio.device, dtype=audio.dtype)
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
