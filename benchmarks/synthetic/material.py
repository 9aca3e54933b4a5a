"""Which clips train and which judge, and the recipe of each stage.

Training hears the phrase from text to speech alone; no recording of the phrase enters it. Speech, noise and music are
the train split's. All recordings of the val and test splits judge. Room responses exist in the train split only: every
other one judges and the rest trains.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import RECORDINGS, ROOT
from wakeword.config import Config, load_config
from wakeword.errors import DataError

WORDS = ("alexa", "computer", "jarvis")
SNR_DB = 10.0
HIT_BEFORE_S = 1.0
"""To fire while the word is said is to hear it. Some of these clips hiss after the word, and its end is then taken for
half a second later than it is: with less, a detection within the word counts as one miss and one false alarm, and that
alarm sets the threshold."""

Row = dict[str, str]

PLAIN = [
    "augmentation.noise_probability=0",
    "augmentation.rir_probability=0",
    "augmentation.speed_probability=0",
    "augmentation.vtlp_probability=0",
    "augmentation.spec_probability=0",
    *(
        f"augmentation.{name}_probability=0"
        for name in (
            "noise_room", "music", "babble", "speech", "tempo", "pitch", "eq", "microphone", "band", "clip", "codec",
        )
    ),
]  # fmt: skip
"""Gain, place in the window and the noise floor are left: they are part of every window."""


@dataclass(frozen=True)
class Stage:
    """What a detector is trained from."""

    name: str
    about: str
    overrides: tuple[str, ...] = ()
    recordings: bool = True
    """The train split's speech, noise, music and rooms are there; without them everything is synthetic."""
    real_words: bool = False
    """Recordings of other wake words are among the negatives."""
    mined: bool = False
    """Stretches of the train split are among the negatives, in which the detector of `MINED_FROM` fires."""


MINED_FROM = "words"
STAGES = (
    Stage("alone", "no recordings at all: what `wakeword new` does by itself", recordings=False),
    Stage("plain", "synthesis, recorded speech as negatives, no augmentation", tuple(PLAIN)),
    Stage("augmented", "+ the recipe's augmentation"),
    Stage("words", "+ recordings of other wake words as negatives", real_words=True),
    Stage("mined", "+ what that detector fires on in the train split", real_words=True, mined=True),
)
POLICIES = (
    Stage("near-3", "+ near misses 3 and more phonemes away", ("synthesis.near_miss_clips=200",), real_words=True),
    Stage(
        "near-2-3",
        "+ near misses 2 and more phonemes away",
        ("synthesis.near_miss_clips=200", "synthesis.near_miss_shares={2: 0.5, 3: 0.5}"),
        real_words=True,
    ),
    Stage(
        "near-1-2-3",
        "+ near misses at all distances",
        ("synthesis.near_miss_clips=200", "synthesis.near_miss_shares={1: 0.34, 2: 0.33, 3: 0.33}"),
        real_words=True,
    ),
)


ON = ("noise", "room", "speed", "vtlp", "spec")
OFF = (
    "noise_room", "music", "babble", "speech", "tempo", "pitch", "eq", "microphone", "band", "clip", "codec",
)  # fmt: skip
ABLATIONS = (
    *(Stage(f"no-{n}", f"final, {n} left out", (f"augmentation.{n}_probability=0",), real_words=True) for n in ON),
    *(Stage(f"with-{n}", f"final, {n} put in", (f"augmentation.{n}_probability=0.3",), real_words=True) for n in OFF),
)
"""What each augmentation is worth: those of the recipe left out one by one, and the others put in one by one."""
VARIANTS = (
    Stage(
        "harder",
        "final, more rooms and noise",
        (
            "augmentation.rir_probability=0.6",
            "augmentation.noise_probability=0.85",
            "augmentation.noise_snr_db=[-5, 25]",
        ),
        real_words=True,
    ),
    Stage(
        "wider",
        "final, pitch, equaliser and noise in rooms put in",
        (
            "augmentation.pitch_probability=0.3",
            "augmentation.eq_probability=0.3",
            "augmentation.noise_rir_probability=0.3",
        ),
        real_words=True,
    ),
    Stage(
        "pitch-for-vtlp",
        "final, pitch instead of the vocal tract",
        ("augmentation.pitch_probability=0.3", "augmentation.vtlp_probability=0"),
        real_words=True,
    ),
    Stage("less-noise", "final, noise in fewer windows", ("augmentation.noise_probability=0.4",), real_words=True),
    Stage("longer", "final, twice the steps", ("training.epochs=16",), real_words=True),
    Stage(
        "no-pico",
        "final, without the voices of pico",
        ("synthesis.engines={espeak: 0.6, piper: 0.4}",),
        real_words=True,
    ),
    Stage(
        "no-replay",
        "final, one head that hears each window once",
        ("training.replay_windows=0", "model.heads=1"),
        real_words=True,
    ),
)
ALL_STAGES = {stage.name: stage for stage in (*STAGES, *POLICIES, *ABLATIONS, *VARIANTS)}


