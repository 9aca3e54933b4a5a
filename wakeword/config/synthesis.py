"""Text to speech: clips of the phrases, of near misses and of other speech."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from wakeword.config.base import Section, UserPath

PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
"""A placeholder in a command's arguments or in a carrier sentence."""
COMMAND_VALUES = ("text", "voice", "out", "rate", "length", "wpm", "seed")
ENGLISH = "en"
_TAG = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{1,8})*")


def plain_tag(tag: str) -> str:
    """A language tag in lower case with hyphens: `en_US` becomes `en-us`."""
    return tag.strip().lower().replace("_", "-")


def _restored_tag(value: Any) -> Any:
    """Undo YAML 1.1's reading of `no`, the tag of Norwegian, as false."""
    return "no" if value is False else value


def held_part(entry: str, engines: Collection[str]) -> tuple[str, str]:
    """Engine and speaker (or number of speakers) of an entry of `hold_out`; the latter is empty for a whole engine."""
    spec, _, part = entry.rpartition("/")
    return (spec, part) if spec in engines else (entry, "")


def checked_tag(tag: str) -> str:
    """Return the tag unchanged.

    Raises:
        ValueError: it is not a language tag.
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
    """A program that speaks. It is started once per utterance, with a list of arguments and without a shell."""

    argv: tuple[str, ...] = Field(min_length=1)
    """The program and its arguments. Placeholders: `{text}` (without it the text is passed on standard input),
    `{voice}`, `{out}` (WAV, FLAC, Ogg or MP3 file to write; without it standard output is read), `{rate}` (times
    normal), `{length}` (1 / rate), `{wpm}` (words per minute, 160 at rate 1), `{seed}`."""
    voices: tuple[str, ...] = Field(("default",), min_length=1)
    """Values of `{voice}`; each is one speaker, and no speaker is in two splits."""
    timeout_s: float = Field(60.0, gt=0)
    """Seconds after which the program is killed and the clip is quarantined."""
    slow: bool = False
    """True for a slow program: it gets only short texts of `speech_clips`."""
    languages: tuple[str, ...] = ()
    """Tags of the languages that it speaks, such as `[de, fr]`; empty: any `synthesis.language`."""

    @field_validator("languages", mode="before")
    @classmethod
    def _restored(cls, value: Any) -> Any:
        return [_restored_tag(tag) for tag in value] if isinstance(value, list | tuple) else value

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
            raise ValueError(f"argv: {{{unknown[0]}}} is no placeholder; there are: {known}")
        if len(self.voices) > 1 and "voice" not in named:
            raise ValueError("voices names several, but argv has no {voice}: all would be one and the same voice")
        if len(set(self.voices)) < len(self.voices):
            raise ValueError(f"voices names one twice in {list(self.voices)}")
        return self


class SynthesisConfig(Section):
    """Synthetic speech for training and evaluation, and synthetic noises and rooms where recordings are missing."""

    enabled: bool = False
    """Synthesise speech, noises and room responses. False uses `data.sources` alone."""
    language: str = ENGLISH
    """Language of the phrases: a tag such as `en`, `en-gb`, `de`, `fr`, `ru` or `zh`. `en` uses every English accent,
    `en-gb` British ones only. Engines that do not speak it are left out with a warning."""
    engines: dict[str, float] = Field({"espeak": 0.6, "piper": 0.36, "kokoro": 0.04})
    """Engines and their shares of the clips in train and val. espeak is fast, with many robotic voices; kokoro sounds
    best and takes a second per clip; `piper:/path/voice.onnx` uses any Piper voice."""
    leave_out_missing: bool = False
    """True: an engine that is not installed is left out with a warning, and the others take over its share, as long as
    one is installed. False: it is an error."""
    commands: dict[str, CommandConfig] = Field(default_factory=dict)
    """Programs that speak, by name; `command:NAME` in `engines` or `hold_out` refers to one."""
    hold_out: tuple[str, ...] = ("hibari",)
    """Engines and voices that speak half of the test split and nothing else, so that results include voices unlike
    those of training. `hibari` is a whole engine, `kokoro/af_bella` one speaker of an engine in `engines`, and
    `kokoro/8` eight of its speakers (at most half of them)."""
    clips_per_word: int = Field(400, ge=1)
    """Clips of each phrase over all splits (`data.splits` gives the shares). More clips take longer to synthesise and
    vary more."""
    speech_clips: int = Field(400, ge=0)
    """Clips of sentences without the phrase, by the same voices, as negatives."""
    negative_hours: float = Field(0.0, ge=0)
    """Hours of further negatives for val, and as many for test: texts that train does not hear, spoken by fast engines
    (espeak, pico), music-like tones, babble and noises. Thresholds and their proof need hours; see
    docs/explanation/evaluation.md."""
    other_languages: tuple[str, ...] = ()
    """Languages besides that of the phrases in which a part of `speech_clips` and of `negative_hours` is spoken, such
    as `[es, fr]`; the phrases' own is skipped. A detector that hears one language alone fires on words of others."""
    other_language_share: float = Field(0.3, ge=0, lt=1)
    """Share of `speech_clips` and of the speech in `negative_hours` that is in `other_languages`."""
    sentences: UserPath = ""
    """UTF-8 text file with one sentence per line for `speech_clips` and near misses. Empty: the built-in sentences of
    the languages that docs/explanation/voices.md lists, and English ones for other languages."""
    carrier_share: float = Field(0.0, ge=0, le=1)
    """Share of the wake-word clips in which the phrase is part of a sentence; the others are the phrase alone."""
    carriers: tuple[str, ...] = CARRIERS
    """Carrier sentences with the placeholder `{phrase}`. Half of them are used in train, the others in val and test."""
    near_miss_clips: int = Field(0, ge=0)
    """Clips of phrases that sound alike in train, as negatives, for each word. They reduce false alarms on such phrases
    and raise the miss rate on real voices: see docs/explanation/voices.md."""
    near_miss_shares: dict[int, float] = Field({3: 1.0})
    """Distances in phonemes (3: three or more) and their shares of `near_miss_clips`."""
    near_miss_test_clips: int = Field(60, ge=0)
    """Clips of phrases that sound alike in val, and as many in test, for each word. Their texts are not trained on and
    are spread evenly over the distances; the report states how often they fire."""
    pronunciations: Literal["espeak", "cmu"] = "espeak"
    """Source of the phonemes that distances are measured in: espeak, or in addition the CMU dictionary, whose words
    also become near misses (`cmu`; English, needs the extra [mining])."""
    check_words: bool = False
    """Listen to each clip of a phrase with the phoneme recogniser (extra [phonetics]) and quarantine clips that do not
    say it. See docs/explanation/voices.md for its errors."""
    rates: tuple[float, float] = (0.8, 1.25)
    """Speaking rate, times normal, drawn uniformly from [low, high]."""
    pitch_semitones: tuple[float, float] = (-2.5, 2.5)
    """Change of pitch in semitones, drawn uniformly from [low, high]; neural voices change their formants as well."""
    noises: int = Field(60, ge=0)
    """Number of synthetic noises (coloured noise, hum, babble). Set it to 0 with enough recordings of noise."""
    rooms: int = Field(60, ge=0)
    """Number of simulated room impulse responses. Set it to 0 with enough measured ones."""
    seed: int = 0
    """Seed of texts, voices, rates and pitches."""
    cache_dir: UserPath = ""
    """Folder in which synthetic clips are kept for later runs; empty: `synthetic/` inside the prepared folder."""

    @field_validator("language", mode="before")
    @classmethod
    def _restored(cls, value: Any) -> Any:
        return _restored_tag(value)

    @field_validator("language")
    @classmethod
    def _tag(cls, value: str) -> str:
        return checked_tag(value)

    @field_validator("other_languages", mode="before")
    @classmethod
    def _restored_each(cls, value: Any) -> Any:
        return [_restored_tag(tag) for tag in value] if isinstance(value, list | tuple) else value

    @field_validator("other_languages")
    @classmethod
    def _tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_tag(tag) for tag in value)

    @model_validator(mode="after")
    def _speaks_its_language(self) -> SynthesisConfig:
        if plain_tag(self.language).partition("-")[0] == ENGLISH:
            return self
        fault = ""
        if self.carrier_share and self.carriers == CARRIERS:
            fault = "carriers are the English ones: write some in that language, or set carrier_share to 0"
        if self.pronunciations == "cmu":
            fault = "pronunciations: cmu is a dictionary of English: choose espeak"
        if fault:
            raise ValueError(f"language is {self.language}, but {fault}")
        return self

    def _check_held_out(self) -> None:
        both = sorted(set(self.engines) & set(self.hold_out))
        if both:
            raise ValueError(f"{', '.join(both)} cannot be trained on and held out: name it in engines or in hold_out")
        for entry in self.hold_out:
            spec, part = held_part(entry, self.engines)
            if not part and "/" in entry.partition(":")[0]:
                name = entry.rpartition("/")[0]
                raise ValueError(
                    f"hold_out: {entry} names voices of an engine that engines does not name: write {name} to hold out "
                    f"the whole engine, or add {name} to engines"
                )
            if part.isdecimal() and int(part) < 1:
                raise ValueError(f"hold_out: {entry} holds out no voice: name at least one, such as {spec}/1")

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
        self._check_held_out()
        if self.enabled and not self.engines:
            raise ValueError("engines is empty: name at least one, such as {espeak: 1.0}")
        return self
