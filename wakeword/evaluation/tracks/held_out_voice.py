"""Trial of a detector with a synthetic voice that is not in the training data: the phrase and other sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wakeword.audio.io import resample, to_int16
from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.data.synthesis import Engine, Voice
from wakeword.data.synthesis.roster import engine_of, held_out
from wakeword.data.synthesis.sentences import draw_text, pool_of
from wakeword.errors import ConfigError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.detector import Detector

PHRASES = 12
SENTENCES = 40
GAP_S = 1.5
HIT_AFTER_S = 1.0
REQUIRED_SHARE = 0.75
"""Minimum share of the phrases that must be detected; other speech must cause no event."""
_SEED = 20_260_101


@dataclass(frozen=True)
class SpokenTrack:
    """Consecutive utterances: `audio` `(samples,)` int16 at 16 kHz, and start and end of each in seconds."""

    name: str
    audio: np.ndarray
    spans_s: list[tuple[float, float]]


@dataclass(frozen=True)
class Trial:
    """Events of a detector in the tracks: `detected` counts phrases with an event, `fired` all other events."""

    phrases: int
    detected: int
    sentences: int
    minutes: float
    fired: int

    @property
    def passed(self) -> bool:
        """True when enough phrases were detected and there was no other event."""
        return self.detected >= REQUIRED_SHARE * self.phrases and self.fired == 0


def speak_track(name: str, engine: Engine, voices: list[Voice], texts: list[str], seed: int) -> SpokenTrack:
    """Synthesise texts with some voices of an engine in turn, with random rate and pitch and a pause after each."""
    chance = np.random.default_rng(seed)
    gap = np.zeros(round(GAP_S * SAMPLE_RATE_HZ), np.float32)
    parts, spans, length = [gap], [], len(gap)
    for number, text in enumerate(texts):
        rate, pitch = float(chance.uniform(0.85, 1.2)), float(chance.uniform(-1.5, 1.5))
        spoken, rate_hz = engine.speak(text, voices[number % len(voices)].name, rate, pitch, seed + number)
        utterance = resample(spoken, rate_hz).astype(np.float32)
        spans.append((length / SAMPLE_RATE_HZ, (length + len(utterance)) / SAMPLE_RATE_HZ))
        parts += [utterance, gap]
        length += len(utterance) + len(gap)
    audio = np.concatenate(parts)
    # The noise of a quiet room, since microphones never give digital silence.
    audio += chance.normal(scale=10 ** (-65 / 20), size=len(audio)).astype(np.float32)
    return SpokenTrack(name, to_int16(audio), spans)


def run_trial(bundle: Bundle, phrases: SpokenTrack, other: SpokenTrack, word: str) -> Trial:
    """Detect in both tracks with the bundle's own thresholds."""

    def ends_s(track: SpokenTrack) -> list[float]:
        detector = Detector(bundle)
        found = [*detector.process(track.audio), *detector.flush()]
        return [event.end_s for event in found if event.word == word]

    events = ends_s(phrases)
    inside = [[e for e in events if start <= e <= end + HIT_AFTER_S] for start, end in phrases.spans_s]
    detected = sum(bool(hits) for hits in inside)
    fired = len(ends_s(other)) + len(events) - detected
    minutes = len(other.audio) / SAMPLE_RATE_HZ / 60
    return Trial(len(phrases.spans_s), detected, len(other.spans_s), minutes, fired)


def make_tracks(config: Config, word_index: int = 0) -> tuple[SpokenTrack, SpokenTrack, str]:
    """Tracks of the phrase and of other sentences by the first held-out voices, and the name of their engine.

    Raises:
        ConfigError: `synthesis.hold_out` has no voice of the language.
        MissingExtraError: an engine is not installed.
    """
    synthesis = config.synthesis
    held = held_out(synthesis)
    if not held:
        raise ConfigError(
            f"synthesis.hold_out has no voice of the language {synthesis.language}: the demo needs one that is not "
            "used for training"
        )
    spec, voices = next(iter(held.items()))
    engine = engine_of(synthesis, spec)
    chance = np.random.default_rng(_SEED)
    phrases = [word.text for word in config.words]
    texts = [draw_text(chance, phrases, pool=pool_of(synthesis)) for _ in range(SENTENCES)]
    spoken = speak_track("phrase", engine, voices, [config.words[word_index].text] * PHRASES, _SEED)
    return spoken, speak_track("other", engine, voices, texts, _SEED + 1), spec
