"""Text to speech: positives from the phrase, and speech that is not the phrase."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from wakeword.config.base import Section, UserPath

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
"""What stands in a command's arguments, and in a carrier sentence, for something to fill in."""
COMMAND_VALUES = ("text", "voice", "out", "rate", "length", "wpm", "seed")
ENGLISH = "en"
_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8})*")


def plain_tag(tag: str) -> str:
    """A language tag in lower case with hyphens: `en_US` becomes `en-us`."""
    return tag.strip().lower().replace("_", "-")


def _told_tag(value: Any) -> Any:
    """YAML 1.1 reads the tag of Norwegian as false."""
    return "no" if value is False else value


def checked_tag(tag: str) -> str:
    """The tag as it is.

    Raises:
        ValueError: it is no language tag.
    """
    if not _TAG.fullmatch(plain_tag(tag)):
        raise ValueError(f"{tag!r} is no language tag: write a code such as en, en-gb, de, fr, es, ru or zh")
    return tag


CARRIERS = (
    "{phrase}, turn on the light",
    "{phrase}, what time is it",
    "{phrase}, play some music",
    "{phrase}, stop",
    "{phrase}, are you there",
    "{phrase}, tell me a joke",
    "ok, {phrase}, set a timer for ten minutes",
    "so, {phrase}, what is the weather like",
    "excuse me, {phrase}, call my sister",
    "please, {phrase}, open the door",
    "well, {phrase}, next song",
    "wait, {phrase}, not now",
    "good morning, {phrase}",
    "thank you, {phrase}",
    "can you hear me, {phrase}",
    "turn it down, {phrase}",
)


