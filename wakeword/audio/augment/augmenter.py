"""The augmentation chain: the order of the transforms, each on the clips that a plan names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from wakeword.audio.augment import codecs, features, filters
from wakeword.audio.augment.bank import Bank
from wakeword.audio.augment.lengths import padded_length
from wakeword.audio.augment.levels import active_power, as_loud_as, clipped, mean_power, noise_scale
from wakeword.audio.augment.noise import coloured, mixed_voices
from wakeword.audio.augment.pieces import PIECE, add_to_rows, replace_rows
from wakeword.audio.augment.plan import (
    Addition,
    AugmentPlan,
    Edges,
    Filters,
    Noise,
    Peaks,
    Response,
    Room,
    Sources,
    Tempo,
    draw_plan,
)
from wakeword.audio.augment.rirs import RIR_LEAD, convolved, quieter_late, ringing, rir_table
from wakeword.audio.augment.speed import resampled, vocoded
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.frontend import FrontendConfig
from wakeword.system.device import moved

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

    Each clip has separate draws from the given generator, which is on the CPU; all arithmetic runs on the device of the
    batch, and nothing is read back from it. A transform with probability 0 uses no random numbers, so it does not
    change the draws of the others. (The exceptions `speed`, `rir`, `noise` and the feature transforms always draw which
    clips take part.)
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
        self.sources = Sources(self.noises, self.music, self.speech, 0 if self.rirs is None else len(self.rirs))

    def forward(self, audio: Tensor, generator: torch.Generator, anchor: Tensor | None = None) -> Augmented:
        """Augment a batch: `draw`, then `apply`.

        Args:
            audio: `(batch, samples)` float32 in [-1, 1].
            generator: source of all random numbers, on the CPU.
            anchor: `(batch,)` sample that a change of tempo does not move; None means 0.
        """
        plan = self.draw(audio.shape[0], audio.shape[1], generator)
        return self.apply(audio, moved(plan, audio.device), anchor)

    def draw(self, count: int, samples: int, generator: torch.Generator) -> AugmentPlan:
        """Draw what happens to `count` clips of `samples` samples, on the host."""
        return draw_plan(self.config, self.sources, count, samples, generator)

    def apply(self, audio: Tensor, plan: AugmentPlan, anchor: Tensor | None = None) -> Augmented:
        """Augment a batch by a plan on its device; the host does not wait for it.

        Args: `audio` and `anchor` as in `forward`.
        """
        anchor = torch.zeros(len(audio), device=audio.device) if anchor is None else anchor.to(audio.device).float()
        # The transforms work in place: a copy of the batch costs as much as a transform.
        audio = audio.clone()
        _change_tempo(audio, plan.tempo, anchor)
        level = _levels(audio)
        self._reverberate(audio, plan.room, level)
        self._add_noises(audio, plan, level)
        _filter(audio, plan.filters)
        if plan.clipping is not None:
            replace_rows(audio, plan.clipping.rows, clipped, plan.clipping.overdrive_db)
        audio *= plan.gain[:, None]
        for coding in plan.codecs:
            replace_rows(audio, coding.rows, partial(codecs.coded, coding.name), coding.kbps)
        if plan.floor is not None:
            white = plan.floor.stretch.unfold(0, audio.shape[1], 1)[plan.floor.start]
            audio += plan.floor.level[:, None] * white
        return Augmented(audio.clamp_(-1.0, 1.0), plan.tempo.speed, anchor)

    def features(self, batch: Tensor, generator: torch.Generator) -> Tensor:
        """Warp and mask features `(batch, frames, mels)`, between front end and network; `generator` is on the CPU."""
        plan = features.draw_features(self.config, self.frontend, batch.shape, generator)
        return features.changed_features(batch, moved(plan, batch.device))

    def _responses(self, response: Response) -> Tensor:
        """The drawn RIRs `(rows, taps)`."""
        assert self.rirs is not None
        taken = self.rirs[response.index]
        return taken if response.late_db is None else quieter_late(taken, response.late_db, RIR_LEAD)

    def _reverberate(self, audio: Tensor, room: Room | None, level: Tensor) -> None:
        """Convolve some clips with RIRs in place, at an unchanged `level` `(batch,)`."""
        if room is None or self.rirs is None:
            return
        rows, table = room.rows, self.rirs
        samples = audio.shape[1]
        length = padded_length(samples + table.shape[1])
        drawn: Tensor
        spectrum: Callable[[Tensor], Tensor]
        if room.response.late_db is not None or len(table) * length > MOST_KEPT:
            drawn, spectrum = self._responses(room.response), partial(torch.fft.rfft, n=length)
        else:
            drawn, spectrum = room.response.index, partial(self._spectra_of(length).index_select, 0)

        def wet(dry: Tensor, level: Tensor, drawn: Tensor) -> Tensor:
            return as_loud_as(level, convolved(dry, spectrum(drawn), samples, RIR_LEAD))

        replace_rows(audio, rows, wet, level[rows], drawn, length=length)

    def _spectra_of(self, length: int) -> Tensor:
        """Spectra of all RIRs for a transform of `length`, cached for the next batch."""
        assert self.rirs is not None
        if self._spectra is None or self._spectra[0] != length or self._spectra[1].device != self.rirs.device:
            self._spectra = length, torch.fft.rfft(self.rirs, length)
        return self._spectra[1]

    def _add_noises(self, audio: Tensor, plan: AugmentPlan, level: Tensor) -> None:
        """Add noise, music, babble and voices, each at its own SNR to the `level` `(batch,)` of the clip."""
        samples = audio.shape[1]
        if plan.noise is not None:
            self._noise(audio, plan.noise, level)
        if plan.music is not None and self.music is not None:
            _add_crops(audio, level, plan.music, self.music)
        if plan.babble is not None and self.speech is not None:
            voices = mixed_voices(self.speech, plan.babble.number, plan.babble.voices, samples)
            _add(audio, level, plan.babble.rows, plan.babble.snr_db, lambda voices: voices, voices)
        if plan.speech is not None and self.speech is not None:
            # Speech has pauses, so the level of its loud frames counts.
            _add_crops(audio, level, plan.speech, self.speech, active_power)

    def _noise(self, audio: Tensor, plan: Noise, level: Tensor) -> None:
        samples = audio.shape[1]
        if self.noises is not None and plan.crops is not None:
            if plan.wet is None:
                _add_crops(audio, level, Addition(plan.rows, plan.snr_db, plan.crops), self.noises)
                return
            noise = self.noises.take(plan.crops.index, plan.crops.start, samples)
        else:
            assert plan.white is not None
            assert plan.slope is not None
            noise = coloured(plan.white, plan.slope, samples)
        if plan.wet is not None:
            replace_rows(noise, plan.wet.rows, ringing, self._responses(plan.wet.response))
        _add(audio, level, plan.rows, plan.snr_db, lambda noise: noise, noise)


def _change_tempo(audio: Tensor, plan: Tempo, anchor: Tensor) -> None:
    """Change tempo and pitch in place."""
    if plan.resampled is not None:
        rows = plan.resampled.rows
        audio[rows] = resampled(audio[rows], plan.resampled, anchor[rows])
    if plan.vocoded is not None:
        rows = plan.vocoded.rows
        audio[rows] = vocoded(audio[rows], plan.vocoded, anchor[rows])


def _filter(audio: Tensor, plan: Filters | None) -> None:
    """Apply equaliser, microphone and band limit in one pass, at an unchanged level of the loud frames."""
    if plan is None:
        return
    power = torch.ones(len(audio), filters.POINTS, device=audio.device)
    if plan.equaliser is not None:
        rows = plan.equaliser.rows
        response = torch.ones(len(rows), filters.POINTS, device=audio.device)
        for band in plan.equaliser.bands:
            response *= _peak(band)
        power[rows] *= response
    if plan.capsule is not None:
        power[plan.capsule.rows] *= _slopes(plan.capsule.edges, 2) * _peak(plan.capsule.peak)
    if plan.band is not None:
        power[plan.band.rows] *= _slopes(plan.band.edges, 4)
    samples = audio.shape[1]

    def shape(audio: Tensor, power: Tensor) -> Tensor:
        return as_loud_as(active_power(audio[:, :samples]), filters.filtered(audio, power, samples))

    replace_rows(audio, plan.rows, shape, power[plan.rows], length=filters.filter_length(samples))


def _peak(peaks: Peaks) -> Tensor:
    return filters.peak_power(peaks.centre_hz, peaks.gain_db, peaks.quality)


def _slopes(edges: Edges, order: filters.Order) -> Tensor:
    return filters.band_power(edges.low_hz, edges.high_hz, order=order)


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
        noise = make(*draws)
        return noise.mul_(noise_scale(level, power(noise), snr_db)[:, None])

    add_to_rows(audio, rows, scaled, level[rows], snr_db, *draws)


def _add_crops(
    audio: Tensor, level: Tensor, plan: Addition, bank: Bank, power: Callable[[Tensor], Tensor] = mean_power
) -> None:
    """`_add` crops of a bank."""
    make = partial(bank.take, samples=audio.shape[1])
    _add(audio, level, plan.rows, plan.snr_db, make, plan.crops.index, plan.crops.start, power=power)
