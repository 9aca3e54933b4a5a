"""Conditions of the positive tracks: which noise, room or codec each one adds, and how it is added."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.audio.rirs import direct_sound
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.tracks.clips import Audio, Clips, Pool

FLOOR_DBFS = -70.0
"""White noise under everything: a microphone never gives digital zeros."""
FADE_S = 0.005
"""Clips and noise fade in and out this long, so that an edge is no click."""
NOISE_TRIES = 12
"""Segments of noise that are all but silent (padded recordings) are drawn again so often."""
DIRECT_S = 0.0025
"""The direct sound lasts this long to either side of its sample (as in measurements of clarity at short distances)."""
NEAR_DB = 0.0
"""Responses with at least this ratio of direct to reverberant energy are near, the others far: 0 dB is the critical
distance, beyond which a room's reflections are stronger than the talker."""


@dataclass(frozen=True)
class Condition:
    """What a condition does to a clip: room, then noise, then codec."""

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
    """Conditions for `split`, `clean` first. `notes` gets a sentence for each one that cannot be had as asked.

    Noise and room responses come from `split` itself where it has them, else from the other of val and test, else from
    train.
    """
    found = [Condition("clean")]
    if config.snr_db:
        noise = _pool(clips, split, "noise recordings", lambda own: own.rows("noise"), notes)
        if noise is None:
            notes.append(f"there are no noise recordings in any split: no noisy conditions for {split}")
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
        notes.append(f"there are no recordings of {', '.join(absent)} in any split: no conditions of that for {split}")
    for name, asked in (("near", config.near), ("far", config.far)):
        rooms = _pool(clips, split, f"{name} room responses", _of_distance(name), notes) if asked else None
        if rooms is not None:
            found.append(Condition(name, rooms=rooms))
        elif asked:
            notes.append(f"there are no {name} room responses in any split: no {name} condition for {split}")
    found += [Condition(codec, codec=codec) for codec in config.codecs]
    return tuple(found)


def _pool(
    clips: Mapping[str, Clips], split: str, name: str, choose: Callable[[Clips], Sequence[int]], notes: list[str]
) -> Pool | None:
    for other in (split, *[s for s in ("test", "val") if s != split], "train"):
        rows = choose(clips[other]) if other in clips else ()
        if rows:
            if other != split:
                heard = " (training heard them)" if other == "train" else ""
                notes.append(f"{split} holds no {name}: its conditions use those of {other}{heard}")
            return Pool(other, clips[other], tuple(rows))
    return None


def _of_kind(kind: str) -> Callable[[Clips], list[int]]:
    """Noise and music whose kind or label is `kind`, or whose source names it."""

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
    """Energy of the direct sound against that of everything after it, in dB; infinite without reflections."""
    direct, width = direct_sound(response), round(DIRECT_S * SAMPLE_RATE_HZ)
    energy = np.square(response, dtype=np.float64)
    after = float(energy[direct + width + 1 :].sum())
    before = float(energy[max(0, direct - width) : direct + width + 1].sum())
    return float(10 * np.log10(before / after)) if after > 0 else np.inf


def floor_noise(samples: int, rng: np.random.Generator) -> Audio:
    """White noise `(samples,)` at `FLOOR_DBFS`."""
    return rng.standard_normal(samples, dtype=np.float32) * np.float32(10 ** (FLOOR_DBFS / 20))


def faded(audio: Audio, at_start: bool = True, at_end: bool = True) -> Audio:
    """A copy that fades in and out over `FADE_S`."""
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
    """Convolve with a room response from its direct sound on, so that the word stays where it is, at the same level."""
    response = rooms.clips.audio(rooms.rows[int(rng.integers(len(rooms.rows)))])
    response = response[direct_sound(response) :]
    size = 1 << (len(audio) + len(response) - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)[: len(audio)].astype(np.float32)
    heard = level(wet, word)
    return wet * np.float32(level(audio, word) / heard) if heard > 0 else wet


def noise_of(pool: Pool, samples: int, rng: np.random.Generator) -> Audio:
    """A stretch of one recording with RMS 1, from a random place, going round where the recording is short."""
    stretch = np.zeros(samples, dtype=np.float32)
    heard = 0.0
    for _ in range(NOISE_TRIES):
        recording = pool.clips.audio(pool.rows[int(rng.integers(len(pool.rows)))])
        start = int(rng.integers(max(1, len(recording))))
        stretch = np.take(recording, np.arange(start, start + samples), mode="wrap")
        heard = float(np.sqrt(np.mean(np.square(stretch, dtype=np.float64))))
        if heard > 10 ** (FLOOR_DBFS / 20):
            break
    return faded(stretch / np.float32(heard)) if heard > 0 else stretch
