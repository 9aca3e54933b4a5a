"""Clips for training and for judging, and the recipe of each stage.

Positives of training come from text to speech alone. Speech, noise and music are those of the train split. All
recordings of the val and test splits judge. Room impulse responses exist in the train split only: every other one
judges and the rest trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import ROOT, recording_rows, write_manifest
from wakeword.config import Config, load_config

WORDS = ("alexa", "computer", "jarvis")
SNR_DB = 10.0
HIT_BEFORE_S = 1.0
"""A detection within the word is a hit. Some clips hiss after the word, and its end is then estimated up to 0.5 s too
late: with a smaller value, such a detection counts as a miss and as a false alarm, which sets the threshold."""

Row = dict[str, str]

ON = ("noise", "rir", "speed", "vtlp", "spec")
OFF = ("noise_rir", "music", "babble", "speech", "tempo", "pitch", "eq", "microphone", "band", "clip", "codec")
"""Augmentations that are on and off in the recipe. Gain, place in the window and noise floor belong to every window."""


def _probability(names: tuple[str, ...], value: float) -> tuple[str, ...]:
    return tuple(f"augmentation.{name}_probability={value:g}" for name in names)


@dataclass(frozen=True)
class Stage:
    """A recipe of training.

    `recordings`: the train split's speech, noise, music and room responses are used; without them everything is
    synthetic. `real_words`: recordings of other wake words are among the negatives. `mined`: stretches of the train
    split on which the detector of `MINED_FROM` fires are among them.
    """

    name: str
    overrides: tuple[str, ...] = ()
    recordings: bool = True
    real_words: bool = True
    mined: bool = False


MINED_FROM = "words"
STAGES = (
    # No recordings at all, as in `wakeword new`.
    Stage("alone", recordings=False, real_words=False),
    # Synthesis, recorded speech as negatives, no augmentation.
    Stage("plain", _probability(ON + OFF, 0), real_words=False),
    # With the recipe's augmentation, then with other wake words as negatives, then with mined negatives.
    Stage("augmented", real_words=False),
    Stage("words"),
    Stage("mined", mined=True),
)
POLICIES = tuple(
    Stage(name, ("synthesis.near_miss_clips=200", *shares))
    for name, shares in (
        ("near-3", ()),
        ("near-2-3", ("synthesis.near_miss_shares={2: 0.5, 3: 0.5}",)),
        ("near-1-2-3", ("synthesis.near_miss_shares={1: 0.34, 2: 0.33, 3: 0.33}",)),
    )
)
"""Near misses at these phoneme distances are added to training."""
VOICES = (
    # The recipe without one of its parts, or with Kokoro's voices among those of training.
    Stage("unchecked", ("synthesis.check_words=false",)),
    Stage("one-language", ("synthesis.other_languages=[]",)),
    Stage(
        "kokoro",
        (
            "synthesis.engines={espeak: 0.3, piper: 0.25, pico: 0.2, kokoro: 0.25}",
            "synthesis.hold_out=[hibari, kokoro/10, espeak/8]",
        ),
    ),
)
ABLATIONS = (
    *(Stage(f"no-{name}", _probability((name,), 0)) for name in ON),
    *(Stage(f"with-{name}", _probability((name,), 0.3)) for name in OFF),
)
"""Each augmentation of the recipe left out, and each other one put in."""
ALL_STAGES = {stage.name: stage for stage in (*STAGES, *POLICIES, *VOICES, *ABLATIONS)}


@dataclass(frozen=True)
class Cell:
    """One detector: a word, a stage, a seed, and overrides from the command line."""

    word: str
    stage: Stage
    seed: int
    extra: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of its run."""
        return f"{self.word}-{self.stage.name}-{self.seed}"


def _judging_responses(rows: list[Row]) -> set[str]:
    """Paths of every other room response."""
    return {row["path"] for row in [row for row in rows if row["kind"] == "rir" and row["split"] == "train"][1::2]}


def training_rows(rows: list[Row], word: str, real_words: bool) -> Iterator[Row]:
    """The train split without any recording of the word, with or without other wake words."""
    judging = _judging_responses(rows)
    for row in rows:
        other_word = real_words and word not in row["label"].split("_")
        if row["split"] == "train" and row["path"] not in judging and (row["kind"] != "wakeword" or other_word):
            yield row


def judging_rows(rows: list[Row]) -> Iterator[Row]:
    """Everything of val and test as one test split, and the room responses that training does not use."""
    judging = _judging_responses(rows)
    for row in rows:
        if row["split"] in ("val", "test") or row["path"] in judging:
            yield {**row, "split": "test"}


def mined_folder(cell: Cell, folder: Path) -> Path:
    """Folder of a word's mined negatives."""
    return folder / "mined" / cell.word


def training_config(cell: Cell, folder: Path, quick: bool, rows: Callable[[], list[Row]] = recording_rows) -> Config:
    """The recipe of `wakeword new WORD`, with the train split as negatives and the stage's changes."""
    sources = "[]"
    if cell.stage.recordings:
        kind = "words" if cell.stage.real_words else "speech"
        manifest = folder / "manifests" / f"train-{cell.word}-{kind}.csv"
        if not manifest.is_file():
            write_manifest(training_rows(rows(), cell.word, cell.stage.real_words), manifest)
        mined = f", {{type: mined, uri: {mined_folder(cell, folder)}}}" if cell.stage.mined else ""
        sources = f"[{{type: csv, uri: {manifest}{', limit: 60' if quick else ''}}}{mined}]"
    overrides = [
        f"name={cell.name}",
        f"words=[{{label: {cell.word}, phrase: {cell.word}}}]",
        f"runs_dir={folder}",
        f"data.sources={sources}",
        f"synthesis.cache_dir={folder / 'voices' / cell.word}",
        f"training.seed={cell.seed}",
        "compute.workers=0",
        # The second stage is measured apart.
        "export.verifier=none",
        # Recordings judge; half of the near misses are spoken by unheard voices.
        "synthesis.negative_hours=0",
        "synthesis.near_miss_test_clips=180",
        *(
            ["training.epochs=1", "training.steps_per_epoch=4", "synthesis.clips_per_word=30",
             "synthesis.speech_clips=20", "synthesis.near_miss_test_clips=9"]
            if quick else []
        ),
        *cell.stage.overrides,
        *cell.extra,
    ]  # fmt: skip
    return load_config(ROOT / "configs" / "demo.yaml", overrides)


def judging_config(folder: Path, quick: bool) -> Config:
    """The real clips of val and test; clean, noise and rooms are the conditions."""
    manifest = folder / "manifests" / "judge.csv"
    if not manifest.is_file():
        write_manifest(judging_rows(recording_rows()), manifest)
    return load_config(
        ROOT / "configs" / "real.yaml",
        [
            "name=judge",
            f"words=[{', '.join(f'{{label: {word}}}' for word in WORDS)}]",
            f"runs_dir={folder}",
            f"data.sources=[{{type: csv, uri: {manifest}{', limit: 120' if quick else ''}}}]",
            f"evaluation.snr_db=[{SNR_DB}]",
            "evaluation.noise_kinds=[]",
            "evaluation.codecs=[]",
            "evaluation.near=false",
            f"evaluation.hit_before_s={HIT_BEFORE_S}",
        ],
    )
