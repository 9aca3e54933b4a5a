"""`wakeword demo`: a detector from a phrase alone, then a trial by a voice that no stage of training has heard."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword.cli.options import OVERRIDES_HELP

if TYPE_CHECKING:
    import numpy as np

    from wakeword.config import Config
    from wakeword.runtime.bundle import Bundle

TIMES_SAID = 12
SENTENCES = 40
GAP_S = 1.5
HIT_AFTER_S = 1.0
REQUIRED_SHARE = 0.75
"""Share of the phrases that must be heard; other speech must not fire at all."""
_SEED = 20_260_101


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("demo", help='a detector for "hey nova" from nothing, tried out on an unheard voice')
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    parser.set_defaults(func=_demo)


@dataclass(frozen=True)
class Track:
    """Utterances in a row: `audio` `(samples,)` int16 at 16 kHz, and where each utterance lies, in seconds."""

    name: str
    audio: np.ndarray
    spans_s: list[tuple[float, float]]


@dataclass(frozen=True)
class Trial:
    """What the detector made of the tracks; `heard` counts phrases with an event, `fired` all other events."""

    said: int
    heard: int
    sentences: int
    minutes: float
    fired: int

    @property
    def passed(self) -> bool:
        """True when enough phrases were heard and nothing else fired."""
        return self.heard >= REQUIRED_SHARE * self.said and self.fired == 0


def speak_track(name: str, engine_spec: str, texts: list[str], seed: int) -> Track:
    """Speak texts with the engine's voices in turn, rate and pitch varied, a pause after each.

    Raises:
        MissingExtraError: the engine is not installed.
    """
    import numpy as np

    from wakeword.audio.io import resample, to_int16
    from wakeword.config import SAMPLE_RATE_HZ
    from wakeword.data.synthesis import load_engine

    engine, chance = load_engine(engine_spec), np.random.default_rng(seed)
    voices = engine.voices()
    gap = np.zeros(round(GAP_S * SAMPLE_RATE_HZ), np.float32)
    parts, spans, length = [gap], [], len(gap)
    for number, text in enumerate(texts):
        rate, pitch = float(chance.uniform(0.85, 1.2)), float(chance.uniform(-1.5, 1.5))
        spoken, rate_hz = engine.speak(text, voices[number % len(voices)].name, rate, pitch, seed + number)
        heard = resample(spoken, rate_hz).astype(np.float32)
        # A quiet room, not digital silence: no microphone gives that.
        spans.append((length / SAMPLE_RATE_HZ, (length + len(heard)) / SAMPLE_RATE_HZ))
        parts += [heard, gap]
        length += len(heard) + len(gap)
    audio = np.concatenate(parts)
    audio += chance.normal(scale=10 ** (-65 / 20), size=len(audio)).astype(np.float32)
    return Track(name, to_int16(audio), spans)


def try_out(bundle: Bundle, phrases: Track, other: Track, word: str) -> Trial:
    """Detect in both tracks with the bundle's own thresholds."""
    from wakeword.config import SAMPLE_RATE_HZ
    from wakeword.runtime.detector import Detector

    def ends_s(track: Track) -> list[float]:
        detector = Detector(bundle)
        found = [*detector.process(track.audio), *detector.flush()]
        return [event.end_s for event in found if event.word == word]

    events = ends_s(phrases)
    inside = [[e for e in events if start <= e <= end + HIT_AFTER_S] for start, end in phrases.spans_s]
    heard = sum(bool(hits) for hits in inside)
    fired = len(ends_s(other)) + len(events) - heard
    minutes = len(other.audio) / SAMPLE_RATE_HZ / 60
    return Trial(len(phrases.spans_s), heard, len(other.spans_s), minutes, fired)


def make_tracks(config: Config, word_index: int = 0) -> tuple[Track, Track, str]:
    """The phrase and other sentences in the voice of the first engine that is held out of training.

    Raises:
        ConfigError: the recipe holds no engine out, so that no voice is unheard.
    """
    import numpy as np

    from wakeword.data.synthesis.sentences import draw_text
    from wakeword.errors import ConfigError

    if not config.synthesis.hold_out:
        raise ConfigError("synthesis.hold_out is empty: the demo needs an engine that training does not hear")
    engine = config.synthesis.hold_out[0]
    chance = np.random.default_rng(_SEED)
    phrases = [word.text for word in config.words]
    texts = [draw_text(chance, phrases) for _ in range(SENTENCES)]
    said = speak_track("phrase", engine, [config.words[word_index].text] * TIMES_SAID, _SEED)
    return said, speak_track("other", engine, texts, _SEED + 1), engine


def _demo(args: argparse.Namespace) -> int:
    from wakeword.audio.io import write_wav
    from wakeword.cli.console import print_next, print_table
    from wakeword.cli.recipes import recipe_path
    from wakeword.cli.stages import run_stages, shown
    from wakeword.config import load_config
    from wakeword.runtime.bundle import load_bundle
    from wakeword.system.log import configure_logging

    config = load_config(recipe_path("demo"), args.overrides)
    configure_logging(config.tracking)
    result = run_stages(config)
    phrases, other, engine = make_tracks(config)
    folder = result.run_dir / "trial"
    files: list[Path] = []
    for track in (phrases, other):
        files.append(folder / f"{track.name}.wav")
        folder.mkdir(exist_ok=True)
        write_wav(files[-1], track.audio)
    word = config.words[0]
    trial = try_out(load_bundle(result.bundle_dir), phrases, other, word.label)
    said = f"{trial.said} times {word.text!r}"
    spoken = f"{trial.sentences} other sentences, {trial.minutes:.1f} min"
    rows = [
        (shown(files[0]), said, f"heard {trial.heard}", f"at least {REQUIRED_SHARE:.0%}"),
        (shown(files[1]), spoken, f"fired {trial.fired} times", "0"),
    ]
    print_table(f"the voice of {engine}, which training did not hear", ("file", "spoken", "result", "wanted"), rows)
    print(f"\n{'passed' if trial.passed else 'FAILED'}")
    bundle = shown(result.bundle_dir)
    print(f"report: {shown(result.evaluation_dir / 'report.html')}")
    print_next(f"wakeword detect {bundle} {shown(files[0])}", f"wakeword listen {bundle}", 'wakeword new "your phrase"')
    return 0 if trial.passed else 1
