"""Conditions of the positive tracks: the noise, room response or codec that each one applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.audio.rirs import direct_sound
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.tracks.clips import Audio, Clips, Pool

FLOOR_DBFS = -70.0
"""Level of the white noise in all tracks, since microphones never give digital zeros."""
FADE_S = 0.005
"""Fade of clips and noise at both ends, against clicks."""
NOISE_TRIES = 12
"""Maximum number of draws of a noise segment, since padded recordings contain silence."""
DIRECT_S = 0.0025
"""Half width of the direct sound (as in measurements of clarity at short distances)."""
NEAR_DB = 0.0
"""Minimum ratio of direct to reverberant energy of near responses; 0 dB is the critical distance of a room."""


@dataclass(frozen=True)
class Condition:
    """A condition; it applies the room response, then noise, then the codec."""

    name: str
    snr_db: float | None = None
    noise: Pool | None = None
    rooms: Pool | None = None
    codec: str = ""


def snr_name(snr_db: float, kind: str = "") -> str:
    """Name of a noisy condition, such as `10 dB` or `10 dB babble`."""
    return f"{snr_db:g} dB {kind}".rstrip()


def plan_conditions(
    clips: Mapping[str, Clips], split: str, config: EvaluationConfig, notes: list[str]
) -> tuple[Condition, ...]:
    """Conditions for `split`, `clean` first. A sentence is added to `notes` for each one that differs from `config`.

    Noise and room responses are those of `split`, else of the other one of val and test, else of train.
    """
    found = [Condition("clean")]
    if config.snr_db:
        noise = _pool(clips, split, "noise recordings", lambda own: own.rows("noise"), notes)
        if noise is None:
            notes.append(f"no split has noise recordings, so {split} has no noisy conditions")
        else:
            found += [Condition(snr_name(snr), snr_db=snr, noise=noise) for snr in config.snr_db]
    absent = []
    for kind in config.noise_kinds if config.noise_kind_snr_db else ():
        noise = _pool(clips, split, f"recordings of {kind}", _of_kind(kind), notes)
        if noise is None:
            absent.append(kind)
        else:
            found += [Condition(snr_name(snr, kind), snr_db=snr, noise=noise) for snr in config.noise_kind_snr_db]
    if absent:
        notes.append(f"no split has recordings of {', '.join(absent)}, so {split} lacks these conditions")
    for name in [name for name, enabled in (("near", config.near), ("far", config.far)) if enabled]:
        rooms = _pool(clips, split, f"{name} room responses", _of_distance(name), notes)
        if rooms is not None:
            found.append(Condition(name, rooms=rooms))
        else:
            notes.append(f"no split has {name} room responses, so {split} has no {name} condition")
    found += [Condition(codec, codec=codec) for codec in config.codecs]
    return tuple(found)


def _pool(
    clips: Mapping[str, Clips], split: str, name: str, choose: Callable[[Clips], Sequence[int]], notes: list[str]
) -> Pool | None:
    for other in (split, *[s for s in ("test", "val") if s != split], "train"):
        rows = choose(clips[other]) if other in clips else ()
        if rows:
            if other != split:
                used = ", which were used in training" if other == "train" else ""
                notes.append(f"{split} has no {name}: its conditions use those of {other}{used}")
            return Pool(other, clips[other], tuple(rows))
    return None


def _of_kind(kind: str) -> Callable[[Clips], list[int]]:
    """Selects noise and music with `kind` as kind or label, or in the name of the source."""

    def choose(clips: Clips) -> list[int]:
        about = [clips.table.column(name).to_pylist() for name in ("kind", "label", "source")]
        return [
            row
            for row in clips.rows("noise", "music")
            if kind in (about[0][row], about[1][row]) or kind.casefold() in about[2][row].casefold()
        ]

    return choose


def _of_distance(name: str) -> Callable[[Clips], list[int]]:
    def choose(clips: Clips) -> list[int]:
        ratios = {row: direct_ratio_db(clips.audio(row)) for row in clips.rows("rir")}
        return [row for row, ratio in ratios.items() if (ratio >= NEAR_DB) == (name == "near")]

    return choose


def direct_ratio_db(response: Audio) -> float:
    """Ratio of the energy of the direct sound to the energy after it, in dB; infinite without reflections."""
    direct, width = direct_sound(response), round(DIRECT_S * SAMPLE_RATE_HZ)
    energy = np.square(response, dtype=np.float64)
    after = float(energy[direct + width + 1 :].sum())
    before = float(energy[max(0, direct - width) : direct + width + 1].sum())
    return float(10 * np.log10(before / after)) if after > 0 else np.inf


def floor_noise(samples: int, rng: np.random.Generator) -> Audio:
    """White noise `(samples,)` at `FLOOR_DBFS`."""
    return rng.standard_normal(samples, dtype=np.float32) * np.float32(10 ** (FLOOR_DBFS / 20))


def faded(audio: Audio, at_start: bool = True, at_end: bool = True) -> Audio:
    """A copy that fades in at the start and out at the end over `FADE_S`."""
    length = min(round(FADE_S * SAMPLE_RATE_HZ), len(audio) // 2)
    audio = audio.copy()
    if length:
        ramp = np.linspace(0, 1, length, dtype=np.float32)
        if at_start:
            audio[:length] *= ramp
        if at_end:
            audio[-length:] *= ramp[::-1]
    return audio


def level(audio: Audio, word: tuple[int, int]) -> float:
    """RMS over the word, given in samples."""
    return float(np.sqrt(np.mean(np.square(audio[slice(*word)], dtype=np.float64)))) if word[1] > word[0] else 0.0


def in_room(audio: Audio, word: tuple[int, int], rooms: Pool, rng: np.random.Generator) -> Audio:
    """Convolve with a room response from its direct sound on; the word keeps its position and level."""
    response = rooms.clips.audio(rooms.rows[int(rng.integers(len(rooms.rows)))])
    response = response[direct_sound(response) :]
    size = 1 << (len(audio) + len(response) - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)[: len(audio)].astype(np.float32)
    wet_level = level(wet, word)
    return wet * np.float32(level(audio, word) / wet_level) if wet_level > 0 else wet


def noise_of(pool: Pool, samples: int, rng: np.random.Generator) -> Audio:
    """A segment of one recording with RMS 1, from a random position; short recordings are repeated."""
    segment = np.zeros(samples, dtype=np.float32)
    rms = 0.0
    for _ in range(NOISE_TRIES):
        recording = pool.clips.audio(pool.rows[int(rng.integers(len(pool.rows)))])
        start = int(rng.integers(max(1, len(recording))))
        segment = np.take(recording, np.arange(start, start + samples), mode="wrap")
        rms = level(segment, (0, samples))
        if rms > 10 ** (FLOOR_DBFS / 20):
            break
    return faded(segment / np.float32(rms)) if rms > 0 else segment
