"""Assignment of voices to splits and clips: engines by share, the speakers of an engine equally often.

Independent draws would leave gaps in small splits (of 60 near misses in val one voice of twelve had 12, and an engine
with a share of 0.04 had none of 60 test clips). Instead the voices take turns, in a separate order for each kind of
clip. More clips do not change the ones before them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

import numpy as np

from wakeword.config.data import SplitConfig
from wakeword.config.synthesis import CommandConfig, SynthesisConfig, held_part
from wakeword.data.splits import draw
from wakeword.data.synthesis import Engine, load_engine
from wakeword.data.synthesis.engine import Voice, stable_seed
from wakeword.data.synthesis.languages import base_of
from wakeword.errors import ConfigError, DataError, MissingExtraError

HELD_OUT_SHARE = 0.5
"""Share of the held-out engines in the test split."""
_AWAY = "held out"
_GOLDEN = 0.6180339887498949
_PLANE = (0.7548776662466927, 0.5698402909980532)
"""Steps whose multiples modulo 1 fill an interval and a square evenly: 1 / g with g^2 = g + 1; 1 / p and 1 / p^2 with
p^3 = p + 1."""


@dataclass(frozen=True)
class Cast:
    """Voices of one split by engine, and the share of each engine."""

    voices: dict[str, list[Voice]]
    shares: dict[str, float]


def engine_of(config: SynthesisConfig, spec: str) -> Engine:
    """An engine of a config, created once per process.

    Raises:
        ConfigError: no such engine, or a command's program is absent.
        MissingExtraError: its packages are not installed.
    """
    name = spec.partition(":")[2]
    return _loaded(spec, name, config.commands.get(name))


def shares_of(config: SynthesisConfig) -> dict[str, float]:
    """Installed engines of `engines` that speak the language, and their shares.

    Raises:
        ConfigError: no such engine, none that speaks the language, or a command's program is absent.
        MissingExtraError: a required engine is not installed.
    """
    missing = _missing(config)
    found = {spec: share for spec, share in config.engines.items() if spec not in missing}
    if missing and not (config.leave_out_missing and found):
        raise next(iter(missing.values()))
    speaking = {spec: share for spec, share in found.items() if engine_of(config, spec).speaks(config.language)}
    if not speaking:
        spoken = "; ".join(_spoken_by(config, spec) for spec in found)
        raise ConfigError(
            f"synthesis.language = {config.language!r}: none of the engines speaks it ({spoken}): name another "
            "language, or an engine that speaks it, such as espeak, piper:/path/voice.onnx or command:NAME"
        )
    return speaking


def held_out(config: SynthesisConfig) -> dict[str, list[Voice]]:
    """Held-out voices of the language by engine, in the order of `hold_out`: whole engines, and parts of others.

    Raises:
        ConfigError: no such engine or speaker, or none of an engine in `engines` would be left for training.
        MissingExtraError: an engine is not installed.
    """
    found: dict[str, list[Voice]] = {}
    trained = shares_of(config)
    parts: dict[str, list[str]] = {}
    for entry in config.hold_out:
        spec, part = held_part(entry, config.engines)
        if part:
            parts.setdefault(spec, []).append(part)
        elif engine_of(config, spec).speaks(config.language):
            found[spec] = engine_of(config, spec).voices(config.language)
    for spec in (spec for spec in parts if spec in trained):
        held = _held_speakers(config, spec, parts[spec])
        voices = engine_of(config, spec).voices(config.language)
        if kept := [voice for voice in voices if held.issuperset(voice.speakers)]:
            found[spec] = kept
    return found


def _held_speakers(config: SynthesisConfig, spec: str, parts: list[str]) -> set[str]:
    """Speakers of an engine that are held out: the named ones, then as many by hash as a number says."""
    engine = engine_of(config, spec)
    speakers = {who for voice in engine.voices(config.language) for who in voice.speakers}
    named = {part for part in parts if not part.isdecimal()}
    for name in sorted(named - speakers):
        others = {who for tag in engine.languages() for voice in engine.voices(tag) for who in voice.speakers}
        if name not in others:
            raise ConfigError(
                f"synthesis.hold_out: {spec} has no speaker {name!r}: its speakers are {', '.join(sorted(speakers))}"
            )
    held = named & speakers
    if held and held == speakers:
        raise ConfigError(
            f"synthesis.hold_out: {', '.join(f'{spec}/{name}' for name in sorted(held))} leaves {spec} no voice to "
            f"train on: name {spec} in hold_out and take it out of engines"
        )
    count = min(sum(int(part) for part in parts if part.isdecimal()), len(speakers) // 2 - len(held))
    rest = sorted(speakers - held, key=lambda who: (draw(f"held:{spec}:{who}"), who))
    return held | set(rest[: max(0, count)])


def speakers_of(config: SynthesisConfig) -> list[str]:
    """All engines in use: those of training, then the held-out ones."""
    return list(dict.fromkeys([*shares_of(config), *held_out(config)]))


def _spoken_by(config: SynthesisConfig, spec: str) -> str:
    engine = engine_of(config, spec)
    near = {voice.accent for voice in engine.voices(base_of(config.language)) if voice.accent}
    return f"{spec} speaks {', '.join(sorted(near) or engine.languages())}"


def left_out(config: SynthesisConfig) -> list[str]:
    """A sentence for each engine that is left out because it is absent or does not speak the language."""
    missing = _missing(config)
    messages = [f"the engine {spec} is left out, the others speak its share: {why}" for spec, why in missing.items()]
    tested = (held_part(entry, config.engines)[0] for entry in config.hold_out)
    for spec in dict.fromkeys((*config.engines, *tested)):
        if spec not in missing and not engine_of(config, spec).speaks(config.language):
            what = "the others speak its share" if spec in config.engines else "no voice of it is in the test split"
            messages.append(
                f"the engine {spec} is left out, {what}: {_spoken_by(config, spec)}, and synthesis.language is "
                f"{config.language}"
            )
    return messages


def _missing(config: SynthesisConfig) -> dict[str, MissingExtraError]:
    found = {}
    for spec in config.engines:
        try:
            engine_of(config, spec)
        except MissingExtraError as error:
            found[spec] = error
    return found


@cache
def _loaded(spec: str, name: str, command: CommandConfig | None) -> Engine:
    """Cached, since planning uses an engine several times and reading its voices takes time."""
    return load_engine(spec, {name: command} if command else None)


def cast_voices(config: SynthesisConfig, splits: SplitConfig) -> dict[str, Cast]:
    """Voices of each split; no speaker is in two splits.

    Held-out speakers are in test. The other speakers of an engine are ordered by hash; val and test take their shares
    of them (at least one each where three or more are left, none otherwise). A blend of speakers of different splits is
    not used.

    Raises:
        DataError: a split with clips has no voice.
    """
    found: dict[str, dict[str, list[Voice]]] = {"train": {}, "val": {}, "test": {}}
    engines, held = shares_of(config), held_out(config)
    for spec in engines:
        voices = engine_of(config, spec).voices(config.language)
        away = {who for voice in held.get(spec, []) for who in voice.speakers}
        home = _homes(voices, splits, away)
        for voice in voices:
            homes = {home[speaker] for speaker in voice.speakers}
            if len(homes) == 1 and not homes & {_AWAY}:
                found[homes.pop()].setdefault(spec, []).append(voice)
    casts = {}
    for split, by_engine in found.items():
        shares = {spec: engines[spec] for spec in by_engine}
        if split == "test" and held:
            total = sum(shares.values())
            own = (1 - HELD_OUT_SHARE) / total if total else 0.0
            shares = {spec: share * own for spec, share in shares.items()}
            shares |= {spec: shares.get(spec, 0.0) + HELD_OUT_SHARE / len(held) for spec in held}
            by_engine = {spec: [*by_engine.get(spec, []), *held.get(spec, [])] for spec in shares}
        if not by_engine and (split == "train" or getattr(splits, split) > 0):
            raise DataError(
                f"synthesis: the engines {', '.join(engines)} have too few voices to give {split} a "
                f"separate one: add an engine with many voices (espeak), or set data.splits.{split} to 0"
            )
        casts[split] = Cast(by_engine, shares)
    return casts


def casts_without(casts: dict[str, Cast], specs: Collection[str]) -> dict[str, Cast]:
    """The casts without some engines, whose turns the others take."""
    return {
        split: Cast(
            {spec: voices for spec, voices in cast.voices.items() if spec not in specs},
            {spec: share for spec, share in cast.shares.items() if spec not in specs},
        )
        for split, cast in casts.items()
    }


def _homes(voices: list[Voice], splits: SplitConfig, away: set[str]) -> dict[str, str]:
    engine = voices[0].engine
    left = {s for voice in voices for s in voice.speakers} - away
    speakers = sorted(left, key=lambda s: (draw(f"voice:{engine}:{s}"), s))
    few = len(speakers) < 3
    counts = {
        split: 0 if few or not share else max(1, round(share * len(speakers)))
        for split, share in (("test", splits.test), ("val", splits.val))
    }
    home = dict.fromkeys(speakers, "train")
    for place, speaker in enumerate(speakers[: counts["test"] + counts["val"]]):
        home[speaker] = "test" if place < counts["test"] else "val"
    return home | dict.fromkeys(away, _AWAY)


class Deal:
    """The sequence of voices, rates and pitches for one kind of clip in one split.

    Each engine gets its share to within about two clips. The speakers of an engine take turns: all speak once before
    one speaks again, in a new order each round, each with its next voice. Rates and pitches fill their ranges evenly
    for each engine.

    Args:
        config: ranges and seed.
        cast: the split's voices.
        split: train, val or test.
        purpose: the kind of clip, such as `word:hey_nova`.
    """

    def __init__(self, config: SynthesisConfig, cast: Cast, split: str, purpose: str) -> None:
        self.config, self.cast, self.split, self.purpose = config, cast, split, purpose
        self._specs = sorted(cast.shares)
        total = sum(cast.shares.values())
        self._edges = list(accumulate(cast.shares[spec] / total for spec in self._specs))
        self._offset = self._chance("engines").random()
        self._voices: dict[str, dict[str, list[Voice]]] = {spec: {} for spec in self._specs}
        for spec in self._specs:
            for voice in cast.voices[spec]:
                self._voices[spec].setdefault(voice.speaker, []).append(voice)
        self._orders: dict[str, list[int]] = {}
        self._given = dict.fromkeys(self._specs, 0)
        self._number = 0

    def next(self) -> tuple[dict[str, object], np.random.Generator]:
        """The next clip: columns of an utterance without its text, and a random generator for the text."""
        place = (self._offset + self._number * _GOLDEN) % 1.0
        spec = self._specs[min(int(np.searchsorted(self._edges, place, side="right")), len(self._specs) - 1)]
        turn = self._given[spec]
        voice = self._voice(spec, turn)
        rate, pitch = self._manner(spec, turn)
        key = f"{self.purpose}:{self._number}"
        seed = stable_seed(self.config.seed, self.split, key)
        row: dict[str, object] = {
            "key": f"{self.split}:{key}",
            "engine": spec,
            "voice": voice.name,
            "speaker": voice.speaker,
            "gender": voice.gender,
            "accent": voice.accent,
            "rate": rate,
            "pitch": pitch,
            "seed": seed,
            "split": self.split,
            "language": self.config.language,
            **dict.fromkeys(("respelling", "phonemes", "resembles", "way", "carrier"), ""),
            "phoneme_distance": None,
        }
        self._given[spec] += 1
        self._number += 1
        return row, np.random.default_rng(seed)

    def _chance(self, *names: object) -> np.random.Generator:
        return np.random.default_rng(stable_seed(self.config.seed, "deal", self.split, self.purpose, *names))

    def _voice(self, spec: str, turn: int) -> Voice:
        speakers = sorted(self._voices[spec])
        cycle, place = divmod(turn, len(speakers))
        if place == 0:
            self._orders[spec] = self._chance(spec, cycle).permutation(len(speakers)).tolist()
        speaker = speakers[self._orders[spec][place]]
        voices = self._voices[spec][speaker]
        order = self._chance(spec, speaker).permutation(len(voices))
        return voices[int(order[cycle % len(voices)])]

    def _manner(self, spec: str, turn: int) -> tuple[float, float]:
        offsets = self._chance(spec, "manner").random(2)
        places = (float((offset + turn * step) % 1.0) for offset, step in zip(offsets, _PLANE, strict=True))
        ranges = (self.config.rates, self.config.pitch_semitones)
        rate, pitch = (low + (high - low) * place for (low, high), place in zip(ranges, places, strict=True))
        return rate, pitch
