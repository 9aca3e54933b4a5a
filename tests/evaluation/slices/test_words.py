"""What the manifest knows of a clip reaches the slices, and no hour or word is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation import known
from tests.evaluation.bare import evaluate
from wakeword.config import validate_config
from wakeword.evaluation.metrics.detector_times import timing_of
from wakeword.evaluation.metrics.measure import measure_word
from wakeword.evaluation.results import EvaluationReport
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.slices.words import duration_edges, slice_alarms, slice_words
from wakeword.runtime.manifest import DetectorSettings


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[EvaluationReport, ScoreStore]:
    folder = tmp_path_factory.mktemp("slices")
    rows = [row for split in ("val", "test") for row in known.tone_rows(split, 24, 20, ("alpha",))]
    words = [row for row in rows if row["kind"] == "wakeword"]
    for number, row in enumerate(words):
        low = number % 2 == 0
        row |= {"accent": "scots" if low else "", "gender": "male" if low else "female", "text": "hey alpha please"}
        row |= {"speaker": f"{row['split']}-{number % 8}", "pitch_hz": 110.0 if low else 210.0}
    next(row for row in rows if row["kind"] == "speech" and row["split"] == "test")["source"] = "radio"
    # Tones that fire, in speech of one source of test.
    tone = (0.2 * np.sin(2 * np.pi * 1000 * np.arange(known.RATE) / known.RATE) * 32767).astype(np.int16)
    rows.append(known.row("test", "speech", "speech", tone, 98, source="beeps"))
    settings = {"snr_db": [10.0], "near": False, "far": False, "codecs": [], "noise_kinds": []}
    config = validate_config({"words": [{"label": "alpha"}], "evaluation": settings})
    bundle = known.tone_bundle(folder / "b", ("alpha",))
    report = evaluate(bundle, known.prepared(folder / "p", rows), config, folder / "out")
    return report, ScoreStore(folder / "out")


def test_what_the_manifest_knows_is_a_slice(world) -> None:
    slices = world[0].words[0].slices
    by_dimension = {
        name: {part.name: part.words for part in slices.dimension(name).slices}
        for name in ("accent", "gender", "pitch", "position", "condition")
    }
    assert by_dimension == {
        "accent": {"scots": 12},
        "gender": {"female": 12, "male": 12},
        "pitch": {"below 165 Hz": 12, "165-255 Hz": 12},
        "position": {"inside a sentence": 24},
        "condition": {"clean": 24, "10 dB": 24},
    }
    assert all(part.too_little for part in slices.dimension("gender").slices)
    assert slices.dimension("condition").slices[0].frr == 0


def test_hours_and_false_alarms_are_shared_out_by_source(world) -> None:
    report, store = world
    target = report.words[0].operating
    timing = timing_of(DetectorSettings(**report.detector), store.step_s)
    config = validate_config({"words": [{"label": "alpha"}], "evaluation": report.evaluation_config}).evaluation
    view = measure_word("alpha", store.of("test"), store.scores, timing, config)
    alarms, hours = slice_alarms(view, target.threshold)
    assert sum(hours.values()) == pytest.approx(target.test.alarms.hours)
    assert target.test.alarms.false_alarms == 1
    assert alarms == {("speech", "beeps"): 1}
    assert {source for _, source in hours} == {"made", "radio", "beeps"}
    radio = sum(amount for (_, source), amount in hours.items() if source == "radio")
    assert radio * 3600 == pytest.approx(5.0, rel=0.1)  # its clip of 5 s and its share of the gaps
    words = slice_words(view, "alpha", target.threshold, duration_edges(view))
    assert len(words) == 48
    assert sum(word.missed for word in words) == sum(result.missed for result in target.test.conditions)
    assert {word.slices["duration"].split(" (")[0] for word in words} <= {"short", "medium", "long"}
