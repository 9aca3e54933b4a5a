"""Window plans to audio, on the device of the clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from wakeword.batching.plans import WindowPlan
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.data.resident import ResidentClips
from wakeword.system.device import moved

FADE_SAMPLES = 160
"""Clip and surroundings cross-fade over 10 ms: a hard edge would mark where a clip begins."""
_FLOOR_S = 20


@dataclass(frozen=True)
class Placement:
    """What `WindowMaker.render` needs of a plan, as tensors; `filled` are the rows with surroundings."""

    clip: torch.Tensor
    start: torch.Tensor
    filled: torch.Tensor
    fill: torch.Tensor
    fill_start: torch.Tensor
    fill_gain: torch.Tensor
    floor_start: torch.Tensor
    floor_gain: torch.Tensor

    @classmethod
    def of(cls, plan: WindowPlan) -> Placement:
        """The tensors of a plan, on the host."""
        filled = np.flatnonzero(plan.fill >= 0)
        floor_start = (plan.floor_start * _FLOOR_S * SAMPLE_RATE_HZ).astype("int64")
        whole = (plan.clip, plan.start, filled, plan.fill[filled], plan.fill_start[filled])
        clip, start, rows, fill, fill_start = (torch.as_tensor(values, dtype=torch.int64) for values in whole)
        gains = (plan.fill_gain[filled], plan.floor_gain)
        fill_gain, floor_gain = (torch.as_tensor(values, dtype=torch.float32)[:, None] for values in gains)
        return cls(clip, start, rows, fill, fill_start, fill_gain, torch.from_numpy(floor_start), floor_gain)


class WindowMaker:
    """Cuts windows out of resident clips: clip, surroundings, and a noise floor under both (never digital zeros)."""

    def __init__(self, clips: ResidentClips, window_samples: int) -> None:
        self.clips = clips
        self.window_samples = window_samples
        self.device = clips.audio.device
        self.time = torch.arange(window_samples, device=self.device)
        self.floor = _noise_floor(window_samples + _FLOOR_S * SAMPLE_RATE_HZ).to(self.device)

    def render(self, plan: WindowPlan) -> torch.Tensor:
        """Audio of a plan: float32 `(batch, samples)`, full scale 1."""
        return self.rendered(moved(Placement.of(plan), self.device))

    def rendered(self, place: Placement) -> torch.Tensor:
        """Audio of a plan whose tensors are on the device; the host does not wait for it."""
        audio = self._cut(place.clip, place.start)
        audio *= self._inside(place.clip, place.start)
        if len(place.filled):
            around = 1.0 - self._inside(place.clip[place.filled], place.start[place.filled])
            fill = self._cut(place.fill, place.fill_start)
            audio.index_add_(0, place.filled, fill.mul_(around).mul_(place.fill_gain))
        floor = self.floor.unfold(0, self.window_samples, 1)[place.floor_start]
        return audio.add_(floor.mul_(place.floor_gain))

    def clean(self, clip: torch.Tensor, start: torch.Tensor, floor_gain: float) -> torch.Tensor:
        """Cuts for validation on a fixed noise floor: `(batch, samples)`; the arguments are on the device."""
        return self._cut(clip, start).add_(self.floor[: self.window_samples], alpha=floor_gain)

    def _cut(self, clip: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        if self.device.type != "cpu":
            return self.clips.gather(clip, start, self.window_samples).float().mul_(1.0 / 32768.0)
        # On a CPU, copying whole stretches is several times faster than an index per sample.
        cut = torch.zeros(len(clip), self.window_samples)
        offset, length = self.clips.offset[clip].tolist(), self.clips.length[clip].tolist()
        for row, begin, offset_, length_ in zip(cut, start.tolist(), offset, length, strict=True):
            first, last = max(begin, 0), min(begin + self.window_samples, length_)
            if first < last:
                row[first - begin : last - begin] = self.clips.audio[offset_ + first : offset_ + last]
        return cut.mul_(1.0 / 32768.0)

    def _inside(self, clip: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """1 inside the clip, 0 outside, a ramp at both edges: `(batch, samples)`."""
        begin = -start[:, None].float()
        end = begin + self.clips.length[clip][:, None].float()
        time = self.time[None, :].float()
        return torch.minimum(time - begin, end - 1 - time).mul_(1.0 / FADE_SAMPLES).clamp_(0.0, 1.0)


def _noise_floor(samples: int) -> torch.Tensor:
    """Noise of unit RMS whose power falls by 3 dB per octave above 100 Hz (rooms hum more than they hiss)."""
    generator = torch.Generator().manual_seed(2_026)
    spectrum = torch.fft.rfft(torch.randn(samples, generator=generator))
    frequency = torch.fft.rfftfreq(samples, d=1.0 / SAMPLE_RATE_HZ).clamp(min=100.0)
    noise = torch.fft.irfft(spectrum / frequency.sqrt(), n=samples)
    return noise / noise.square().mean().sqrt()
