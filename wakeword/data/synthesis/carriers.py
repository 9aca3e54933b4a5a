"""Carrier sentences: a wake word within a sentence, with exact start and end times.

The parts before the phrase, the phrase and the parts after it are synthesised one by one with the same voice and then
joined. The times are therefore exact for all engines, including those that report no word times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.audio.vad import BELOW_PEAK_DB, FRAME_S, frame_levels_db
from wakeword.config import WordConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.splits import draw
from wakeword.data.synthesis.engine import SpeechError
from wakeword.data.words import holds
from wakeword.errors import ConfigError

GAP_S = (0.06, 0.3)
"""Pause between two parts in seconds, drawn uniformly; at a comma speakers pause for less than a third of a second."""
FADE_S = 0.005
"""Fade of the engine's noise where a pause is cut, against clicks."""
MOST_MATCHED_DB = 6.0
"""Largest change of level in dB that matches a part to the phrase; short words may be louder."""
_PLACE = "{phrase}"
_PUNCTUATION = " ,.;:!?"


@dataclass(frozen=True)
class Placed:
    """A synthesised clip.

    Attributes:
        audio: `(samples,)` float32 at 16 kHz.
        start_s, end_s: times of the phrase within a sentence; 0 for the phrase alone.
    """

    audio: np.ndarray
    start_s: float = 0.0
    end_s: float = 0.0

    @property
    def phrase(self) -> np.ndarray:
        """The phrase alone."""
        if not self.end_s:
            return self.audio
        return self.audio[round(self.start_s * SAMPLE_RATE_HZ) : round(self.end_s * SAMPLE_RATE_HZ)]


def carriers_by_split(
    word: WordConfig, words: Sequence[WordConfig], templates: Sequence[str], seed: int
) -> dict[str, list[str]]:
    """Templates of a word by split: every other one for train, the rest for val and test; a single one for all splits.

    Templates that contain a configured word besides the phrase are left out.

    Raises:
        ConfigError: no template is left.
    """
    fit = [template for template in templates if _fits(template, word, words)]
    if not fit:
        raise ConfigError(
            f"synthesis.carriers: each of the {len(templates)} sentences holds a configured word beside {word.text!r}: "
            "add one that holds none, or set synthesis.carrier_share to 0"
        )
    order = sorted(fit, key=lambda template: (draw(f"carrier:{seed}:{template}"), template))
    return {"train": order[::2], "val": order[1::2] or order, "test": order[1::2] or order}


def _fits(template: str, word: WordConfig, words: Sequence[WordConfig]) -> bool:
    before, _, after = template.partition(_PLACE)
    if any(holds(part, other.text) for part in (before, after) for other in words):
        return False
    whole = template.replace(_PLACE, word.text)
    return not any(holds(whole, other.text) and not holds(word.text, other.text) for other in words)


def parts_of(template: str, phrase: str) -> tuple[str, str, str]:
    """Split a sentence into the text before the phrase, the phrase and the text after it; parts may be empty.

    The phrase gets a comma when text follows, so that the intonation stays open.
    """
    before, _, after = template.partition(_PLACE)
    before, after = (part if part.strip(_PUNCTUATION) else "" for part in (before.strip(), after.strip(_PUNCTUATION)))
    return before, f"{phrase}," if after else phrase, after


def joined(parts: Sequence[np.ndarray], place: int, seed: int, margin_s: float) -> Placed:
    """Join synthesised parts with random pauses, which keep the engine's own noise as far as it lasts.

    Args:
        parts: `(samples,)` float32 at 16 kHz each, with the engine's leading and trailing silence.
        place: index of the phrase.
        seed: of the pauses.
        margin_s: silence to keep before the first part and after the last.

    Raises:
        SpeechError: a part is silent.
    """
    chance = np.random.default_rng(seed)
    bounds = [spoken_bounds(part) for part in parts]
    wanted = _loudness(parts[place], bounds[place])
    pauses = [round(s * SAMPLE_RATE_HZ / 2) for s in chance.uniform(*GAP_S, size=len(parts) - 1)]
    margin = round(margin_s * SAMPLE_RATE_HZ)
    pieces: list[np.ndarray] = []
    start = end = 0
    for number, (part, (first, last)) in enumerate(zip(parts, bounds, strict=True)):
        gain_db = np.clip(wanted - _loudness(part, (first, last)), -MOST_MATCHED_DB, MOST_MATCHED_DB)
        before = pauses[number - 1] if number else min(first, margin)
        after = pauses[number] if number < len(pauses) else min(len(part) - last, margin)
        piece = _with_silence(part * np.float32(10 ** (gain_db / 20)), first, last, before, after)
        if number == place:
            start = sum(map(len, pieces)) + before
            end = start + last - first
        pieces.append(piece)
    return Placed(np.concatenate(pieces), start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ)


def spoken_bounds(audio: np.ndarray) -> tuple[int, int]:
    """First and last sample of the speech in an engine's output.

    They enclose all frames less than 32 dB below the loudest. Unlike in `audio.vad.word_bounds`, pauses never split the
    phrase and clicks are not rejected: an engine outputs nothing but speech.

    Raises:
        SpeechError: the audio is silent.
    """
    levels = frame_levels_db(audio, SAMPLE_RATE_HZ)
    if len(levels) < 3 or np.abs(audio).max() < 1e-3:
        raise SpeechError("the engine gave silence for a part of the sentence", "silence")
    loud = np.flatnonzero(levels > np.sort(levels)[-3] - BELOW_PEAK_DB)
    frame = round(FRAME_S * SAMPLE_RATE_HZ)
    return int(loud[0]) * frame, (int(loud[-1]) + 1) * frame


def _loudness(audio: np.ndarray, bounds: tuple[int, int]) -> float:
    return float(10 * np.log10(np.mean(audio[slice(*bounds)].astype(np.float64) ** 2) + 1e-12))


def _with_silence(audio: np.ndarray, first: int, last: int, before: int, after: int) -> np.ndarray:
    """Speech with `before` and `after` samples of the engine's silence, padded with zeros where it is shorter."""
    own_before, own_after = min(first, before), min(len(audio) - last, after)
    piece = audio[first - own_before : last + own_after].copy()
    fade = min(round(FADE_S * SAMPLE_RATE_HZ), own_before, own_after)
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        piece[:fade] *= ramp
        piece[-fade:] *= ramp[::-1]
    return np.pad(piece, (before - own_before, after - own_after))