class CommandConfig(Section):
    """A program that speaks: it is started once an utterance, with a list of arguments and without a shell."""

    argv: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments; filled in: `{text}` (without it the text comes on standard input), `{voice}`,
    `{out}` (the WAV, FLAC, Ogg or MP3 to write; without it standard output is taken), `{rate}` (times normal),
    `{length}` (1 / rate), `{wpm}` (words per minute, 160 at rate 1), `{seed}`."""
    voices: tuple[str, ...] = Field(("default",), min_length=1)
    """What `{voice}` can be; each is one speaker, and no speaker is heard in two splits."""
    timeout_s: float = Field(60.0, gt=0)
    """A program that takes longer for one text is ended, and the text counts as unspoken."""
    slow: bool = False
    """True: of other speech it is given short texts only."""
    languages: tuple[str, ...] = ()
    """Tags of the languages that it speaks, such as `[de, fr]`; empty: whatever `synthesis.language` names."""

    @field_validator("languages", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return [_told_tag(tag) for tag in value] if isinstance(value, list | tuple) else value

    @field_validator("languages")
    @classmethod
    def _tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_tag(tag) for tag in value)

    @model_validator(mode="after")
    def _filled(self) -> CommandConfig:
        named = {name for part in self.argv for name in PLACEHOLDER.findall(part)}
        unknown = sorted(named - set(COMMAND_VALUES))
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in COMMAND_VALUES)
            raise ValueError(f"argv: {{{unknown[0]}}} cannot be filled in; there are: {known}")
        if len(self.voices) > 1 and "voice" not in named:
            raise ValueError("voices names several, but argv has no {voice}: all would be one and the same voice")
        if len(set(self.voices)) < len(self.voices):
            raise ValueError(f"voices names one twice in {list(self.voices)}")
        return self


class SynthesisConfig(Section):
    """Engines register themselves in `wakeword.data.synthesis`; a missing one is named with its install command."""

    enabled: bool = False
    language: str = ENGLISH
    """Language of the phrases: a tag such as `en`, `en-gb`, `de`, `fr`, `ru` or `zh`. Engines that do not speak it are
    left out with a warning; `en` takes every English accent, `en-gb` British ones."""
    engines: dict[str, float] = Field({"espeak": 0.6, "piper": 0.36, "kokoro": 0.04})
    """Engine to its share of the clips of train and val. `piper:/path/voice.onnx` speaks with any Piper voice.
    espeak has many robotic timbres and is fast; kokoro sounds best and takes seconds a clip."""
    leave_out_missing: bool = False
    """An engine of `engines` that is not installed is left out with a warning, and the others speak its share; off, it
    is an error. Only while one of them is there."""
    commands: dict[str, CommandConfig] = Field(default_factory=dict)
    """Programs that speak, by name: `command:NAME` in `engines` or `hold_out` is one of them."""
    hold_out: tuple[str, ...] = ("hibari",)
    """Engines whose voices speak only in the test split (half of it): training hears nothing of theirs."""
    clips_per_word: int = Field(400, ge=1)
    """Utterances of each phrase, over all splits (`data.splits` gives the shares)."""
    speech_clips: int = Field(400, ge=0)
    """Sentences that do not hold the phrase, spoken by the same voices."""
    sentences: UserPath = ""
    """A UTF-8 text file with a sentence a line for `speech_clips` and near misses; empty takes the built-in ones, which
    are there for the languages that docs/explanation/voices.md names, and English ones for the others."""
    carrier_share: float = Field(0.0, ge=0, le=1)
    """Share of the wake-word clips that are spoken within a sentence; the rest is the phrase alone."""
    carriers: tuple[str, ...] = CARRIERS
    """The sentences, `{phrase}` standing for the phrase; half of them serve training, the others val and test."""
    near_miss_clips: int = Field(0, ge=0)
    """Phrases that sound alike, as negatives in training, for each word. Costly on real voices: see
    docs/explanation/voices.md."""
    near_miss_shares: dict[int, float] = Field({3: 1.0})
    """Distance in phonemes (3 stands for 3 and more) to its share of `near_miss_clips`."""
    near_miss_test_clips: int = Field(60, ge=0)
    """Phrases that sound alike for each word in val, and as many in test: other texts, spread evenly over distances,
    so that every report says how often they fire."""
    pronunciations: Literal["espeak", "cmu"] = "espeak"
    """What tells distances: espeak's phonemes, or beside them the CMU dictionary, whose words also become texts (it
    needs the package pocketsphinx)."""
    check_words: bool = False
    """A recogniser (pocketsphinx, extra [mining]) listens to each wake word; a clip in which it hears one of twenty
    other texts rather than the phrase is left out. See docs/explanation/voices.md for what that finds and loses."""
    rates: tuple[float, float] = (0.8, 1.25)
    """Speaking rate, times normal, drawn uniformly."""
    pitch_semitones: tuple[float, float] = (-2.5, 2.5)
    """Pitch (and for neural voices the length of the vocal tract), drawn uniformly."""
    noises: int = Field(60, ge=0)
    """Synthesised noises (coloured, hum, babble) for where there are no recordings."""
    rooms: int = Field(60, ge=0)
    """Simulated room responses for where there are none."""
    seed: int = 0
    """Decides texts, voices, rates and pitches."""
    cache_dir: UserPath = ""
    """Where spoken clips are kept for later runs; empty: `synthetic/` inside the prepared folder."""

    @field_validator("language", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return _told_tag(value)

    @field_validator("language")
    @classmethod
    def _tag(cls, value: str) -> str:
        return checked_tag(value)

    @model_validator(mode="after")
    def _speaks_its_language(self) -> SynthesisConfig:
        if plain_tag(self.language).partition("-")[0] == ENGLISH:
            return self
        told = ""
        if self.carrier_share and self.carriers == CARRIERS:
            told = "carriers are the English ones: write some in that language, or set carrier_share to 0"
        if self.pronunciations == "cmu":
            told = "pronunciations: cmu is a dictionary of English: choose espeak"
        if self.check_words:
            told = "check_words listens with a recogniser of English: set it to false"
        if told:
            raise ValueError(f"language is {self.language}, but {told}")
        return self

    @model_validator(mode="after")
    def _sensible(self) -> SynthesisConfig:
        for name in ("rates", "pitch_semitones"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is a range (low, high), got {low} > {high}")
        if not 0.3 <= self.rates[0] <= self.rates[1] <= 3:
            raise ValueError(f"rates lie within 0.3 and 3, got {self.rates}")
        if not -12 <= self.pitch_semitones[0] <= self.pitch_semitones[1] <= 12:
            raise ValueError(f"pitch_semitones lie within -12 and 12, got {self.pitch_semitones}")
        if any(share <= 0 for share in self.engines.values()):
            raise ValueError(f"shares of engines are above 0, got {self.engines}")
        if not set(self.near_miss_shares) <= {1, 2, 3} or any(share <= 0 for share in self.near_miss_shares.values()):
            raise ValueError(
                f"near_miss_shares names distances 1, 2 and 3 (3 and more) with shares above 0, got "
                f"{self.near_miss_shares}"
            )
        for spec in (*self.engines, *self.hold_out):
            kind, _, name = spec.partition(":")
            if kind == "command" and name not in self.commands:
                raise ValueError(f"{spec} needs a section synthesis.commands.{name or 'NAME'} with its argv")
        for template in self.carriers:
            before, *rest = template.split("{phrase}")
            if len(rest) != 1 or not any(character.isalpha() for character in before + rest[0]):
                raise ValueError(f"carriers: {template!r} is no sentence with one {{phrase}} and words around it")
        if self.carrier_share and not self.carriers:
            raise ValueError("carriers is empty: name a sentence such as '{phrase}, stop', or set carrier_share to 0")
        both = sorted(set(self.engines) & set(self.hold_out))
        if both:
            raise ValueError(f"{', '.join(both)} cannot be trained on and held out: name it in engines or in hold_out")
        if self.enabled and not self.engines:
            raise ValueError("engines is empty: name at least one, such as {espeak: 1.0}")
        return self
