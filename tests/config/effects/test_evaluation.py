"""Section `evaluation`: which tracks are planned, and what is made of scores that are stored once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.config.effects.effect import Effect, Effects, Observe, check, differs, falls, rises, shared_folder
from tests.evaluation import known
from tests.evaluation.tracks.test_conditions import FAR, NEAR
from tests.evaluation.tracks.test_recordings import recording
from wakeword.config import Config, WordConfig
from wakeword.evaluation.analyse import analyse
from wakeword.evaluation.results import EvaluationReport, WordResult
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.scoring.store import SCORES_NAME, TRUTH_NAME, ScoreStore, write_scores, write_truth
from wakeword.evaluation.tracks.plan import TrackPlan, plan_tracks
from wakeword.evaluation.tracks.recordings import RecordingTrack, with_recordings
from wakeword.runtime.bundle import load_bundle

WORDS = [WordConfig(label="alpha")]
PLAIN = {
    f"evaluation.{key}": value
    for key, value in {"snr_db": [], "noise_kinds": [], "near": False, "far": False, "codecs": []}.items()
}


@cache
def clips() -> dict[str, Any]:
    """Tables of val and test: words, speech, noise, babble, rooms, a near miss and clicks that sound like the word."""
    tables = {}
    for split in ("val", "test"):
        rng = np.random.default_rng(3)
        rows = known.tone_rows(split, 6, 3, ("alpha",))[:-1]
        rows += [known.row(split, "rir", "rir", audio, n) for n, audio in enumerate((NEAR, FAR))]
        rows.append(known.row(split, "noise", "babble", known.coloured(2, rng), 7))
        near = {"resembles": "alpha", "phoneme_distance": 1}
        rows += [known.row(split, "confusable", "alfa", known.tone_clip("alpha", rng), n, **near) for n in range(4)]
        click = np.zeros(2 * known.RATE)
        click[known.RATE : known.RATE + 640] = 0.2 * np.sin(2 * np.pi * 1000 * np.arange(640) / known.RATE)
        rows.append(known.row(split, "speech", "speech", (click * 32767).astype(np.int16), 98))
        tables[split] = known.table_of(rows)
    return tables


def plan(config: Config, split: str = "val") -> TrackPlan:
    return plan_tracks(clips(), split, WORDS, config.evaluation)


def conditions(config: Config, folder: Path) -> list[str]:
    return [track.condition for track in plan(config).tracks if track.kind == "positives"]


def seconds(kind: str) -> Observe:
    def observe(config: Config, folder: Path) -> float:
        return sum(track.duration_s for track in plan(config).tracks if track.kind == kind)

    return observe


def places(config: Config, folder: Path) -> list[float]:
    return [row.start_s for track in plan(config).tracks for row in track.truth]


@cache
def stored(name: str, **detector: float) -> Path:
    """Scores of the tracks under a bundle with these detector times, without noise and rooms."""
    from tests.config.effects.effect import config_with

    folder = shared_folder(name)
    bundle = load_bundle(known.tone_bundle(folder / "bundle", ("alpha",), **detector))
    plans = [plan(config_with(PLAIN), split) for split in ("val", "test")]
    scores = score_tracks(bundle, [track for one in plans for track in one.tracks])
    provenance = {"bundle": "tones"}
    about = {"provenance": provenance, "notes": [], "licences": [], "evaluation": {}, "command": ""}
    write_truth(folder / TRUTH_NAME, [track for one in plans for track in one.tracks], provenance)
    write_scores(folder / SCORES_NAME, plans, scores, bundle, about)
    return folder


def report(config: Config, folder: Path | None = None) -> EvaluationReport:
    return analyse(ScoreStore(folder or stored("tones")), config.evaluation).report


def word(config: Config) -> WordResult:
    return report(config).words[0]


def targets(config: Config, folder: Path) -> list[float]:
    return [target.fah_target for target in word(config).targets]


def threshold(config: Config, folder: Path) -> float:
    return word(config).operating.threshold


def ready(config: Config, folder: Path) -> bool:
    return word(config).ready


def missed(config: Config, folder: Path) -> int:
    test = word(config).operating.test
    assert test is not None
    return next(found.missed for found in test.conditions if found.condition == "clean")


def interval(config: Config, folder: Path) -> float:
    """Upper end of the interval of the rate of false alarms."""
    test = word(config).operating.test
    assert test is not None
    assert test.alarms.high is not None
    return test.alarms.high


def listened(config: Config, folder: Path) -> float:
    """Hours in which an event would be a false alarm."""
    test = word(config).operating.test
    assert test is not None
    return test.alarms.hours


def smoothing(config: Config, folder: Path) -> float:
    return report(config, stored("clicks", smoothing_s=0.0)).detector["smoothing_s"]


def refractory(config: Config, folder: Path) -> float:
    return report(config, stored("slow", refractory_s=20.0)).detector["refractory_s"]


def recorded(config: Config) -> list[RecordingTrack]:
    tracks = with_recordings(TrackPlan("test", ()), WORDS, config.evaluation, 1.0).tracks
    return [track for track in tracks if isinstance(track, RecordingTrack)]


def length(config: Config, folder: Path) -> float:
    return sum(track.duration_s for track in recorded(config))


def truths(config: Config, folder: Path) -> int:
    return sum(len(track.truth) for track in recorded(config))


def licences(config: Config, folder: Path) -> Any:
    """As the report lists them."""
    from wakeword.evaluation.evaluate import _licences

    return _licences([TrackPlan("test", tuple(recorded(config)))])


@cache
def day() -> dict[str, str]:
    return recording(shared_folder("day"), seconds=20.0)


@cache
def longer_day() -> dict[str, str]:
    one_word = "word,start_s,end_s,speaker\nalpha,3.4,3.9,anna\n"
    return recording(shared_folder("longer"), one_word, seconds=30.0)


def of(observe: Observe, to: Any, holds: Any = differs, **more: Any) -> Effect:
    own = {f"evaluation.{key}": value for key, value in more.items() if key != "start"}
    start = {"start": more["start"]} if "start" in more else {}
    return Effect(observe, to, given={**PLAIN, **own}, holds=holds, **start)


DAY = {"recordings": lambda: [day()]}

EFFECTS: Effects = {
    "evaluation.snr_db": of(conditions, [5.0]),
    "evaluation.noise_kinds": of(conditions, ["babble"]),
    "evaluation.noise_kind_snr_db": of(conditions, [10.0, 0.0], noise_kinds=["babble"]),
    "evaluation.near": of(conditions, True),
    "evaluation.far": of(conditions, True),
    "evaluation.codecs": of(conditions, ["telephone"]),
    "evaluation.gap_s": of(seconds("positives"), (3.0, 4.0), rises),
    "evaluation.negative_gap_s": of(seconds("speech"), (1.0, 2.0), rises),
    "evaluation.seed": of(places, 1),
    "evaluation.recordings.*.uri": of(length, lambda: longer_day()["uri"], rises, **DAY),
    "evaluation.recordings.*.truth": of(truths, lambda: longer_day()["truth"], falls, **DAY),
    "evaluation.recordings.*.split": of(length, "val", falls, **DAY),
    "evaluation.recordings.*.licence": of(licences, "CC0-1.0", **DAY),
    "evaluation.fah_targets": of(targets, [2.0, 4.0]),
    "evaluation.operating_fah": of(targets, 90.0),
    "evaluation.operating_frr": of(ready, 1.0, rises, hit_before_s=0.0, operating_fah=1e4, start=0.01),
    "evaluation.near_miss_limits": of(threshold, {1: 0.0}, rises, operating_fah=1e4),
    "evaluation.smoothing_grid_s": of(smoothing, [0.1], rises),
    "evaluation.refractory_grid_s": of(refractory, [1.0], falls),
    "evaluation.hit_before_s": of(missed, 0.0, rises),
    "evaluation.hit_after_s": of(listened, 0.5, rises),
    "evaluation.confidence": of(interval, 0.8, falls),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
