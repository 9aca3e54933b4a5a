"""Who says what: every utterance is decided by the seed before anything is spoken."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from wakeword.config import Config, WordConfig
from wakeword.config.data import SplitConfig
from wakeword.config.synthesis import CommandConfig, SynthesisConfig
from wakeword.data.splits import draw
from wakeword.data.synthesis import Engine, load_engine
from wakeword.data.synthesis.carriers import carriers_by_split
from wakeword.data.synthesis.confusables import DISTANCES, Confusable, confusables
from wakeword.data.synthesis.engine import Voice, stable_seed
from wakeword.data.synthesis.espeak import ipa_to_mnemonics
from wakeword.data.synthesis.sentences import draw_text
from wakeword.errors import ConfigError, DataError

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
        ("said", pa.string()),
        ("phonemes", pa.string()),
        ("resembles", pa.string()),
        ("distance", pa.int32()),
        ("way", pa.string()),
        ("carrier", pa.string()),
    ]
)
"""`text` is what the manifest says, `said` and `phonemes` (where not empty) what the engine is given instead;
`resembles`, `distance` and `way` are those of a confusable, `carrier` the sentence that a phrase is said in."""
PLAN_VERSION = 2
"""Raised when the same config would plan other utterances."""
CARRIER_VERSION = 1
"""Raised when the parts of a sentence are joined in another way."""
HELD_OUT_SHARE = 0.5
"""Share of the test split that held-out engines speak."""


@dataclass(frozen=True)
class Cast:
    """Voices of one split: by engine, and how often each engine is taken."""

    voices: dict[str, list[Voice]]
    shares: dict[str, float]


def _engine(config: SynthesisConfig, spec: str) -> Engine:
    name = spec.partition(":")[2]
    return _loaded(spec, name, config.commands.get(name))


@cache
def _loaded(spec: str, name: str, command: CommandConfig | None) -> Engine:
    """Planning asks an engine several times; reading its voices is not free."""
    return load_engine(spec, {name: command} if command else None)


def plan_identity(config: SynthesisConfig) -> str:
    """Versions of the engines in use: another version speaks differently.

    Raises:
        MissingExtraError: an engine is not installed.
    """
    engines = [f"{spec}={_engine(config, spec).identity()}" for spec in sorted({*config.engines, *config.hold_out})]
    return ";".join([f"plan={PLAN_VERSION}", *engines])


def cast_voices(config: SynthesisConfig, splits: SplitConfig) -> dict[str, Cast]:
    """Voices of each split; nobody is heard in two of them.

    The speakers of an engine are ordered by hash; val and test take their shares of them (at least one each where the
    engine has three or more speakers, none otherwise). A blend of speakers of different splits is not used at all.

    Raises:
        DataError: a split that shall have clips has no voice.
    """
    found: dict[str, dict[str, list[Voice]]] = {"train": {}, "val": {}, "test": {}}
    for spec in config.engines:
        voices = _engine(config, spec).voices()
        home = _homes(voices, splits)
        for voice in voices:
            homes = {home[speaker] for speaker in voice.speakers}
            if len(homes) == 1:
                found[homes.pop()].setdefault(spec, []).append(voice)
    casts = {}
    for split, by_engine in found.items():
        shares = {spec: config.engines[spec] for spec in by_engine}
        if split == "test" and config.hold_out:
            held = {spec: _engine(config, spec).voices() for spec in config.hold_out}
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
        ConfigError: phonemes of a word that no engine speaks, or distances of near misses without a text.
        DataError: too few voices for the splits.
        MissingExtraError: an engine is not installed.
    """
    synthesis, phrases = config.synthesis, [word.text for word in config.words]
    _check_phonemes(config)
    casts = cast_voices(synthesis, config.data.splits)
    slow = {spec for spec in (*synthesis.engines, *synthesis.hold_out) if _engine(synthesis, spec).slow}
    rows: list[dict[str, object]] = []
    for word in config.words:
        carriers = _carriers(config, word)
        for split, count in _per_split(synthesis.clips_per_word, config.data.splits).items():
            for number in range(count):
                row, _ = _drawn(synthesis, casts[split], split, f"word:{word.label}:{number}")
                said = _said(word, _engine(synthesis, str(row["engine"])), number)
                rows.append({**row, "kind": "wakeword", "label": word.label, "text": word.text, **said})
                rows[-1]["carrier"] = _carrier(synthesis.carrier_share, carriers.get(split, []), number)
    for split, count in _per_split(synthesis.speech_clips, config.data.splits).items():
        for number in range(count):
            row, chance = _drawn(synthesis, casts[split], split, f"speech:{number}")
            text = draw_text(chance, phrases, short=row["engine"] in slow)
            rows.append({**row, "kind": "speech", "label": "speech", "text": text})
    rows += _near_miss_rows(config, casts)
    rows.sort(key=lambda row: (row["engine"] not in slow, row["engine"], row["key"]))
    return pa.Table.from_pylist(rows, schema=UTTERANCE_SCHEMA)