@dataclass(frozen=True)
class Cell:
    """One detector: a word, a stage, a seed."""

    word: str
    stage: Stage
    seed: int
    extra: tuple[str, ...] = field(default=())
    """Further overrides, from the command line."""

    @property
    def name(self) -> str:
        """Name of its run."""
        return f"{self.word}-{self.stage.name}-{self.seed}"


def all_rows() -> list[Row]:
    """Rows of the recordings' manifest, paths made absolute. Raises DataError where the recordings are absent."""
    manifest = RECORDINGS / "manifest.csv"
    if not manifest.is_file():
        raise DataError(f"{manifest} does not exist: this benchmark needs the real recordings beside the repository")
    with manifest.open(newline="", encoding="utf-8") as file:
        return [{**row, "path": str(RECORDINGS / row["path"])} for row in csv.DictReader(file)]


def training_rows(rows: list[Row], word: str, real_words: bool) -> Iterator[Row]:
    """The train split without any recording of the word, with or without other wake words."""
    responses = 0
    for row in rows:
        if row["split"] != "train":
            continue
        if row["kind"] == "rir":
            responses += 1
            if responses % 2:
                yield row
        elif row["kind"] != "wakeword" or (real_words and not _holds(row["label"], word)):
            yield row


def judging_rows(rows: list[Row]) -> Iterator[Row]:
    """Everything of val and test as one test split, and the room responses that training does not hear."""
    responses = 0
    for row in rows:
        if row["kind"] == "rir" and row["split"] == "train":
            responses += 1
            if not responses % 2:
                yield {**row, "split": "test"}
        elif row["split"] in ("val", "test"):
            yield {**row, "split": "test"}


def _holds(label: str, word: str) -> bool:
    return word in label.split("_")


def write_manifest(rows: Iterator[Row], path: Path) -> Path:
    """A CSV that the `csv` source reads."""
    kept = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(kept[0]))
        writer.writeheader()
        writer.writerows(kept)
    return path


def mined_folder(cell: Cell, folder: Path) -> Path:
    """Where lies what was mined for a word."""
    return folder / "mined" / cell.word


def training_config(cell: Cell, folder: Path, quick: bool, rows: Callable[[], list[Row]] = all_rows) -> Config:
    """What `wakeword new WORD` writes, with the train split as negatives and the stage's changes."""
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
        *(
            ["training.epochs=1", "training.steps_per_epoch=4", "synthesis.clips_per_word=30",
             "synthesis.speech_clips=20", "synthesis.near_miss_test_clips=9"]
            if quick else []
        ),
        *cell.stage.overrides,
        *cell.extra,
    ]  # fmt: skip
    return load_config(ROOT / "configs" / "demo.yaml", overrides)


def judging_config(folder: Path, quick: bool, rows: Callable[[], list[Row]] = all_rows) -> Config:
    """The real clips of val and test; clean, noise and rooms are the conditions."""
    manifest = folder / "manifests" / "judge.csv"
    if not manifest.is_file():
        write_manifest(judging_rows(rows()), manifest)
    limit: dict[str, Any] = {"limit": 120} if quick else {}
    source = {"type": "csv", "uri": str(manifest), **limit}
    return load_config(
        ROOT / "configs" / "real.yaml",
        [
            "name=judge",
            f"words=[{', '.join(f'{{label: {word}}}' for word in WORDS)}]",
            f"runs_dir={folder}",
            f"data.sources=[{', '.join([_inline(source)])}]",
            f"evaluation.snr_db=[{SNR_DB}]",
            "evaluation.noise_kinds=[]",
            "evaluation.codecs=[]",
            "evaluation.near=false",
            f"evaluation.hit_before_s={HIT_BEFORE_S}",
        ],
    )


def _inline(source: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in source.items()) + "}"
