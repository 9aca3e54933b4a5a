"""Test words and false alarms of one word at one threshold, each with the slices that it belongs to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from wakeword.config.labels import fold
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.metrics.threshold_curve import outcome
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.tracks.track import TruthRow

CONDITIONS = ("clean", "recorded")
"""Each utterance is in one of these conditions once; the other conditions repeat the same utterances."""
PITCH_EDGES_HZ = (165.0, 255.0)
"""Adult men speak at about 85 to 155 Hz, women at 165 to 255 Hz, children higher. Pitch is only a proxy, since voices
overlap (254 clips of men: 96 % below 165 Hz; 70 clips of women: 84 % above)."""
PITCH_RANGES = ("below 165 Hz", "165-255 Hz", "above 255 Hz")
_NOISY = re.compile(r"(?P<snr>-?\d+(?:\.\d+)?) dB(?: (?P<kind>.+))?")

AudioKey = tuple[str, str]
"""Kind and source of negative audio."""


@dataclass(frozen=True)
class SliceWord:
    """One test word in one condition. `slices`: the name of its slice per dimension, empty if unknown."""

    condition: str
    speaker: str
    missed: bool
    slices: Mapping[str, str] = field(default_factory=dict)


def slice_words(
    view: WordOnSplit, phrase: str, threshold: float, edges_s: tuple[float, float] | None
) -> list[SliceWord]:
    """Every word of every condition. `edges_s`: the limits of short, medium and long words (`duration_edges`)."""
    kinds = noise_kinds(view.conditions)
    words = []
    for condition, (peaks, rows) in view.conditions.items():
        shared = {
            "condition": condition,
            "distance": condition if condition in ("near", "far") else "",
            "noise kind": kinds.get(condition, ""),
        }
        for row, hit in zip(rows, outcome(peaks, threshold).hit.tolist(), strict=True):
            words.append(SliceWord(condition, row.speaker, not hit, shared | _of_clip(row, phrase, edges_s)))
    return words


def _of_clip(row: TruthRow, phrase: str, edges_s: tuple[float, float] | None) -> dict[str, str]:
    low, high = edges_s or (0.0, 0.0)
    lengths = (f"short (below {low:.2f} s)", f"medium ({low:.2f}-{high:.2f} s)", f"long (above {high:.2f} s)")
    return {
        "source": row.source,
        "pitch": in_range(row.pitch_hz, PITCH_EDGES_HZ, PITCH_RANGES),
        "accent": row.accent,
        "gender": row.gender,
        "age": row.age,
        "position": phrase_position(row.text, phrase),
        "duration": in_range(row.end_s - row.start_s, edges_s, lengths) if edges_s else "",
    }


def noise_kinds(conditions: Iterable[str]) -> dict[str, str]:
    """The kind of noise of each noisy condition.

    `mixed noise` (a condition such as `10 dB`) is included only at SNRs that also have a named kind (`10 dB babble`):
    otherwise the kind of the noise and its level would be confounded.
    """
    found = {condition: match for condition in conditions if (match := _NOISY.fullmatch(condition))}
    levels = {match["snr"] for match in found.values() if match["kind"]}
    return {name: match["kind"] or "mixed noise" for name, match in found.items() if match["snr"] in levels}


def in_range(value: float | None, edges: tuple[float, float], names: tuple[str, ...]) -> str:
    """The name of the low, middle (edges included) or high range; empty for None."""
    return "" if value is None else names[int(value >= edges[0]) + int(value > edges[1])]


def phrase_position(text: str, phrase: str) -> str:
    """Position of `phrase` in the transcript: alone, or at the start, inside or at the end of a sentence.

    Empty if the transcript does not contain the phrase. Case and punctuation are ignored.
    """
    spoken, sought = ([word for word in fold(part).split("_") if word] for part in (text, phrase))
    places = [at for at in range(len(spoken) - len(sought) + 1) if spoken[at : at + len(sought)] == sought]
    if not sought or not places:
        return ""
    before, after = places[0] > 0, places[0] + len(sought) < len(spoken)
    if before and after:
        return "inside a sentence"
    return "at the end of a sentence" if before else "at the start of a sentence" if after else "alone"


def duration_edges(view: WordOnSplit) -> tuple[float, float] | None:
    """Terciles in seconds of the words' lengths, each utterance once; None without words."""
    durations = [row.end_s - row.start_s for name in CONDITIONS for row in view.conditions.get(name, ((), ()))[1]]
    if not durations:
        return None
    low, high = np.quantile(durations, [1 / 3, 2 / 3])
    return float(low), float(high)


def slice_alarms(view: WordOnSplit, threshold: float) -> tuple[Counter[AudioKey], dict[AudioKey, float]]:
    """False alarms at a threshold and hours of negative audio, both by kind and source.

    A false alarm belongs to the last clip that began before it. A track's hours are divided among its sources in
    proportion to the length of their clips.
    """
    alarms: Counter[AudioKey] = Counter()
    hours: dict[AudioKey, float] = {}
    for kind, part in view.negatives.items():
        for track, track_hours in zip(part.tracks, part.track_hours, strict=True):
            lengths: dict[str, float] = {} if track.clips else {track.name: 1.0}
            for row in track.clips:
                lengths[row.source] = lengths.get(row.source, 0.0) + row.end_s - row.start_s
            for source, length in lengths.items():
                hours.setdefault((kind, source), 0.0)
                hours[kind, source] += max(0.0, track_hours) * length / sum(lengths.values())
        false = outcome(part.peaks, threshold).false_alarms
        for number, time_s in zip(part.peaks.track[false].tolist(), part.peaks.time_s[false].tolist(), strict=True):
            alarms[kind, _source_at(part.tracks[number], time_s)] += 1
    return alarms, hours


def _source_at(track: TrackInfo, time_s: float) -> str:
    row = track.clip_at(time_s) or next(iter(track.clips), None)
    return row.source if row is not None else track.name
