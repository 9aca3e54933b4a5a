"""The second stage on the detectors of `benchmarks.synthetic_to_real`: triggers measured once, maps judged in seconds.

Per detector, the raw scores of all judging tracks and the measures of every trigger are kept in one file, so that
fusion maps, pronunciation costs and thresholds are compared on equal audio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.harness import timing_of
from benchmarks.synthetic.judging import real_tracks, spoken_tracks
from benchmarks.synthetic.material import Cell
from wakeword.config import SAMPLE_RATE_HZ, Config, WordConfig
from wakeword.data.synthesis.pronunciation import word_sounds
from wakeword.evaluation.cascade.triggers import (
    FEATURES,
    Fuse,
    TrackTriggers,
    measure_triggers,
    rescorer,
    trigger_index,
)
from wakeword.evaluation.metrics.measure import WordOnSplit, measure_word
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.tracks.plan import Track
from wakeword.phonetics.phrase import phrase_scorer
from wakeword.phonetics.recogniser import Recogniser, open_recogniser
from wakeword.pipeline import prepared_folder, run_pipeline
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.runtime.events import EventTiming
from wakeword.runtime.manifest import AFTER_S, BEFORE_S, PATH_END_S
from wakeword.runtime.phoneme_path import Float, PathFeatures, PhraseScorer
from wakeword.system.files import atomic_path

TRIGGER_LOGIT = -2.5


class TorchVerifier:
    """The recogniser and the scorer of one phrase, as `evaluation.cascade` takes them."""

    before_samples, after_samples = round(BEFORE_S * SAMPLE_RATE_HZ), round(AFTER_S * SAMPLE_RATE_HZ)

    def __init__(self, recogniser: Recogniser, scorer: PhraseScorer) -> None:
        self.recogniser, self.scorer = recogniser, scorer

    def log_probs(self, windows: Float) -> Float:
        """Log-probabilities `(n, frames, tokens)` of `windows (n, samples)`."""
        return np.asarray(self.recogniser.log_probs(torch.from_numpy(windows)).numpy())

    def measure(self, label: str, log_probs: Float) -> PathFeatures:
        """The best path of the phrase in each window."""
        return self.scorer(log_probs, round((BEFORE_S - PATH_END_S) * self.recogniser.rate_hz))


def verifier_of(word: str) -> TorchVerifier:
    """The verifier of a word with the pronunciations that an export would give it."""
    recogniser = open_recogniser()
    return TorchVerifier(recogniser, phrase_scorer(word_sounds(WordConfig(label=word, phrase=word)), recogniser))


@dataclass(frozen=True)
class Measured:
    """One detector on the judging tracks: raw scores and the measures of its triggers, per track."""

    word: str
    timing: EventTiming
    tracks: Mapping[str, TrackInfo]
    scores: Mapping[str, NDArray[np.float32]]
    triggers: Mapping[str, TrackTriggers]

    def judged(self, names: Sequence[str], config: Config, fuse: Fuse | None) -> WordOnSplit:
        """Peaks of the word on some tracks, of the detector alone or with the second stage."""
        second = rescorer(self.triggers, float(expit(TRIGGER_LOGIT)), fuse) if fuse else None
        infos = [self.tracks[name] for name in names]
        return measure_word(
            self.word, infos, lambda track, _: self.scores[track], self.timing, config.evaluation, second
        )

    def real(self) -> list[str]:
        """Names of the tracks of recordings."""
        return [name for name in self.tracks if not name.startswith("spoken/")]

    def spoken(self) -> list[str]:
        """Names of the tracks of held-out synthetic voices."""
        return [name for name in self.tracks if name.startswith("spoken/")]


def all_tracks(cell: Cell, training: Config, judging: Config) -> list[Track]:
    """The recordings that judge, and the held-out voices."""
    prepared = prepared_folder(training)
    return [*real_tracks(prepared_folder(judging), cell.word, judging), *spoken_tracks(prepared, training)]


def measured(cell: Cell, training: Config, judging: Config, folder: Path) -> Measured:
    """The stored measures of a detector, made first where they are not there yet."""
    tracks = all_tracks(cell, training, judging)
    bundle = load_bundle(run_pipeline(training, ["prepare", "train", "export"], runner="local").bundle_dir)
    return measured_on(bundle, cell.word, tracks, folder / "triggers" / f"{cell.name}.npz")


def measured_on(bundle: Bundle, word: str, tracks: Sequence[Track], path: Path) -> Measured:
    """Scores and triggers of a bundle's word on tracks, from the file or made and stored there."""
    timing = timing_of(bundle.manifest, bundle.step_s)
    if not path.is_file():
        column = bundle.labels.index(word)
        scores = [values[:, column] for values in score_tracks(bundle, tracks, workers=1)]
        verifier = verifier_of(word)
        kept: dict[str, NDArray[Any]] = {}
        for number, (track, values) in enumerate(zip(tracks, scores, strict=True)):
            index = trigger_index(values, [timing], float(expit(TRIGGER_LOGIT)))
            found = measure_triggers(verifier, word, track, index, bundle.manifest.step_samples)
            kept |= {f"{number}.scores": values, f"{number}.index": index}
            kept |= {f"{number}.{name}": getattr(found, name) for name in FEATURES}
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **kept)
    return _read(path, word, timing, tracks)


def _read(path: Path, word: str, timing: EventTiming, tracks: Sequence[Track]) -> Measured:
    scores, triggers = {}, {}
    with np.load(path, allow_pickle=False) as stored:
        for number, track in enumerate(tracks):
            scores[track.name] = stored[f"{number}.scores"]
            features = PathFeatures(**{name: stored[f"{number}.{name}"] for name in FEATURES})
            triggers[track.name] = TrackTriggers(stored[f"{number}.index"], features)
    return Measured(word, timing, {track.name: TrackInfo.of("test", track) for track in tracks}, scores, triggers)
