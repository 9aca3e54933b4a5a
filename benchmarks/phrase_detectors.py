"""Detectors for `benchmarks.phrase_forecast`: trained on synthesis alone, and their false alarms on real recordings."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness import RECORDINGS, ROOT, detect_on, recording_rows, timing_of, write_manifest
from benchmarks.synthetic.kept import Embedded, Lab
from wakeword.config import SAMPLE_RATE_HZ, Config, config_hash, load_config
from wakeword.config.labels import label_of
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.tracks.plan import plan_tracks
from wakeword.evaluation.tracks.track import Track
from wakeword.models.streaming import StreamingModel
from wakeword.pipeline import prepared_folder, run_pipeline
from wakeword.system.files import write_json

NEGATIVES = RECORDINGS.parent / "negatives"
MISSES = 0.05
"""Share of the phrase's own clips, of val and test, that the detector's threshold misses."""
_SMALL = (
    *("synthesis.engines={espeak: 0.6, pico: 0.4}", "synthesis.near_miss_test_clips=0", "synthesis.noises=24"),
    *("synthesis.rooms=12", "data.splits.val=0.2", "data.splits.test=0.2", "compute.workers=0"),
    *("evaluation.snr_db=[]", "evaluation.near=false", "evaluation.far=false", "evaluation.codecs=[]"),
    *("data.quality.guarded=false", "data.quality.duplicates=equal"),
)


def training_config(phrases: Sequence[str], folder: Path, clips: int, seed: int) -> Config:
    """The recipe of `wakeword new` for one or more phrases, with fast voices; other sentences are shared by all."""
    labels = [label_of(phrase) for phrase in phrases]
    words = ", ".join(f"{{label: {label}, phrase: {phrase}}}" for label, phrase in zip(labels, phrases, strict=True))
    name = labels[0] if len(labels) == 1 else f"together-{len(labels)}"
    overrides = [
        *(f"name={name}-{seed}", f"words=[{words}]", f"runs_dir={folder}"),
        *(
            f"synthesis.clips_per_word={clips}",
            "synthesis.speech_clips=150",
            "export.verifier=none",
            "synthesis.negative_hours=0",
            f"training.seed={seed}",
        ),
        *(f"synthesis.cache_dir={folder / 'voices'}", *_SMALL),
    ]
    return load_config(ROOT / "configs" / "demo.yaml", overrides)


def negatives_config(folder: Path, most: int) -> Config:
    """A recipe whose test split is the recordings of false alarms; `most` of them, 0 for all.

    Raises:
        DataError: the recordings are absent.
    """
    source = NEGATIVES / "manifest.csv"
    if not source.is_file():
        raise DataError(f"{source} does not exist: this benchmark needs the recordings beside the repository")
    with source.open(newline="", encoding="utf-8") as file:
        rows = [{**row, "path": str(NEGATIVES / row["path"])} for row in csv.DictReader(file)]
    if most:
        rows = rows[:: max(1, len(rows) // most)]
    # Data are prepared for a word: one clip of some word stands for it, in train, where nothing listens to it.
    word = next(row for row in recording_rows() if row["kind"] == "wakeword")
    named = {"path": word["path"], "label": "none", "speaker": word["speaker"], "kind": "wakeword", "split": "train"}
    rows.append({**dict.fromkeys(rows[0], ""), **named})
    manifest = write_manifest(rows, folder / f"negatives-{len(rows)}.csv")
    overrides = [
        *("name=negatives", "words=[{label: none, phrase: none}]", f"runs_dir={folder}", "synthesis.enabled=false"),
        *(f"data.sources=[{{type: csv, uri: {manifest}}}]", "compute.workers=0", "data.quality.guarded=false"),
        "data.quality.duplicates=keep",
    ]
    return load_config(ROOT / "configs" / "demo.yaml", overrides)


def negative_tracks(folder: Path, most: int) -> list[Track]:
    """The recordings one after another, as an evaluation hears them."""
    config = negatives_config(folder, most)
    run_pipeline(config, ["prepare"], runner="local")
    shards = ShardSet.open(prepared_folder(config))
    plan = plan_tracks({"test": shards.table("test")}, "test", config.words, config.evaluation, shards.root)
    return [track for track in plan.tracks if track.kind in ("speech", "noise")]


def measured(
    phrases: Sequence[str], folder: Path, clips: int, steps: int, updates: int, most: int, seed: int
) -> list[dict[str, Any]]:
    """False alarms per hour at `MISSES` of a detector of one phrase, or of each output of one of several.

    Figures are kept in `folder` and not measured again.
    """
    config = training_config(phrases, folder, clips, seed)
    path = folder / "detectors" / f"{config.name}-{clips}-{steps}-{updates}-{most}-{config_hash(*config.words)}.json"
    if path.is_file():
        return list(json.loads(path.read_text(encoding="utf-8")))
    run_pipeline(config, ["prepare"], runner="local")
    lab = Lab.open(config, prepared_folder(config))
    lab.fill(steps)
    model = lab.learn(updates).eval()
    own = Embedded.of(model, _own_tracks(config), folder / "embedded" / config.name)
    other = Embedded.of(model, negative_tracks(folder, most), folder / "embedded" / "negatives")
    scores = [_scores(model, audio) for audio in (own, other)]
    timing = timing_of(config, model.step_samples / SAMPLE_RATE_HZ)
    found = []
    for column, word in enumerate(config.words):
        on_own, on_other = (
            detect_on(audio.tracks, [track[:, column] for track in values], word.label, timing, config)
            for audio, values in zip((own, other), scores, strict=True)
        )
        found.append({"phrase": word.text, **_figures(on_own, on_other)})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


@torch.no_grad()
def _scores(model: StreamingModel, audio: Embedded) -> list[NDArray[np.float32]]:
    """Scores `(times, words)` per track: the mean logit of the heads."""
    heads = len(model.network.heads)  # type: ignore[arg-type]
    logits = (
        model.network.classify_embeddings(track.float().T[None].repeat(heads, 1, 1)).mean(0)
        for track in audio.embeddings
    )
    return [torch.sigmoid(values).numpy() for values in logits]


def _figures(own: WordOnSplit, other: WordOnSplit) -> dict[str, Any]:
    """The highest threshold that misses at most `MISSES` of the phrase's clips, and the false alarms there."""
    curve = own.curves["clean"]
    levels = np.append(0.0, curve.threshold)
    threshold = float(levels[np.asarray(curve.frr(levels)) <= MISSES].max())
    return {
        "threshold": threshold,
        "missed": float(np.asarray(curve.frr(np.asarray([threshold])))[0]),
        "words": curve.words,
        "false_alarms": int(other.alarms.at(np.asarray([threshold]))[1][0]),
        "hours": other.hours,
    }


def _own_tracks(config: Config) -> list[Track]:
    """The phrases in voices that training did not hear: the clean tracks of val and test."""
    shards = ShardSet.open(prepared_folder(config))
    tracks = []
    for split in ("val", "test"):
        plan = plan_tracks({split: shards.table(split)}, split, config.words, config.evaluation, shards.root)
        tracks += [track for track in plan.tracks if track.kind == "positives" and track.condition == "clean"]
    return tracks
