"""Borders of a word: the quietest place near the aligned time, and checks of that place.

Aligned times are accurate to a few hundredths of a second. Running speech has few pauses, but closures of stops and
dips of level between words, where a cut is inaudible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from wakeword.audio.vad import FRAME_S, frame_levels_db
from wakeword.config.cutting import CuttingConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.cutting.aligner import AlignedWord

SLACK_S = 0.04
"""Largest error of an aligned time."""
REACH_S = 0.1
"""Largest distance of a cut into a pause, or into a gap between two peaks of a CTC model, beside a word."""
AS_QUIET_DB = 3.0
"""Among frames at most so much louder than the quietest, the nearest to the aligned time is chosen."""


@dataclass(frozen=True)
class CutWord:
    """One word of a clip.

    Attributes:
        place: its number in the transcript.
        text: the word, lower case.
        start_s, end_s: places of the cuts, seconds from the start of the clip.
        level_db: its mean power, dB relative to full scale (`audio.vad.frame_levels_db`).
        before_db, after_db: level of the 10 ms at the two cuts; -100 at an end of the clip.
        confidence: of the aligner.
    """

    place: int
    text: str
    start_s: float
    end_s: float
    level_db: float
    before_db: float
    after_db: float
    confidence: float | None


def cut_words(audio: np.ndarray, words: Sequence[str], times: Sequence[AlignedWord]) -> list[CutWord]:
    """Move the borders of each word of a transcript to quiet places of `audio (samples,)`, float32 at 16 kHz.

    Two neighbours without a pause share one border; every word has at least one frame.
    """
    levels = frame_levels_db(audio, SAMPLE_RATE_HZ)
    count = len(levels)
    starts = [round(word.start_s / FRAME_S) for word in times]
    ends = [round(word.end_s / FRAME_S) for word in times]
    slack, reach = round(SLACK_S / FRAME_S), round(REACH_S / FRAME_S)
    found = []
    for number, word in enumerate(words):
        before_end = ends[number - 1] if number else 0
        after_start = starts[number + 1] if number + 1 < len(words) else count
        middle = (starts[number] + ends[number]) // 2
        low = max(before_end - slack, starts[number] - reach, 0)
        start = _quiet(levels, low, min(starts[number] + slack, middle), starts[number])
        high = min(after_start + slack, ends[number] + reach, count)
        end = _quiet(levels, max(ends[number] - slack, middle + 1), high, ends[number])
        end = max(end, start + 1)
        power = np.mean(10 ** (levels[start:end] / 10)) if start < count else 1e-10
        found.append(
            CutWord(
                place=number,
                text=word,
                start_s=round(start * FRAME_S, 4),
                end_s=round(end * FRAME_S, 4),
                level_db=round(float(10 * np.log10(power)), 2),
                before_db=round(_level(levels, start), 2),
                after_db=round(_level(levels, end), 2),
                confidence=None if times[number].confidence is None else round(float(times[number].confidence or 0), 4),
            )
        )
    return found


def _level(levels: np.ndarray, border: int) -> float:
    """Level of the quieter of the two frames at a border: the cross-fade lies in both."""
    beside = levels[max(0, border - 1) : border + 1]
    return float(beside.min()) if 0 < border < len(levels) else -100.0


def _quiet(levels: np.ndarray, low: int, high: int, wanted: int) -> int:
    """The quiet border between `low` and `high` that is nearest to the wanted one."""
    borders = np.arange(min(low, high), max(low, high) + 1)
    quiet = np.array([_level(levels, int(border)) for border in borders])
    near = borders[quiet <= quiet.min() + AS_QUIET_DB]
    return int(min(near, key=lambda border: (abs(int(border) - wanted), int(border))))


def fault_of(words: Sequence[CutWord], config: CuttingConfig) -> tuple[str, str] | None:
    """Reason code and detail why adjacent words cannot be cut out as one clip, or None."""
    # Ends are whole frames, so their difference is rounded as they are.
    whole_s = round(words[-1].end_s - words[0].start_s, 4)
    if whole_s < config.min_cut_s:
        text = " ".join(word.text for word in words)
        return "wrong_length", f"{text!r} would last {whole_s:.2f} s, {config.min_cut_s:g} s are needed"
    for word in words:
        length_s = round(word.end_s - word.start_s, 4)
        low, high = (bound * len(word.text) for bound in config.letter_s)
        if not low <= length_s <= high:
            return "wrong_length", f"{word.text!r} would last {length_s:.2f} s, {low:.2f} to {high:.2f} s are plausible"
        if word.confidence is not None and word.confidence < config.min_confidence:
            return "low_confidence", f"{word.text!r} has {word.confidence:.2f}, {config.min_confidence:g} is needed"
    for first, second in pairwise(words):
        if second.start_s - first.end_s > config.gap_s[1]:
            gap_s = second.start_s - first.end_s
            return "long_pause", f"{gap_s:.2f} s between {first.text!r} and {second.text!r}"
    for side, word, level_db in (("before", words[0], words[0].before_db), ("after", words[-1], words[-1].after_db)):
        if word.level_db - level_db < config.border_db:
            return "loud_border", (
                f"the sound {side} {word.text!r} is only {word.level_db - level_db:.1f} dB quieter than the word, "
                f"{config.border_db:g} dB are needed"
            )
    return None
