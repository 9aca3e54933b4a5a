"""Mining by sound: the stretches of negatives that sound most like a phrase, without a detector.

A phoneme recogniser hears the recordings once, and the text-defined score of each word gives its candidates: "parallax
is a" for "alexa". The rest is as in `find`: units of work with a file each, copies refused, clusters, review.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wakeword.audio.io import AudioError, to_int16
from wakeword.config import SAMPLE_RATE_HZ, Config, WordConfig
from wakeword.config.data import DataConfig, SourceConfig
from wakeword.config.frontend import FrontendConfig
from wakeword.data.synthesis.languages import is_english
from wakeword.data.synthesis.pronunciation import Phonemes, word_sounds
from wakeword.errors import ConfigError, MissingExtraError
from wakeword.mining.find import MOST, Method, Mined, mine_by
from wakeword.mining.stage import CONTEXT_S, SPAN, candidate_row, recording_blocks, write_parts
from wakeword.phonetics.listening import compact, hear_blocks, restored
from wakeword.phonetics.spotting import spots
from wakeword.stages.runner import Runner
from wakeword.stages.stage import Stage, StageResources

if TYPE_CHECKING:
    from wakeword.audio.frontend import Frontend
    from wakeword.phonetics.recogniser import Recogniser
    from wakeword.runtime.phoneme_path import PhraseScorer

Audio = NDArray[np.float32]

PER_HOUR = 60.0
"""Candidates for an hour of negatives: about as many as a low threshold of a detector gives."""
LIKENESS = 5.0
"""Points of the text-defined score by which the likeness falls by a factor of e; it orders as the score does."""
SECTION_S = 300.0
"""Audio in memory; a longer recording is searched section by section."""
EDGE_S = SPAN.before_s + CONTEXT_S + 2.0
"""Audio before a section that its first clip and window may need."""
TAIL_S = SPAN.after_s + CONTEXT_S
"""Audio after its last stretch that the clip needs."""


@dataclass(frozen=True)
class Sought:
    """A word and its pronunciations, in the inventory of `data.synthesis.pronunciation`."""

    label: str
    sounds: tuple[Phonemes, ...]


class PhoneticStage(Stage):
    """Units of recordings (`file`, `clips`) to part files (`PART_SCHEMA`)."""

    name = "phonetic mining"
    reads = ("file", "clips")
    writes = ("file", "clips_done", "duration_s")
    resources = StageResources(cpus=1.0, batch_size=1, stateful=True)

    def __init__(
        self, words: Sequence[Sought], recogniser: str, language: str, per_hour: float, data: DataConfig
    ) -> None:
        self.words, self.recogniser = tuple(words), recogniser
        self.language, self.per_hour, self.data = language, per_hour, data

    def setup(self) -> None:
        """Load the recogniser and the front end of the embedding."""
        import torch

        from wakeword.audio.frontend import Frontend
        from wakeword.phonetics.phrase import phrase_scorer
        from wakeword.phonetics.recogniser import open_recogniser

        torch.set_num_threads(1)
        self.listener: Recogniser = open_recogniser(self.recogniser)
        self.scorers: dict[str, PhraseScorer] = {
            word.label: phrase_scorer(word.sounds, self.listener, self.language) for word in self.words
        }
        self.frontend: Frontend = Frontend(FrontendConfig())

    def __call__(self, table: pa.Table) -> pa.Table:
        """Search each unit and write its file."""
        return write_parts(table, self._mined)

    def _mined(self, uri: str) -> dict[str, Any]:
        """The candidates of a recording; one that cannot be decoded to its end gives none."""
        digest, samples = hashlib.sha256(), 0
        found: list[dict[str, Any]] = []
        try:
            for section in _sections(recording_blocks(uri, self.data)):
                digest.update(to_int16(section.audio[section.fresh :]).tobytes())
                samples += len(section.audio) - section.fresh
                found += self._candidates(section)
        except AudioError as error:
            empty = {"uri": uri, "digest": "", "heard_s": 0.0, "candidates": []}
            return {**empty, "reason": error.reason, "detail": error.detail}
        kept: list[dict[str, Any]] = []
        for word in self.words:
            own = sorted((one for one in found if one["word"] == word.label), key=lambda one: -one["score"])
            kept += own[: self._most(samples)]
        facts = {"uri": uri, "digest": digest.hexdigest(), "reason": "", "detail": ""}
        candidates = sorted(kept, key=lambda one: (one["end_s"], one["word"]))
        return {**facts, "heard_s": samples / SAMPLE_RATE_HZ, "candidates": candidates}

    def _most(self, samples: int) -> int:
        """Candidates of a recording; a short one may hold several of the highest of all."""
        return 2 + math.ceil(2 * self.per_hour * samples / SAMPLE_RATE_HZ / 3600)

    def _candidates(self, section: _Section) -> Iterator[dict[str, Any]]:
        heard = restored(np.concatenate([compact(part) for part in hear_blocks(self.listener, [section.audio])]))
        ends = np.asarray([len(heard)])
        for label, scorer in self.scorers.items():
            for spot in spots(scorer, heard, self.listener.rate_hz, self._most(len(section.audio)), ends):
                if not section.low < round(spot.end_s * SAMPLE_RATE_HZ) <= section.high:
                    continue
                low = max(0, round((spot.end_s - SPAN.before_s - CONTEXT_S) * SAMPLE_RATE_HZ))
                high = round((spot.end_s + SPAN.after_s + CONTEXT_S) * SAMPLE_RATE_HZ)
                start_s = section.first / SAMPLE_RATE_HZ
                span_s = (start_s + spot.start_s, start_s + spot.end_s)
                score = math.exp(spot.score / LIKENESS)
                yield candidate_row(self.frontend, label, score, span_s, section.audio[low:high], section.first + low)


@dataclass(frozen=True)
class _Section:
    """Audio `(samples,)` from sample `first` of a recording.

    Samples from `fresh` on are new. Stretches that end after sample `low`, up to `high`, belong to this section: on
    both sides there is the audio that their windows and clips need, where the recording has it.
    """

    audio: Audio
    first: int
    fresh: int
    low: int
    high: int


def _sections(blocks: Iterator[Audio]) -> Iterator[_Section]:
    size, edge, tail = (round(span_s * SAMPLE_RATE_HZ) for span_s in (SECTION_S, EDGE_S, TAIL_S))
    held: list[Audio] = []
    before = np.zeros(0, np.float32)
    first = fresh = low = 0
    for block in blocks:
        held.append(block)
        fresh += len(block)
        if fresh >= size:
            audio = np.concatenate([before, *held])
            high = len(audio) - tail
            yield _Section(audio, first, len(before), low, high)
            keep = max(0, high - edge)
            before, held, fresh = audio[keep:], [], 0
            first, low = first + keep, high - keep
    audio = np.concatenate([before, *held])
    if len(audio) > low:
        yield _Section(audio, first, len(before), low, len(audio))


def mine_by_sound(
    config: Config,
    prepared_dir: str | Path,
    out_dir: str | Path,
    sources: Sequence[SourceConfig] = (),
    per_hour: float = PER_HOUR,
    most: int = MOST,
    recogniser: str = "hama",
    runner: Runner = "ray",
    progress: bool | None = None,
) -> Mined:
    """Mine what sounds most like the recipe's words into `out_dir`; see `find.mine`.

    Args:
        config: the recipe; `synthesis.language` and `synthesis.pronunciations` give the sounds of its words.
        per_hour: candidates for an hour of negatives, the highest of all.
        recogniser: as `phonetics.recogniser.open_recogniser`.

    Raises:
        ConfigError: a word has no known pronunciation, or the recogniser no sound near one of its sounds.
        MissingExtraError: the recogniser or espeak is not installed.
        DataError, RunError: as `find.mine`.
    """
    from wakeword.phonetics.phrase import phrase_pronunciations
    from wakeword.phonetics.recogniser import open_recogniser

    if per_hour <= 0:
        raise ConfigError(f"the number of candidates per hour must be above 0, got {per_hour:g}")
    words, language = sought(config), config.synthesis.language
    opened = open_recogniser(recogniser)
    for word in words:
        phrase_pronunciations(word.sounds, opened, language)
    plan: dict[str, Any] = {
        "model": opened.fingerprint,
        "sounds": {word.label: [" ".join(one) for one in word.sounds] for word in words},
        "per_hour": per_hour,
    }
    stage = PhoneticStage(words, recogniser, language, per_hour, config.data)
    method = Method(stage, plan, list(config.words), per_hour)
    return mine_by(method, config, prepared_dir, out_dir, sources, most, runner, progress)


def sought(config: Config) -> list[Sought]:
    """The words of a recipe with their pronunciations.

    Raises:
        ConfigError: a word has none.
        MissingExtraError: espeak is not installed.
    """
    return [Sought(word.label, tuple(sorted(_sounds_of(word, config)))) for word in config.words]


def _sounds_of(word: WordConfig, config: Config) -> set[Phonemes]:
    language = config.synthesis.language
    source = config.synthesis.pronunciations if is_english(language) else "espeak"
    try:
        sounds = word_sounds(word, source, language)
    except ImportError as error:
        raise MissingExtraError("Mining by sound", "tts", error) from error
    if not sounds:
        raise ConfigError(
            f"no pronunciation of {word.text!r} is known in the language {language}: write it in words.phonemes"
        )
    return sounds
