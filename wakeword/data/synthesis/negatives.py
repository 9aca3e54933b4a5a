"""Hours of synthetic negatives for val and test: texts that train never speaks, tones, babble and noises.

Thresholds are chosen and judged by false alarms per hour, which takes hours of audio. Fast engines speak the texts
(`FAST`; where a recipe has none of them, those that are not slow). Each text joins the beginning of one sentence and
the end of another; English ones come from a list of its own. A part is in other languages (`other_languages`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np

from wakeword.config.synthesis import SynthesisConfig
from wakeword.data.manifest import Row
from wakeword.data.synthesis.engine import stable_seed
from wakeword.data.synthesis.languages import without_spaces
from wakeword.data.synthesis.other_languages import Language, SpeechDeal, fast_alone
from wakeword.data.synthesis.sentences import says

SPLITS = ("val", "test")
FAST = ("espeak", "pico")
SPEECH_SHARE = 0.7
"""Share of speech in the hours; the rest is tones, babble and noises."""
NOISE_KINDS = ("tones", "babble", "hum", "tones", "babble", "band", "tones", "babble", "pink")
NOISE_LENGTH_S = 20.0
NOISE_BATCH = 9
BABBLE_VOICES = 12
PARTS = 3
"""Joined sentences in a text: long clips cost less to prepare than many short ones."""
_WORDS_PER_S = 2.6
_CHARACTERS_PER_S = 4.5
"""Mean speed at rate 1 with the pauses between the parts, measured with espeak; of scripts without spaces."""


@cache
def judging_sentences() -> tuple[str, ...]:
    """English sentences that no other part of synthesis speaks."""
    path = resources.files("wakeword.data.synthesis") / "judging_sentences.txt"
    return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def negative_utterances(languages: Sequence[Language], phrases: Sequence[str]) -> list[Row]:
    """Utterances of val and test that last about `SPEECH_SHARE` of `negative_hours` together, in each split.

    `languages`: the phrase's own language, then the others.
    """
    config = languages[0].config
    if not config.negative_hours:
        return []
    fast = [fast_alone(one, FAST) for one in languages]
    rows: list[Row] = []
    for split in SPLITS:
        if not fast[0].casts[split].shares:
            continue
        deal, left_s = SpeechDeal(fast, split, "negatives"), SPEECH_SHARE * 3600 * config.negative_hours
        while left_s > 0:
            row, chance, language = deal.next()
            text = joined_text(chance, language.pool or judging_sentences(), phrases)
            rows.append({**row, "kind": "speech", "label": "speech", "text": text})
            left_s -= _length_s(text) / float(str(row["rate"]))
    return rows


def _length_s(text: str) -> float:
    words = text.split()
    return len(text) / _CHARACTERS_PER_S if without_spaces(text) else len(words) / _WORDS_PER_S


def joined_text(chance: np.random.Generator, pool: Sequence[str], phrases: Sequence[str]) -> str:
    """`PARTS` sentences, each the beginning of one of the pool and the end of another, without any of the phrases."""
    while True:
        text = ", ".join(_crossed(chance, pool) for _ in range(PARTS))
        if not any(says(text, phrase) for phrase in phrases):
            return text


def _crossed(chance: np.random.Generator, pool: Sequence[str]) -> str:
    first, second = (pool[int(place)] for place in chance.choice(len(pool), size=2, replace=len(pool) < 2))
    space = "" if without_spaces(first) and " " not in first else " "
    units, others = (text.split() if space else list(text) for text in (first, second))
    before = units[: int(chance.integers(1, max(2, len(units))))]
    return space.join([*before, *others[min(len(before), len(others) - 1) :]])


def negative_scenery(config: SynthesisConfig, spoken: Sequence[Row]) -> list[Row]:
    """Rows of `stage.SceneryStage` for the rest of the hours: babble is mixed from the split's own sentences."""
    rows: list[Row] = []
    total = round((1 - SPEECH_SHARE) * 3600 * config.negative_hours / NOISE_LENGTH_S)
    for split in SPLITS:
        sentences = [row["uri"] for row in spoken if row["kind"] == "speech" and row["split"] == split]
        for first in range(0, total if sentences else 0, NOISE_BATCH):
            seed = stable_seed(config.seed, "negatives", split, first)
            order = np.random.default_rng(seed).permutation(len(sentences))
            rows.append(
                {
                    "kind": "noise",
                    "first": first,
                    "count": min(NOISE_BATCH, total - first),
                    "seed": seed,
                    "speech": [sentences[i] for i in order[:BABBLE_VOICES]],
                    "split": split,
                    "length_s": NOISE_LENGTH_S,
                    "kinds": list(NOISE_KINDS),
                }
            )
    return rows
