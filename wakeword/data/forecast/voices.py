"""A few clips of a phrase, and a few minutes of other sentences, by the fastest engines, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wakeword.audio.io import resample, write_flac
from wakeword.config import Config, WordConfig
from wakeword.data.forecast.negatives import Listed
from wakeword.data.synthesis import load_engine
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, stable_seed
from wakeword.data.synthesis.reading import engine_input, unable_of
from wakeword.data.synthesis.roster import speakers_of
from wakeword.data.synthesis.sentences import says, sentences
from wakeword.data.synthesis.stage import trimmed
from wakeword.errors import MissingExtraError
from wakeword.system.files import user_cache

Audio = NDArray[np.float32]

ENGINES = ("pico", "hibari", "espeak")
"""The fastest engines, those first whose voices a phoneme recogniser understands best; two of them speak."""
SPEAKERS = 2
RATES, PITCHES = (0.85, 1.2), (-1.5, 1.5)
SENTENCES = 160
"""Sentences that are read where no recordings are at hand: about six minutes."""


@dataclass(frozen=True)
class OwnClips:
    """Clips `(samples,)` of the phrase, the engines that spoke them, and sentences on those that could not."""

    clips: list[Audio] = field(default_factory=list)
    engines: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def fast_engines(language: str) -> list[Engine]:
    """Up to `SPEAKERS` installed engines of `ENGINES` that speak a language."""
    found: list[Engine] = []
    for spec in ENGINES:
        try:
            engine = load_engine(spec)
        except MissingExtraError:
            continue
        if engine.speaks(language) and len(found) < SPEAKERS:
            found.append(engine)
    return found


def own_clips(config: Config, word: WordConfig, count: int) -> OwnClips:
    """`count` clips of a phrase, spread over voices, rates and pitches."""
    language = config.synthesis.language
    unable = unable_of(config, word) if speakers_of(config.synthesis) else {}
    engines = [engine for engine in fast_engines(language) if engine.spec not in unable]
    clips: list[Audio] = []
    faults: list[str] = [f"{spec}: {fault}" for spec, fault in unable.items()]
    for engine in engines:
        voices = _steady(engine.voices(language))
        phonemes, texts = engine_input(word, engine, language)
        number = -(-count // len(engines))
        for turn in range(number):
            text = texts[turn % len(texts)] if texts else word.text
            try:
                clips.append(_said(engine, text, voices, turn, number, phonemes))
            except SpeechError as error:
                faults.append(f"{engine.spec}: {error}")
    return OwnClips(clips, tuple(engine.spec for engine in engines), tuple(dict.fromkeys(faults)))


def read_sentences(language: str, phrases: Sequence[str]) -> Listed:
    """Built-in sentences of a language read by the fast engines: files in the user's cache; empty where none can."""
    pool = sentences(language)[:SENTENCES]
    engines = fast_engines(language)
    uris, texts, holding = [], [], 0
    for turn, text in enumerate(pool if engines else ()):
        if any(says(text, phrase) for phrase in phrases):
            holding += 1
            continue
        engine = engines[turn % len(engines)]
        name = stable_seed("sentence", engine.spec, engine.identity(), language, text)
        path = user_cache() / "sentences" / f"{name:010d}.flac"
        if not path.is_file():
            try:
                audio = _said(engine, text, _steady(engine.voices(language)), turn, len(pool), "")
            except SpeechError:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            write_flac(path, audio)
        uris.append(str(path))
        texts.append(text)
    return Listed(tuple(uris), tuple(texts), holding)


def _said(engine: Engine, text: str, voices: list[Voice], turn: int, turns: int, phonemes: str) -> Audio:
    """One utterance, in the voice and manner of its turn."""
    voice = voices[turn * max(1, len(voices) // turns) % len(voices)]
    share = ((turn + 0.5) * 0.618034) % 1.0
    rate = RATES[0] + (RATES[1] - RATES[0]) * (turn + 0.5) / turns
    pitch = PITCHES[0] + (PITCHES[1] - PITCHES[0]) * share
    audio, rate_hz = engine.speak(text, voice.name, rate, pitch, stable_seed(text, turn), phonemes)
    return trimmed(resample(audio, rate_hz)).astype(np.float32)


def _steady(voices: list[Voice]) -> list[Voice]:
    """The voices of the language's main accent: the first one in the list."""
    accent = voices[0].accent
    return [voice for voice in voices if voice.accent == accent]
