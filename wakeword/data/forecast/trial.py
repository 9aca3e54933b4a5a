"""Everything that is known about a phrase before training: what `wakeword try` prints."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword.config import Config, WordConfig
from wakeword.data.forecast.forecast import MOST_SPOTS, ByEar, by_ear, clip_scores
from wakeword.data.forecast.negatives import Heard, hear_negatives, list_negatives
from wakeword.data.forecast.running_speech import Stretch, nearest_stretches, resemblance, running_speech
from wakeword.data.forecast.sound_alikes import SoundAlike, sound_alikes
from wakeword.data.forecast.verdict import MANY, Verdict, verdict_on
from wakeword.data.forecast.voices import own_clips, read_sentences
from wakeword.data.synthesis.languages import is_english
from wakeword.data.synthesis.pronunciation import Phonemes, word_sounds
from wakeword.data.synthesis.recipe import make_recipe, reading_table
from wakeword.data.synthesis.sentences import says, sentences
from wakeword.data.words import spoken
from wakeword.errors import ConfigError, DataError, MissingExtraError

if TYPE_CHECKING:
    from wakeword.phonetics.recogniser import Recogniser
    from wakeword.phonetics.spotting import Spot
    from wakeword.runtime.phoneme_path import PhraseScorer

CLIPS = 24
"""Clips of the phrase."""
SHOWN = 12
"""Texts that sound like it."""


@dataclass
class Trial:
    """One phrase; `listen` fills `ear` and what belongs to it.

    Attributes:
        config: a recipe for it.
        sounds: its pronunciations.
        guessed: language inferred from the script, or empty.
        stretches, alikes: the texts that sound most like it.
        notes: which part handles the language, and what is missing, one sentence each.
        bar: least score of an event.
        heard_what: the negatives in words.
    """

    config: Config
    sounds: list[Phonemes]
    guessed: str
    stretches: list[Stretch]
    alikes: list[SoundAlike]
    notes: list[str]
    bar: float = 0.0
    heard_what: str = ""
    holding: int = 0
    _ear: ByEar | None = None
    _heard: Heard | None = None
    _tools: tuple[Recogniser, PhraseScorer] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, phrase: str, language: str | None, overrides: list[str]) -> Trial:
        """Read a phrase and compare it with texts.

        Raises:
            ConfigError: the phrase has no letters, or no pronunciation is known.
            MissingExtraError: espeak is not installed.
        """
        recipe = make_recipe(phrase, "phrase", language, overrides)
        tag, word = recipe.config.synthesis.language, recipe.config.words[0]
        notes: list[str] = []
        sounds = _sounds(word, tag, notes)
        speech = running_speech(tag)
        if not speech.phonemes:
            notes.append(f"there are no built-in sentences in {tag}: no text is compared with the phrase")
        alikes: list[SoundAlike] = []
        if min(map(len, sounds)) > MANY:
            notes.append(f"no two words sound like more than {MANY} phonemes: the dictionary is not searched")
        elif is_english(tag):
            try:
                alikes = sound_alikes(sounds, spoken(word.text), SHOWN)
            except ConfigError:
                notes.append("sound-alikes need pocketsphinx: `pip install 'wakeword[mining]'`")
        else:
            notes.append(f"the dictionary of sound-alikes is English: in {tag} sentences alone are searched")
        holding = sum(says(sentence, word.text) for sentence in sentences(tag))
        return cls(
            config=recipe.config,
            sounds=sorted(sounds),
            guessed=recipe.guessed,
            stretches=nearest_stretches(sounds, speech, SHOWN),
            alikes=alikes,
            notes=notes,
            holding=holding,
        )

    @property
    def word(self) -> WordConfig:
        """The phrase as a word of a recipe."""
        return self.config.words[0]

    @property
    def phrase(self) -> str:
        """Its text."""
        return self.word.text

    @property
    def ear(self) -> ByEar:
        """The forecast by ear; `listen` must have been called."""
        assert self._ear is not None
        return self._ear

    def reading(self) -> tuple[list[tuple[str, ...]], list[str]]:
        """How the engines read it, and remarks; without engines for it, the reason."""
        try:
            return reading_table(self.config)
        except (ConfigError, MissingExtraError) as error:
            return [], [f"the voices of the recipe cannot say it: {error}"]

    def listen(self, negatives: str | None, most_s: float, bar: float | None) -> None:
        """Listen to the phrase's own clips and to negatives.

        Args:
            negatives: as `negatives.list_negatives`; None takes sentences that fast voices read.
            most_s: seconds of the negatives; 0 for all.
            bar: least score of an event; None takes the forecast's.

        Raises:
            ConfigError: the recogniser has no sound near one of the phrase.
            MissingExtraError: the recogniser is not installed.
            DataError: the negatives are absent or cannot be read.
        """
        import torch

        from wakeword.phonetics.phrase import phrase_scorer, stand_ins
        from wakeword.phonetics.recogniser import open_recogniser

        if bar is not None and bar > 0:
            raise ConfigError(f"--bar is a score of at most 0 (the phrase itself), got {bar:g}")
        torch.set_num_threads(1)
        language = self.config.synthesis.language
        recogniser = open_recogniser()
        for sound, other in stand_ins(self.sounds, recogniser).items():
            self.notes.append(f"the recogniser has no {sound}: {other} stands for it")
        scorer = phrase_scorer(self.sounds, recogniser, language)
        self._tools = (recogniser, scorer)
        own = own_clips(self.config, self.word, CLIPS)
        if negatives:
            listed, self.heard_what = list_negatives(negatives, self.config.words), negatives
        else:
            listed = read_sentences(language, [self.phrase])
            self.heard_what = f"sentences that fast voices read in {language}"
        if not listed.uris:
            raise DataError(
                f"no voice reads sentences in {language}: give recordings with --negatives FOLDER, or --text-only"
            )
        self.holding += listed.holding if negatives else 0
        self._heard = hear_negatives(recogniser, recogniser.fingerprint, listed, most_s)
        self._ear = by_ear(scorer, self._heard, clip_scores(recogniser, scorer, own.clips))
        self.bar = self._ear.bar if bar is None else bar

    def events(self, file: str) -> list[Spot]:
        """Stretches of a recording that say the phrase, in order of time.

        Raises:
            DataError: it cannot be read.
        """
        import numpy as np

        from wakeword.audio.io import stream_blocks
        from wakeword.phonetics.listening import hear_blocks
        from wakeword.phonetics.spotting import spots

        assert self._tools is not None
        recogniser, scorer = self._tools
        heard = np.concatenate(list(hear_blocks(recogniser, stream_blocks(file, 10.0))))
        found = spots(scorer, heard, recogniser.rate_hz, MOST_SPOTS, np.asarray([len(heard)]))
        return sorted((one for one in found if one.score >= self.bar), key=lambda one: one.end_s)

    def nearest(self, most: int) -> list[tuple[str, float, float, str]]:
        """Recording, second, score and transcript of what sounds most like it in the negatives."""
        assert self._heard is not None
        found = []
        for spot in self.ear.nearest[:most]:
            number, at_s = self._heard.place(spot.end_s)
            found.append((Path(self._heard.uris[number]).name, at_s, spot.score, self._heard.texts[number][:70]))
        return found

    def verdict(self) -> Verdict:
        """The verdict from everything that is known."""
        ear = self._ear
        language = self.config.synthesis.language
        return verdict_on(
            spoken(self.phrase),
            set(self.sounds),
            resemblance(set(self.sounds), language),
            ear.per_hour if ear else None,
            ear.hours if ear else 0.0,
            self.alikes,
            self.holding,
        )


def _sounds(word: WordConfig, language: str, notes: list[str]) -> set[Phonemes]:
    """Pronunciations from the CMU dictionary, where it serves, and from espeak.

    Raises:
        ConfigError: none is known.
    """
    english = is_english(language)
    try:
        sounds = word_sounds(word, "cmu" if english else "espeak", language)
    except ConfigError:
        sounds = word_sounds(word, "espeak", language)
    except ImportError as error:
        raise MissingExtraError("Reading a phrase", "tts", error) from error
    if not sounds:
        raise ConfigError(
            f"no pronunciation of {word.text!r} is known in the language {language}: give another --language, or how "
            "it sounds with --phonemes IPA"
        )
    if not english:
        notes.append(f"espeak reads the phrase in {language}; the recogniser was measured on English alone")
    return sounds
