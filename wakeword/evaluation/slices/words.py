"""Records that slices are made of, and the slice that each one belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.config.labels import fold

CONDITIONS = ("clean", "recorded")
"""Every utterance lies in one of these once. The other conditions play the same utterances again."""
PITCH_EDGES_HZ = (165.0, 255.0)
"""Ranges that are given for adults are some 85 to 155 Hz for men and 165 to 255 Hz for women; children lie above. Pitch
is only a proxy: voices overlap (165 Hz has 96 % of 254 clips of men below and 84 % of 70 of women above), and tells no
person's sex or age. But it can be measured where a source tells neither."""
PITCH_RANGES = ("below 165 Hz", "165-255 Hz", "above 255 Hz")
ANY_NOISE = "mixed noise"
"""Noise of all kinds, in conditions that name none."""
_NOISY = re.compile(r"(?P<snr>-?\d+(?:\.\d+)?) dB(?: (?P<kind>.+))?")


@dataclass(frozen=True, kw_only=True)
class SliceWord:
    """One test word in one condition at the threshold. What is not known is empty or None.

    `condition`: as `conditions` names it. `score`: highest smoothed peak in the window (None: no peak). `duration_s`
    of the word. `position`: of the phrase in its utterance, such as `phrase_position` gives it.
    """

    condition: str
    speaker: str
    source: str
    hit: bool
    score: float | None = None
    duration_s: float | None = None
    pitch_hz: float | None = None
    accent: str = ""
    gender: str = ""
    age: str = ""
    position: str = ""


@dataclass(frozen=True, kw_only=True)
class SliceAlarm:
    """One false alarm at the threshold, by the kind of audio and the source of the clip that it came in."""

    kind: str
    source: str


@dataclass(frozen=True, kw_only=True)
class SliceHours:
    """Hours of negative audio of one kind and source; several of the same add up."""

    kind: str
    source: str
    hours: float


def noise_of_condition(condition: str) -> tuple[float, str] | None:
    """SNR in dB and kind of noise (`ANY_NOISE` where it names none); None where the condition is not noisy."""
    match = _NOISY.fullmatch(condition)
    return (float(match["snr"]), match["kind"] or ANY_NOISE) if match else None


def pitch_range(pitch_hz: float | None) -> str:
    """The name of the range of `PITCH_RANGES`; empty where nothing is known."""
    if pitch_hz is None:
        return ""
    low, high = PITCH_EDGES_HZ
    return PITCH_RANGES[0] if pitch_hz < low else PITCH_RANGES[1] if pitch_hz <= high else PITCH_RANGES[2]


def phrase_position(text: str, phrase: str) -> str:
    """Where `phrase` stands in the transcript: alone, or at the start, inside or at the end of a sentence.

    Empty where the transcript is, or does not hold the phrase; case and punctuation do not matter.
    """
    said, sought = ([word for word in fold(part).split("_") if word] for part in (text, phrase))
    places = [at for at in range(len(said) - len(sought) + 1) if said[at : at + len(sought)] == sought]
    if not sought or not places:
        return ""
    before, after = places[0] > 0, places[0] + len(sought) < len(said)
    if before and after:
        return "inside a sentence"
    return "at the end of a sentence" if before else "at the start of a sentence" if after else "alone"


def duration_edges(durations_s: Iterable[float]) -> tuple[float, float] | None:
    """Terciles of val's words in seconds, for `duration_range`; None without words."""
    values = np.asarray(list(durations_s), dtype=np.float64)
    if not len(values):
        return None
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    return float(low), float(high)


def duration_names(edges: tuple[float, float]) -> tuple[str, str, str]:
    """Names of the three lengths."""
    low, high = edges
    return (f"short (below {low:.2f} s)", f"medium ({low:.2f}-{high:.2f} s)", f"long (above {high:.2f} s)")


def duration_range(duration_s: float | None, edges: tuple[float, float] | None) -> str:
    """The name of the length; empty where nothing is known."""
    if duration_s is None or edges is None:
        return ""
    low, high = edges
    return duration_names(edges)[0 if duration_s < low else 1 if duration_s <= high else 2]


def by_condition(words: Sequence[SliceWord]) -> dict[str, Callable[[SliceWord], str]]:
    """Per dimension that follows from the condition, the name of a word's slice (empty: none).

    Noise of a named kind is compared with other noise at the same SNRs only, so that loud and kind are not mixed up.
    """
    noises = [noise for word in words if (noise := noise_of_condition(word.condition))]
    levels = {snr for snr, kind in noises if kind != ANY_NOISE}

    def noise_kind(word: SliceWord) -> str:
        noise = noise_of_condition(word.condition)
        return noise[1] if noise and noise[0] in levels else ""

    return {
        "condition": lambda word: word.condition,
        "distance": lambda word: word.condition if word.condition in ("near", "far") else "",
        "noise kind": noise_kind,
    }


def by_word(edges: tuple[float, float] | None) -> dict[str, Callable[[SliceWord], str]]:
    """Per dimension that does not follow from the condition, the name of a word's slice (empty: none)."""
    return {
        "source": lambda word: word.source,
        "pitch": lambda word: pitch_range(word.pitch_hz),
        "accent": lambda word: word.accent,
        "gender": lambda word: word.gender,
        "age": lambda word: word.age,
        "position": lambda word: word.position,
        "duration": lambda word: duration_range(word.duration_s, edges),
    }


def in_order(name: str, found: Iterable[str], edges: tuple[float, float] | None) -> list[str]:
    """Names of slices as people expect them: pitch and length rising, conditions as they come, others by name."""
    known = list(dict.fromkeys(found))
    if name == "pitch":
        return [part for part in PITCH_RANGES if part in known]
    if name == "duration" and edges is not None:
        return [part for part in duration_names(edges) if part in known]
    return known if name in ("condition", "distance", "noise kind") else sorted(known)
