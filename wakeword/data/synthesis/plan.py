"""The plan of synthesis: the seed determines every utterance before anything is synthesised."""

from __future__ import annotations

import hashlib
import math

import pyarrow as pa

from wakeword.config import Config, WordConfig
from wakeword.config.data import SplitConfig
from wakeword.config.synthesis import SynthesisConfig
from wakeword.data.synthesis.carriers import carriers_by_split
from wakeword.data.synthesis.confusables import DISTANCES, Confusable, confusables
from wakeword.data.synthesis.espeak import phonemes, speakable
from wakeword.data.synthesis.languages import is_english
from wakeword.data.synthesis.negatives import negative_utterances
from wakeword.data.synthesis.other_languages import Language, SpeechDeal, other_languages
from wakeword.data.synthesis.pronunciation import split_ipa
from wakeword.data.synthesis.reading import check_phonemes, engine_input, unable_of
from wakeword.data.synthesis.roster import Cast, Deal, cast_voices, casts_without, engine_of, speakers_of
from wakeword.data.synthesis.sentences import draw_text, own_texts_of, pool_of, require_free, texts_identity
from wakeword.errors import ConfigError

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
        ("respelling", pa.string()),
        ("phonemes", pa.string()),
        ("resembles", pa.string()),
        ("phoneme_distance", pa.int32()),
        ("way", pa.string()),
        ("gender", pa.string()),
        ("accent", pa.string()),
        ("carrier", pa.string()),
        ("sounds", pa.string()),
        ("language", pa.string()),
    ]
)
"""`text` is the text in the manifest; `respelling` or `phonemes`, where not empty, is the engine's input instead.
`resembles`, `phoneme_distance` and `way` describe a confusable, `gender` and `accent` the voice. `carrier` is the
sentence around a phrase; `sounds` are the phonemes of the engine's input without the carrier. `language`: of the
text."""
PLAN_VERSION = 5
"""Incremented when a config gives another plan."""
CARRIER_VERSION = 1
"""Incremented when the parts of a sentence are joined differently."""


def plan_identity(config: SynthesisConfig) -> str:
    """Versions of the plan and the engines, and a hash of the sentence file: what synthetic clips depend on.

    Raises:
        MissingExtraError: an engine is not installed.
    """
    languages = [config, *(one.config for one in other_languages(config, SplitConfig()))]
    specs = {spec for one in languages for spec in speakers_of(one)}
    engines = [f"{spec}={engine_of(config, spec).identity()}" for spec in sorted(specs)]
    texts = texts_identity(config)
    return ";".join([f"plan={PLAN_VERSION}", *engines, *([f"sentences={texts}"] if texts else [])])


def plan_utterances(config: Config) -> pa.Table:
    """Plan all utterances of phrases, sentences and near misses: a table of `UTTERANCE_SCHEMA`, slow engines first.

    Raises:
        ConfigError: no engine speaks the phonemes of a word, or no text has a requested near-miss distance.
        DataError: too few voices for the splits.
        MissingExtraError: an engine is not installed.
    """
    synthesis, phrases = config.synthesis, [word.text for word in config.words]
    check_phonemes(config)
    casts = cast_voices(synthesis, config.data.splits)
    by_word = {word.label: _casts_for(config, word, casts) for word in config.words}
    rows: list[dict[str, object]] = []
    for word in config.words:
        carriers = _carriers(config, word)
        for split, count in _per_split(synthesis.clips_per_word, config.data.splits).items():
            deal = Deal(synthesis, by_word[word.label][split], split, f"word:{word.label}")
            for number in range(count):
                row, _ = deal.next()
                given = _engine_input(config, word, str(row["engine"]), number)
                rows.append({**row, "kind": "wakeword", "label": word.label, "text": word.text, **given})
                rows[-1]["carrier"] = _carrier(synthesis.carrier_share, carriers.get(split, []), number)
    languages = [Language(synthesis, casts, pool_of(synthesis)), *other_languages(synthesis, config.data.splits)]
    rows += _speech_rows(config, languages, phrases)
    rows += negative_utterances(languages, phrases)
    rows += _near_miss_rows(config, by_word)
    slow = {spec for spec in {str(row["engine"]) for row in rows} if engine_of(synthesis, spec).slow}
    rows.sort(key=lambda row: (row["engine"] not in slow, row["engine"], row["key"]))
    _add_sounds(rows)
    return pa.Table.from_pylist(rows, schema=UTTERANCE_SCHEMA)


def _speech_rows(config: Config, languages: list[Language], phrases: list[str]) -> list[dict[str, object]]:
    """Sentences without the phrases, by the same voices, and those of the other languages."""
    synthesis, pool = config.synthesis, languages[0].pool
    if pool is not None and synthesis.speech_clips:
        require_free(pool, phrases, synthesis.sentences or f"the built-in list of {synthesis.language}")
    rows: list[dict[str, object]] = []
    for split, count in _per_split(synthesis.speech_clips, config.data.splits).items():
        deal = SpeechDeal(languages, split, "speech")
        for _ in range(count):
            row, chance, language = deal.next()
            short = engine_of(synthesis, str(row["engine"])).slow
            text = draw_text(chance, phrases, short=short, pool=language.pool)
            rows.append({**row, "kind": "speech", "label": "speech", "text": text})
    return rows