def _check_phonemes(config: Config) -> None:
    specs = (*config.synthesis.engines, *config.synthesis.hold_out)
    for word in (word for word in config.words if word.phonemes):
        ipa_to_mnemonics(word.phonemes)
        if not word.say and not any(_engine(config.synthesis, spec).takes_phonemes for spec in specs):
            raise ConfigError(
                f"words.phonemes of {word.label}: none of the engines {', '.join(specs)} takes phonemes: give "
                "respellings in words.say, or add the engine espeak"
            )


def _carriers(config: Config, word: WordConfig) -> dict[str, list[str]]:
    synthesis = config.synthesis
    if not synthesis.carrier_share:
        return {}
    return carriers_by_split(word, config.words, synthesis.carriers, synthesis.seed)


def _carrier(share: float, templates: list[str], number: int) -> str:
    """The exact share, spread over the numbers; each template in turn."""
    before, after = math.floor(number * share), math.floor((number + 1) * share)
    return templates[before % len(templates)] if after > before else ""


def _said(word: WordConfig, engine: Engine, number: int) -> dict[str, object]:
    if word.phonemes and engine.takes_phonemes:
        return {"said": "", "phonemes": word.phonemes}
    return {"said": word.say[number % len(word.say)] if word.say else "", "phonemes": ""}


def _near_miss_rows(config: Config, casts: dict[str, Cast]) -> list[dict[str, object]]:
    """Training hears the distances that the config asks for, val and test all alike, and other texts.

    Raises:
        ConfigError: no text lies at a distance that training asks for.
    """
    synthesis, splits = config.synthesis, config.data.splits
    rows: list[dict[str, object]] = []
    alike = dict.fromkeys(DISTANCES, 1.0)
    wanted = {"train": (synthesis.near_miss_clips, synthesis.near_miss_shares)} | {
        split: (synthesis.near_miss_test_clips if getattr(splits, split) else 0, alike) for split in ("val", "test")
    }
    if not any(count for count, _ in wanted.values()):
        return rows
    for word in config.words:
        found = confusables(word, config.words, synthesis.pronunciations, synthesis.seed)
        for split, (count, shares) in wanted.items():
            texts = _dealt([one for one in found if one.trains == (split == "train")], count, shares)
            if split == "train" and count and not texts:
                raise ConfigError(
                    f"synthesis.near_miss_shares: no text lies {' or '.join(map(str, shares))} phonemes from "
                    f"{word.text!r}: ask for other distances, or set synthesis.near_miss_clips to 0"
                )
            for number, one in enumerate(texts):
                row, _ = _drawn(synthesis, casts[split], split, f"near:{word.label}:{number}")
                near: dict[str, object] = {"resembles": word.label, "distance": one.distance, "way": one.way}
                if one.way == "spelling" and _engine(synthesis, str(row["engine"])).takes_phonemes:
                    # Engines read an invented spelling each in their own way, some as the phrase itself.
                    near["phonemes"] = one.ipa
                rows.append({**row, "kind": "confusable", "label": "near_miss", "text": one.text, **near})
    return rows


def _dealt(texts: list[Confusable], count: int, shares: dict[int, float]) -> list[Confusable]:
    """`count` texts by the shares of the distances that have any, each class in turn from its first text on."""
    by_near = {near: [one for one in texts if one.near == near] for near in shares}
    held = {near: share for near, share in shares.items() if share and by_near[near]}
    total, edge, dealt = sum(held.values()), 0.0, []
    for near, share in held.items():
        before, edge = round(count * edge / total), edge + share
        number = round(count * edge / total) - before
        dealt += [by_near[near][i % len(by_near[near])] for i in range(number)]
    return dealt


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
        **dict.fromkeys(("said", "phonemes", "resembles", "way", "carrier"), ""),
        "distance": None,
    }
    return row, chance


def utterance_digest(row: dict[str, object], identity: str) -> str:
    """Name of an utterance in the cache: hash of everything that its sound depends on."""
    said = row["phonemes"] or row["said"] or row["text"]
    parts = [identity, *(str(part) for part in (row["engine"], row["voice"], said))]
    parts += [str(row[name]) for name in ("rate", "pitch", "seed")]
    parts += [f"{CARRIER_VERSION} {row['carrier']}"] if row["carrier"] else []
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
