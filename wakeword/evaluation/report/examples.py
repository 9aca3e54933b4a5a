"""The worst misses and false alarms of a word: their sections of the tracks, and their audio."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.evaluation.metrics.calibration import word_scores
from wakeword.evaluation.metrics.measure import NegativeAudio, WordOnSplit
from wakeword.evaluation.metrics.threshold_curve import OUTSIDE, outcome
from wakeword.evaluation.results import Example
from wakeword.evaluation.tracks.track import Track, TruthRow
from wakeword.system.files import atomic_path

FOLDER = "examples"
EACH = 5
"""Maximum number of misses, and of false alarms, per word."""
BEFORE_S, AFTER_S = 0.7, 1.0
"""Seconds of audio before and after a missed word."""
ALARM_BEFORE_S, ALARM_AFTER_S = 2.0, 0.7
"""Seconds of audio before and after the peak of a false alarm."""


def find_examples(view: WordOnSplit, threshold: float) -> tuple[Example, ...]:
    """The worst misses and false alarms at `threshold`, without their audio.

    Misses: clean words before those of other conditions, lowest scores first. False alarms: highest scores first;
    without a false alarm, the highest other peaks.
    """
    return (*_misses(view, threshold), *_alarms(view, threshold))


def _misses(view: WordOnSplit, threshold: float) -> list[Example]:
    found: list[Example] = []
    for condition, (peaks, rows) in view.conditions.items():
        best = word_scores(peaks)
        missed = np.flatnonzero(~outcome(peaks, threshold).hit)
        for place in missed[np.argsort(best[missed], kind="stable")].tolist():
            row = rows[place]
            found.append(
                Example(
                    kind="miss",
                    condition=condition,
                    track=row.track,
                    start_s=max(0.0, row.start_s - BEFORE_S),
                    end_s=row.end_s + AFTER_S,
                    word_s=(row.start_s, row.end_s),
                    score=float(best[place]),
                    **_about(row),
                )
            )
    return found[:EACH]


def _alarms(view: WordOnSplit, threshold: float) -> list[Example]:
    fired: list[Example] = []
    near: list[Example] = []
    # The `EACH` highest of each kind are enough, since the report has `EACH` of all kinds together.
    for kind, part in view.negatives.items():
        score, false = part.peaks.score, outcome(part.peaks, threshold).false_alarms
        fired += [_alarm("false alarm", kind, part, place) for place in _highest(score, false)]
        outside = np.flatnonzero((part.peaks.owner == OUTSIDE) & (score < threshold))
        near += [_alarm("nearest", kind, part, place) for place in _highest(score, outside)]
    return sorted(fired or near, key=lambda example: -example.score)[:EACH]


def _highest(score: NDArray[np.float64], places: NDArray[np.int64]) -> list[int]:
    return [int(place) for place in places[np.argsort(-score[places], kind="stable")[:EACH]]]


def _alarm(name: str, kind: str, part: NegativeAudio, position: int) -> Example:
    peaks = part.peaks
    track, time_s = part.tracks[int(peaks.track[position])], float(peaks.time_s[position])
    row = track.clip_at(time_s)
    return Example(
        kind=name,
        condition=kind,
        track=track.name,
        start_s=max(0.0, time_s - ALARM_BEFORE_S),
        end_s=time_s + ALARM_AFTER_S,
        word_s=None,
        score=float(peaks.score[position]),
        **_about(row),
    )


def _about(row: TruthRow | None) -> dict[str, str]:
    return {name: getattr(row, name, "") for name in ("clip_id", "speaker", "source")}


def write_audio(examples: Sequence[Example], tracks: Mapping[str, Track], folder: Path) -> None:
    """Write the section of each example as `folder/examples/<hash>.flac`, 16 kHz: the samples that were scored."""
    for example in examples:
        path = folder / FOLDER / audio_name(example)
        if path.is_file() or example.track not in tracks:
            continue
        track = tracks[example.track]
        start, end = (min(track.samples, round(t * SAMPLE_RATE_HZ)) for t in (example.start_s, example.end_s))
        audio = np.concatenate([np.zeros(0, dtype=np.float32), *track.blocks(SAMPLE_RATE_HZ, start, end)])
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            soundfile.write(temporary, audio, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")


def copy_audio(examples: Sequence[Example], source: Path, folder: Path) -> None:
    """Copy the audio that an earlier report of the same tracks has; other examples have no audio."""
    for example in examples:
        path, earlier = folder / FOLDER / audio_name(example), source / FOLDER / audio_name(example)
        if earlier.is_file() and not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                shutil.copyfile(earlier, temporary)


def drop_other_audio(examples: Sequence[Example], folder: Path) -> None:
    """Remove audio files in `folder` that belong to no example."""
    names = {audio_name(example) for example in examples}
    for path in (folder / FOLDER).glob("*.flac"):
        if path.name not in names:
            path.unlink()


def audio_name(example: Example) -> str:
    """File name of an example's audio, derived from the track and the section."""
    section = f"{example.track}|{example.start_s:.4f}|{example.end_s:.4f}"
    return hashlib.sha256(section.encode()).hexdigest()[:16] + ".flac"
