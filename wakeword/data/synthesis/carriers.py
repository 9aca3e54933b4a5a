"""Carrier sentences: a wake word said within a sentence, with its place known to the frame.

The parts before the phrase, the phrase and what follows are spoken one by one by the same voice and joined, so that
the place is exact for every engine, whether it tells the times of its words or not.
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
"""Pause between two parts, drawn for each: people leave less than a third of a second at a comma."""
FADE_S = 0.005
"""The engine's own noise fades in and out where a pause is cut, or it would click."""
MOST_MATCHED_DB = 6.0
"""Parts are brought to the loudness of the phrase by no more than this: a short word may be loud."""
_PLACE = "{phrase}"
_PUNCTUATION = " ,.;:!?"


@dataclass(frozen=True)
class Placed:
    """A spoken clip.

    Attributes:
        audio: `(samples,)` float32 at 16 kHz.
        start_s, end_s: place of the phrase in a joined one.
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
    """Templates that a word may be spoken in: every other one trains, the rest serve val and test (one serves all).

    A template is left out where it holds a configured word beside the phrase.

    Raises:
        ConfigError: none is left.
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
    """What is said before the phrase, the phrase, and what is said after it; an empty part is not spoken.

    A comma keeps the voice up where something follows.
    """
    before, _, after = template.partition(_PLACE)
    before, after = (part if part.strip(_PUNCTUATION) else "" for part in (before.strip(), after.strip(_PUNCTUATION)))
    return before, f"{phrase}," if after else phrase, after


def joined(parts: Sequence[np.ndarray], place: int, seed: int, margin_s: float) -> Placed:
    """Join spoken parts with drawn pauses; the pauses keep the engine's own noise as far as it goes.

    Args:
        parts: `(samples,)` float32 at 16 kHz each, with the silence that the engine gave.
        place: which of them is the phrase.
        seed: decides the pauses.
        margin_s: kept before the first part and after the last.

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
    """First and last sample of the speech in audio that an engine gave, which holds nothing else.

    From the first to the last frame less than 32 dB below the loudest: unlike in `audio.vad.word_bounds`, a pause
    within the phrase never parts it, and no click has to be told from speech.

    Raises:
        SpeechError: nothing is heard.
    """
    levels = frame_levels_db(audio, SAMPLE_RATE_HZ)
    if len(levels) < 3 or np.abs(audio).max() < 1e-3:
        raise SpeechError("the engine gave silence for a part of the sentence", "silence")
    heard = np.flatnonzero(levels > np.sort(levels)[-3] - BELOW_PEAK_DB)
    frame = round(FRAME_S * SAMPLE_RATE_HZ)
    return int(heard[0]) * frame, (int(heard[-1]) + 1) * frame


def _loudness(audio: np.ndarray, bounds: tuple[int, int]) -> float:
    return float(10 * np.log10(np.mean(audio[slice(*bounds)].astype(np.float64) ** 2) + 1e-12))


def _with_silence(audio: np.ndarray, first: int, last: int, before: int, after: int) -> np.ndarray:
    """Speech with so much silence around it: the engine's own, filled up with zeros where it is shorter."""
    own_before, own_after = min(first, before), min(len(audio) - last, after)
    piece = audio[first - own_before : last + own_after].copy()
    fade = min(round(FADE_S * SAMPLE_RATE_HZ), own_before, own_after)
    if fade:
        ramp = np.linspace(0, 1, fade, dtype=np.float32)
        piece[:fade] *= ramp
        piece[-fade:] *= ramp[::-1]
    return np.pad(piece, (before - own_before, after - own_after))
