"""Change speed by resampling, tempo by a phase vocoder, and pitch by both.

Which lengths the clips get is decided on the host (`Resampling`, `Vocoding`). A CPU then transforms clips of equal
lengths together; other devices transform all clips at once (`wakeword.audio.augment.chirp`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wakeword.audio.augment.chirp import chirp_z, inverse_real
from wakeword.audio.augment.lengths import SLACK, fast_length, near_lengths
from wakeword.audio.augment.levels import active_power
from wakeword.audio.augment.pieces import in_bucket

GAP = 256
"""Silence behind a resampled clip that keeps its end out of its start."""
VOCODER_WINDOW = 1024
"""64 ms: the harmonics of a voice of 80 Hz are in separate bins."""
VOCODER_HOP = 256
ONSET = 4.0
"""Ratio of the powers of two successive frames at an onset."""


@dataclass(frozen=True)
class Resampling:
    """Clips that are resampled.

    Attributes:
        rows: int64, the clips.
        length: of the transform of all of them.
        new_length: int64 `(rows,)`, of each one's inverse transform.
        speed: float64 `(rows,)`, length / new_length.
        limit: int64 `(rows,)`, samples of each clip when it is played at its speed.
    """

    rows: Tensor
    length: int
    new_length: Tensor
    speed: Tensor
    limit: Tensor


@dataclass(frozen=True)
class Vocoding:
    """Clips that pass the vocoder.

    Attributes:
        rows: int64, the clips.
        tempo: `(rows,)` factors.
        length, played_length: int64 `(rows,)`, whose ratios are the factors of the pitch.
        room: samples into which every clip fits at the highest pitch.
    """

    rows: Tensor
    tempo: Tensor
    length: Tensor
    played_length: Tensor
    room: int

    @property
    def pitch(self) -> Tensor:
        """The applied factors `(rows,)` of the pitch."""
        return (self.length.double() / self.played_length.double()).to(self.tempo.dtype)


def resampling(rows: Tensor, factor: Tensor, samples: int) -> Resampling:
    """Lengths for clips of `samples` samples and about these factors `(rows,)`, on the host.

    The factors are rounded to ratios of fast lengths, a few per cent apart.
    """
    length = fast_length(samples + GAP)
    new_length = [fast_length(math.ceil(0.99 * length / wanted)) for wanted in factor.tolist()]
    speed = [length / new for new in new_length]
    limit = [math.ceil(samples / fast) for fast in speed]
    return Resampling(
        rows, length, torch.tensor(new_length), torch.tensor(speed, dtype=torch.float64), torch.tensor(limit)
    )


def resample(audio: Tensor, factor: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
    """Play each clip `(batch, samples)` about `factor` times faster; the audio and the applied factors `(batch,)`."""
    plan = resampling(torch.arange(len(factor)), factor, audio.shape[1])
    return resampled(audio, plan, anchor), plan.speed.to(factor.dtype)


def resampled(audio: Tensor, plan: Resampling, anchor: Tensor) -> Tensor:
    """Play the clips of a plan faster: out[n] = in[anchor + (n - anchor) * speed], silence beyond it.

    The spectrum is cut or padded.

    Args:
        audio: `(rows, samples)`, the clips of the plan alone.
        plan: its tensors are on the device of the audio.
        anchor: `(rows,)`, the sample that stays.
    """
    if audio.device.type == "cpu":
        return _resampled_in_groups(audio, plan, anchor)
    kept = anchor.double()
    begin = torch.round(kept / plan.speed - kept).long()
    clips, start, new_length = (in_bucket(values) for values in (audio, begin, plan.new_length))
    spectrum, length = torch.fft.rfft(clips, plan.length), torch.full_like(new_length, plan.length)
    played = inverse_real(spectrum, length, new_length, start, audio.shape[1])[: len(audio)] / plan.length
    place = begin[:, None] + torch.arange(audio.shape[1], device=audio.device)
    return played.masked_fill_((place < 0) | (place >= plan.limit[:, None]), 0.0)


def _resampled_in_groups(audio: Tensor, plan: Resampling, anchor: Tensor) -> Tensor:
    """Clips with the same factor share a transform."""
    samples = audio.shape[1]
    spectrum = torch.fft.rfft(audio, plan.length)
    groups: dict[int, list[int]] = {}
    for row, new_length in enumerate(plan.new_length.tolist()):
        groups.setdefault(new_length, []).append(row)
    result = torch.zeros_like(audio)
    places = anchor.tolist()
    for new_length, rows in groups.items():
        speed = plan.length / new_length
        played = torch.fft.irfft(spectrum[rows], new_length)[:, : math.ceil(samples / speed)] / speed
        for row, clip in zip(rows, played, strict=True):
            begin = round(places[row] / speed - places[row])
            piece = clip[max(0, begin) : max(0, begin + samples)]
            first = max(0, -begin)
            result[row, first : first + len(piece)] = piece[: samples - first]
    return result


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
    return _overlapped(torch.polar(loud, phase), window, samples)


def _overlapped(spectrum: Tensor, window: Tensor, samples: int) -> Tensor:
    """Audio `(batch, samples)` of centred frames `(batch, frames, bins)`."""
    if spectrum.device.type == "cpu":
        return torch.istft(spectrum.mT, VOCODER_WINDOW, VOCODER_HOP, window=window, center=True, length=samples)
    # `istft` asks the device whether the windows leave a gap; these do not.
    frames = torch.fft.irfft(spectrum, VOCODER_WINDOW) * window
    audio = _sum_of_frames(frames) / _sum_of_frames(window.square().expand(1, *frames.shape[1:])).clamp(min=1e-11)
    return audio[:, VOCODER_WINDOW // 2 : VOCODER_WINDOW // 2 + samples]


def _sum_of_frames(frames: Tensor) -> Tensor:
    """Frames `(batch, frames, window)` a hop apart, added: `(batch, window + hop * (frames - 1))`."""
    parts = VOCODER_WINDOW // VOCODER_HOP
    blocks = frames.unflatten(2, (parts, VOCODER_HOP))
    padded = [torch.nn.functional.pad(blocks[:, :, part], (0, 0, part, parts - 1 - part)) for part in range(parts)]
    return torch.stack(padded).sum(0).flatten(1)


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


def vocoding(rows: Tensor, tempo: Tensor, pitch: Tensor, samples: int, highest_pitch: float) -> Vocoding:
    """Lengths for clips of `samples` samples, on the host.

    Args:
        rows: int64, the clips.
        tempo, pitch: factors `(rows,)`; the pitch is rounded to a ratio of fast lengths (usually within 0.2 %).
        highest_pitch: upper bound of `pitch`. It sets the padding, so that a clip does not depend on its batch.
    """
    room = math.ceil(samples * max(1.0, highest_pitch)) + GAP
    lengths = torch.tensor([near_lengths(room, factor) for factor in pitch.tolist()])
    return Vocoding(rows, tempo, lengths[:, 0].contiguous(), lengths[:, 1].contiguous(), room)


def change_tempo(
    audio: Tensor, tempo: Tensor, pitch: Tensor, anchor: Tensor, highest_pitch: float
) -> tuple[Tensor, Tensor]:
    """`vocoding` and `vocoded`: audio `(batch, samples)` and the applied pitch factors `(batch,)`."""
    plan = vocoding(torch.arange(len(tempo)), tempo, pitch, audio.shape[1], highest_pitch)
    return vocoded(audio, plan, anchor), plan.pitch


def vocoded(audio: Tensor, plan: Vocoding, anchor: Tensor) -> Tensor:
    """Play each clip `tempo` times faster at `pitch` times its frequencies.

    The vocoder changes the tempo by tempo / pitch, then resampling changes tempo and pitch. The level is restored
    within 6 dB.

    Args:
        audio: `(rows, samples)`, the clips of the plan alone.
        plan: its tensors are on the device of the audio.
        anchor: `(rows,)`, the sample that stays.
    """
    count = len(audio)
    if audio.device.type != "cpu":
        audio, anchor = in_bucket(audio), in_bucket(anchor)
        names = ("tempo", "length", "played_length")
        plan = replace(plan, **{name: in_bucket(getattr(plan, name)) for name in names})
    applied = plan.pitch
    drawn_out = stretch(audio, plan.tempo / applied, anchor, anchor * applied, plan.room - GAP)
    played = _played(drawn_out, plan, audio.shape[1])
    gain = (active_power(audio) / active_power(played).clamp(min=1e-12)).sqrt()
    return (played * gain.clamp(0.5, 2.0)[:, None])[:count]


def _played(drawn_out: Tensor, plan: Vocoding, samples: int) -> Tensor:
    """Resample clips `(rows, room - GAP)` by length / played_length: `(rows, samples)`."""
    if drawn_out.device.type == "cpu":
        return _played_in_groups(drawn_out, plan, samples)
    bins = math.floor(SLACK * plan.room) // 2 + 1
    spectrum = chirp_z(drawn_out, plan.length, bins, -1)
    start = torch.zeros_like(plan.length)
    played = inverse_real(spectrum, plan.length, plan.played_length, start, samples) / plan.length[:, None]
    same = (plan.length == plan.played_length)[:, None]
    beyond = torch.arange(samples, device=played.device) >= plan.played_length[:, None]
    return torch.where(same, drawn_out[:, :samples], played.masked_fill(beyond, 0.0))


def _played_in_groups(drawn_out: Tensor, plan: Vocoding, samples: int) -> Tensor:
    """Clips with the same lengths share a transform."""
    lengths = list(zip(plan.length.tolist(), plan.played_length.tolist(), strict=True))
    result = drawn_out.new_zeros(len(drawn_out), samples)
    for pair in sorted(set(lengths)):
        length, played_length = pair
        rows = [row for row, mine in enumerate(lengths) if mine == pair]
        played = drawn_out[rows]
        if length != played_length:
            played = torch.fft.irfft(torch.fft.rfft(played, length), played_length) * (played_length / length)
        kept = played[:, :samples]
        result[rows, : kept.shape[1]] = kept
    return result
