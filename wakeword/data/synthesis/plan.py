"""Who says what: every utterance is decided by the seed before anything is spoken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from wakeword.config import Config
from wakeword.config.data import SplitConfig
from wakeword.config.synthesis import SynthesisConfig
from wakeword.data.splits import draw
from wakeword.data.synthesis import Engine, load_engine
from wakeword.data.synthesis.engine import Voice, stable_seed
from wakeword.data.synthesis.near_misses import near_misses
from wakeword.data.synthesis.sentences import draw_text
from wakeword.errors import DataError

UTTERANCE_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("engine", pa.string()),
        ("voice", pa.string()),
        ("speaker", pa.string()),
        ("text", pa.string()),
        ("rate", pa.float64()),
        ("pitch", pa.float64()),
        ("seed", pa.int64()),
        ("kind", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
    ]
)
HELD_OUT_SHARE = 0.5
"""Share of the test split that held-out engines speak."""
NEAR_MISS_TEXTS = 60


@dataclass(frozen=True)
class Cast:
    """Voices of one split: by engine, and how often each engine is taken."""

    voices: dict[str, list[Voice]]
    shares: dict[str, float]


@cache
def _engine(spec: str) -> Engine:
    """Planning asks an engine several times; reading its voices is not free."""
    return load_engine(spec)


def plan_identity(config: SynthesisConfig) -> str:
    """Versions of the engines in use: another version speaks differently.

    Raises:
        MissingExtraError: an engine is not installed.
    """
    return ";".join(f"{spec}={_engine(spec).identity()}" for spec in sorted({*config.engines, *config.hold_out}))


def cast_voices(config: SynthesisConfig, splits: SplitConfig) -> dict[str, Cast]:
    """Voices of each split; nobody is heard in two of them.

    The speakers of an engine are ordered by hash; val and test take their shares of them (at least one each where the
    engine has three or more speakers, none otherwise). A blend of speakers of different splits is not used at all.

    Raises:
        DataError: a split that shall have clips has no voice.
    """
    found: dict[str, dict[str, list[Voice]]] = {"train": {}, "val": {}, "test": {}}
    for spec in config.engines:
        voices = _engine(spec).voices()
        home = _homes(voices, splits)
        for voice in voices:
            homes = {home[speaker] for speaker in voice.speakers}
            if len(homes) == 1:
                found[homes.pop()].setdefault(spec, []).append(voice)
    casts = {}
    for split, by_engine in found.items():
        shares = {spec: config.engines[spec] for spec in by_engine}
        if split == "test" and config.hold_out:
            held = {spec: _engine(spec).voices() for spec in config.hold_out}
            total = sum(shares.values())
            own = (1 - HELD_OUT_SHARE) / total if total else 0.0
            shares = {spec: share * own for spec, share in shares.items()}
            shares |= {spec: HELD_OUT_SHARE / len(held) for spec in held}
            by_engine = {**by_engine, **held}
        if not by_engine and (split == "train" or getattr(splits, split) > 0):
            raise DataError(
                f"synthesis: the engines {', '.join(config.engines)} have too few voices to give {split} one of "
                f"its own: add an engine with many voices (espeak), or set data.splits.{split} to 0"
            )
        casts[split] = Cast(by_engine, shares)
    return casts


def _homes(voices: list[Voice], splits: SplitConfig) -> dict[str, str]:
    engine = voices[0].engine
    speakers = sorted({s for voice in voices for s in voice.speakers}, key=lambda s: (draw(f"voice:{engine}:{s}"), s))
    few = len(speakers) < 3
    counts = {
        split: 0 if few or not share else max(1, round(share * len(speakers)))
        for split, share in (("test", splits.test), ("val", splits.val))
    }
    home = dict.fromkeys(speakers, "train")
    for place, speaker in enumerate(speakers[: counts["test"] + counts["val"]]):
        home[speaker] = "test" if place < counts["test"] else "val"
    return home


def plan_utterances(config: Config) -> pa.Table:
    """All utterances of phrases, sentences and near misses: a table of `UTTERANCE_SCHEMA`, slow engines first.

    Raises:
        DataError: too few voices for the splits.
        MissingExtraError: an engine is not installed.
    """
    synthesis, phrases = config.synthesis, [word.text for word in config.words]
    casts = cast_voices(synthesis, config.data.splits)
    slow = {spec for spec in (*synthesis.engines, *synthesis.hold_out) if _engine(spec).slow}
    rows = []
    for word in config.words:
        for split, count in _per_split(synthesis.clips_per_word, config.data.splits).items():
            for number in range(count):
                row, _ = _drawn(synthesis, casts[split], split, f"word:{word.label}:{number}")
                rows.append({**row, "kind": "wakeword", "label": word.label, "text": word.text})
    for split, count in _per_split(synthesis.speech_clips, config.data.splits).items():
        for number in range(count):
            row, chance = _drawn(synthesis, casts[split], split, f"speech:{number}")
            text = draw_text(chance, phrases, short=row["engine"] in slow)
            rows.append({**row, "kind": "speech", "label": "speech", "text": text})
    if synthesis.near_miss_clips:
        rows += _near_miss_rows(config, casts)
    rows.sort(key=lambda row: (row["engine"] not in slow, row["engine"], row["key"]))
    return pa.Table.from_pylist(rows, schema=UTTERANCE_SCHEMA)


def _near_miss_rows(config: Config, casts: dict[str, Cast]) -> list[dict[str, object]]:
    rows = []
    for word in config.words:
        texts = near_misses(word.text, NEAR_MISS_TEXTS)
        for split, count in _per_split(config.synthesis.near_miss_clips, config.data.splits).items():
            for number in range(count if texts else 0):
                row, chance = _drawn(config.synthesis, casts[split], split, f"near:{word.label}:{number}")
                text = texts[int(chance.integers(len(texts)))]
                rows.append({**row, "kind": "confusable", "label": "near_miss", "text": text})
    return rows


def _per_split(count: int, splits: SplitConfig) -> dict[str, int]:
    test, val = round(count * splits.test), round(count * splits.val)
    return {"train": count - test - val, "val": val, "test": test}


def _drawn(config: SynthesisConfig, cast: Cast, split: str, key: str) -> tuple[dict[str, object], np.random.Generator]:
    seed = stable_seed(config.seed, split, key)
    chance = np.random.default_rng(seed)
    specs = sorted(cast.shares)
    shares = np.array([cast.shares[spec] for spec in specs])
    spec = specs[int(chance.choice(len(specs), p=shares / shares.sum()))]
    voices = cast.voices[spec]
    voice = voices[int(chance.integers(len(voices)))]
    row: dict[str, object] = {
        "key": f"{split}:{key}",
        "engine": spec,
        "voice": voice.name,
        "speaker": voice.speaker,
        "rate": float(chance.uniform(*config.rates)),
        "pitch": float(chance.uniform(*config.pitch_semitones)),
        "seed": seed,
        "split": split,
    }
    return row, chance


def utterance_digest(row: dict[str, object], identity: str) -> str:
    """Name of an utterance in the cache: hash of everything that its sound depends on."""
    parts = [identity, *(str(row[name]) for name in ("engine", "voice", "text", "rate", "pitch", "seed"))]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