def _casts_for(config: Config, word: WordConfig, casts: dict[str, Cast]) -> dict[str, Cast]:
    """The casts without the engines that cannot read a word.

    Raises:
        ConfigError: no voice is left in a split.
    """
    unable = unable_of(config, word)
    if not unable:
        return casts
    able = casts_without(casts, unable)
    for split, count in _per_split(config.synthesis.clips_per_word, config.data.splits).items():
        if count and not able[split].shares:
            why = next(iter(unable.values()))
            raise ConfigError(
                f"words: {word.text!r} of {word.label} can be read by no voice of {split} ({why}): add "
                "an engine that reads it, or write how it sounds in words.say or words.phonemes"
            )
    return able


def _add_sounds(rows: list[dict[str, object]]) -> None:
    for language in sorted({str(row["language"]) for row in rows}):
        own = [row for row in rows if row["language"] == language]
        texts = sorted({_text_of(row) for row in own})
        sounds = dict(zip(texts, (split_ipa(ipa, language) for ipa in phonemes(texts, language)), strict=True))
        for row in own:
            given = row["phonemes"]
            row["sounds"] = " ".join(split_ipa(str(given), language) if given else sounds[_text_of(row)])


def _text_of(row: dict[str, object]) -> str:
    return str(row["respelling"] or row["text"])


def _carriers(config: Config, word: WordConfig) -> dict[str, list[str]]:
    synthesis = config.synthesis
    if not synthesis.carrier_share:
        return {}
    return carriers_by_split(word, config.words, synthesis.carriers, synthesis.seed)


def _carrier(share: float, templates: list[str], number: int) -> str:
    """The template of clip `number`, in turn; empty for a clip without one. Exactly `share` of the clips have one."""
    before, after = math.floor(number * share), math.floor((number + 1) * share)
    return templates[before % len(templates)] if after > before else ""


def _engine_input(config: Config, word: WordConfig, spec: str, number: int) -> dict[str, object]:
    phonemes, texts = engine_input(word, engine_of(config.synthesis, spec), config.synthesis.language)
    return {"respelling": texts[number % len(texts)] if word.say and texts else "", "phonemes": phonemes}


def _near_miss_rows(config: Config, casts: dict[str, dict[str, Cast]]) -> list[dict[str, object]]:
    """Near misses: train has the configured distances, val and test have other texts at all distances.

    Raises:
        ConfigError: no text has a distance that is configured for train.
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
        found = confusables(
            word, config.words, synthesis.pronunciations, synthesis.seed, synthesis.language, own_texts_of(synthesis)
        )
        for split, (count, shares) in wanted.items():
            texts = _dealt([one for one in found if one.trains == (split == "train")], count, shares)
            if split == "train" and count and not texts:
                raise ConfigError(
                    f"synthesis.near_miss_shares: no text lies {' or '.join(map(str, shares))} phonemes from "
                    f"{word.text!r}: choose other distances, or set synthesis.near_miss_clips to 0"
                )
            deal = Deal(synthesis, casts[word.label][split], split, f"near:{word.label}")
            for one in texts:
                row, _ = deal.next()
                near: dict[str, object] = {
                    "resembles": word.label,
                    "phoneme_distance": one.phoneme_distance,
                    "way": one.way,
                }
                if one.way == "spelling" and _spoken_by_sound(synthesis, str(row["engine"]), one.ipa):
                    # Engines read invented spellings differently, some as the phrase itself.
                    near["phonemes"] = one.ipa
                rows.append({**row, "kind": "confusable", "label": "near_miss", "text": one.text, **near})
    return rows


def _spoken_by_sound(synthesis: SynthesisConfig, spec: str, ipa: str) -> bool:
    """True in English only; in other languages the engines that take phonemes read texts by espeak's rules anyway."""
    engine, english = engine_of(synthesis, spec), is_english(synthesis.language)
    return english and engine.speaks_phonemes(synthesis.language) and speakable(ipa, synthesis.language)


def _dealt(texts: list[Confusable], count: int, shares: dict[int, float]) -> list[Confusable]:
    """`count` texts by the shares of the distances that have texts, each class in order from its first text."""
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


def utterance_digest(row: dict[str, object], identity: str) -> str:
    """File name of an utterance in the cache: a hash of everything that its audio depends on."""
    given = row["phonemes"] or _text_of(row)
    parts = [identity, *(str(part) for part in (row["engine"], row["voice"], given))]
    parts += [str(row[name]) for name in ("rate", "pitch", "seed")]
    parts += [f"{CARRIER_VERSION} {row['carrier']}"] if row["carrier"] else []
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
