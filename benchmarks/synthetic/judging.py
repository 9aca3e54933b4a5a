"""Accuracy of a detector on real recordings: misses per condition at a false-alarm rate, and near misses that fire.

One threshold per detector: the lowest that keeps `TARGET_FAH` on the judging clips themselves (an oracle, as in
published figures). A second one also keeps the limits on near misses. Near misses and the phrase spoken beside them
come from voices that are not in the training data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import detect_on, timing_of
from benchmarks.synthetic.material import SNR_DB, Cell
from wakeword.config import Config
from wakeword.data.shards import ShardSet
from wakeword.data.synthesis.roster import held_out
from wakeword.evaluation.metrics.det import oracle_threshold
from wakeword.evaluation.metrics.measure import WordOnSplit, at_threshold
from wakeword.evaluation.metrics.near_misses import near_miss_floor
from wakeword.evaluation.results import SplitResult
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.tracks.plan import Track, plan_tracks, snr_name
from wakeword.pipeline import prepared_folder, run_pipeline
from wakeword.runtime.bundle import Bundle, load_bundle

TARGET_FAH = 0.5
FAR_NOISE = "far + 10 dB"
CONDITIONS = ("clean", snr_name(SNR_DB), FAR_NOISE)
NEAR_MISS_LIMITS = {2: 0.3, 3: 0.1, 4: 0.1}
DISTANCES = ("1", "2", "3 or more")


def real_tracks(judge_dir: Path, word: str, config: Config) -> list[Track]:
    """Tracks of the real clips, `far + 10 dB` in the place of `far`."""
    shards = ShardSet.open(judge_dir)
    words = [entry for entry in config.words if entry.label == word]
    plan = plan_tracks({"test": shards.table("test")}, "test", words, config.evaluation, shards.root)
    noisy = next(track for track in plan.tracks if track.condition == snr_name(SNR_DB))
    tracks = []
    for track in plan.tracks:
        if track.condition == "far":
            name = track.name.replace("/far", f"/{FAR_NOISE}")
            truth = tuple(replace(row, track=name, condition=FAR_NOISE) for row in track.truth)
            track = replace(track, name=name, condition=FAR_NOISE, truth=truth, snr_db=noisy.snr_db, noise=noisy.noise)
        tracks.append(track)
    return tracks


def spoken_tracks(prepared_dir: Path, config: Config) -> list[Track]:
    """Tracks of the held-out voices: the phrase, clean, and its near misses; other voices are not counted."""
    shards = ShardSet.open(prepared_dir)
    quiet = config.evaluation.model_copy(update={"snr_db": (), "near": False, "far": False, "codecs": ()})
    unheard = {voice.speaker for voices in held_out(config.synthesis).values() for voice in voices}
    plan = plan_tracks({"test": shards.table("test")}, "test", config.words, quiet, shards.root)
    tracks = []
    for track in plan.tracks:
        if track.kind in ("positives", "near_misses") and track.condition in ("clean", "as is"):
            kept = tuple(row for row in track.truth if row.speaker in unheard)
            tracks.append(replace(track, name=f"spoken/{track.name}", truth=kept))
    return tracks


def judge(cell: Cell, training: Config, judging: Config) -> dict[str, Any]:
    """Train and export a detector; figures at the target, and at the target within the near-miss limits."""
    run = run_pipeline(training, ["prepare", "train", "export"], runner="local")
    bundle = load_bundle(run.bundle_dir)
    return judge_bundle(bundle, cell.word, training, judging, run.prepared_dir, prepared_folder(judging))


def judge_bundle(
    bundle: Bundle, word: str, training: Config, judging: Config, prepared_dir: Path, judge_dir: Path
) -> dict[str, Any]:
    """Figures of a detector of `word`, with near misses of `prepared_dir` and the real clips of `judge_dir`."""
    real = _detect(bundle, real_tracks(judge_dir, word, judging), word, judging)
    spoken = _detect(bundle, spoken_tracks(prepared_dir, training), word, judging)
    return figures(real, spoken, judging)


def figures(real: WordOnSplit, spoken: WordOnSplit, config: Config) -> dict[str, Any]:
    """Figures at the target's threshold (`free`), and at the one that also keeps the near-miss limits (`limited`)."""
    free = oracle_threshold(real.alarms, TARGET_FAH * real.hours)
    limited = max(free, near_miss_floor(spoken.near_misses, NEAR_MISS_LIMITS).threshold)
    return {"free": _at(real, spoken, free, config), "limited": _at(real, spoken, limited, config)}


def _detect(bundle: Bundle, tracks: list[Track], word: str, config: Config) -> WordOnSplit:
    column = bundle.labels.index(word)
    scores = [values[:, column] for values in score_tracks(bundle, tracks, workers=1)]
    return detect_on(tracks, scores, word, timing_of(bundle.manifest, bundle.step_s), config)


def _at(real: WordOnSplit, spoken: WordOnSplit, threshold: float, config: Config) -> dict[str, Any]:
    result: SplitResult = at_threshold(real, threshold, config.evaluation)
    own = spoken.curves.get("clean")
    own_missed = round(float(own.frr(threshold)) * own.words) if own else 0
    return {
        "threshold": threshold,
        "missed": {part.condition: [part.missed, part.words] for part in result.conditions},
        "fired": fired_shares(spoken, threshold),
        "own_phrase": [own.words - own_missed, own.words] if own else [0, 0],
        "false_alarms": result.alarms.false_alarms,
        "hours": result.alarms.hours,
    }


def fired_shares(spoken: WordOnSplit, threshold: float) -> dict[str, list[int]]:
    """Near misses that fire and all near misses, by distance."""
    clips = spoken.near_misses
    fired = clips.score >= threshold
    groups = {name: clips.phoneme_distance == int(name) for name in DISTANCES[:-1]}
    groups[DISTANCES[-1]] = clips.phoneme_distance >= len(DISTANCES)
    return {name: [int(fired[inside].sum()), int(inside.sum())] for name, inside in groups.items()}


def misses(real: WordOnSplit, threshold: float) -> dict[str, float]:
    """Share of missed words per condition."""
    return {name: float(curve.frr(threshold)) for name, curve in real.curves.items()}
