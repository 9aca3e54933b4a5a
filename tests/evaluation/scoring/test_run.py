"""Scoring at scale: cut tracks give the scores of whole ones to the last bit, in threads, on Ray and from the cache."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.evaluation import known
from tests.export.conftest import small_config, untrained
from wakeword.config import WordConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.evaluation.scoring import run as scoring
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.scoring.stage import ScoreStage, block_samples, memory_blocks, plan_chunks
from wakeword.evaluation.tracks.plan import plan_tracks
from wakeword.evaluation.tracks.track import Track
from wakeword.export.manifest import build_manifest, graph_metadata, write_bundle_files
from wakeword.export.onnx import export_onnx
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.runtime.engine import Engine
from wakeword.runtime.events import Detection, EventDetector
from wakeword.stages.ray_session import ray_session


def exported(folder: Path, kind: str) -> Bundle:
    """A real student with random weights whose scores move."""
    config = small_config(frontend={"kind": kind})
    model = untrained(config)
    manifest = build_manifest(config, model.step_samples, model.state_size, model.context_samples, {})
    write_bundle_files(folder, export_onnx(model, config.export.opset, graph_metadata(manifest)), manifest)
    return load_bundle(folder)


BY_HAND = "by hand"
STUDENT = pytest.param("student", marks=pytest.mark.slow)
"""Tracing a real student takes ten seconds of an idle processor."""


@pytest.fixture(scope="module", params=[BY_HAND, STUDENT])
def finite(request, tmp_path_factory) -> Bundle:
    folder = tmp_path_factory.mktemp("finite") / "bundle"
    if request.param == BY_HAND:
        # So loud that noise moves around the threshold as well.
        return load_bundle(known.tone_bundle(folder, gain=80.0, recalls=6))
    return exported(folder, "log_mel")


@pytest.fixture(scope="module")
def tracks(tmp_path_factory) -> tuple[Track, ...]:
    root = known.prepared(tmp_path_factory.mktemp("data") / "p", known.tone_rows("test", 4, 8, ("alpha",)))
    tables = {"test": ShardSet.open(root).table("test")}
    config = EvaluationConfig(snr_db=(5.0,), codecs=())
    return plan_tracks(tables, "test", [WordConfig(label="alpha")], config, root).tracks


def unbroken(bundle: Bundle, track: Track) -> np.ndarray:
    """The scores of one stream that is never cut, and of the silence behind it, by a loop over the same blocks."""
    engine = Engine(bundle)
    state, found = engine.initial_state(1), []
    block = block_samples(engine)
    audio = np.concatenate([*track.blocks(block), np.zeros(bundle.tail_samples(track.samples), np.float32)])
    for start in range(0, len(audio), block):
        part = audio[start : start + block]
        score, state = engine.run(np.pad(part, (0, block - len(part)))[None], state)
        found.append(score[0, : len(part) // engine.step_samples])
    return np.concatenate(found)


def events(scores: np.ndarray, bundle: Bundle) -> list[Detection]:
    detector = EventDetector(bundle.labels, bundle.step_s, 0.06, 0.1, 0.3, thresholds=0.5)
    return detector.push(scores[None]) + detector.flush()


def test_a_track_reads_the_same_from_any_sample(tracks) -> None:
    for track in tracks:
        whole = np.concatenate(list(track.blocks(10_000)))
        for start, end in ((0, 5), (15_999, 16_001), (70_123, 130_456), (track.samples - 9, track.samples)):
            np.testing.assert_array_equal(np.concatenate(list(track.blocks(777, start, end))), whole[start:end])


@pytest.mark.parametrize("chunk_s", [4.0, 9.0, 1000.0])
def test_cut_tracks_have_the_scores_and_events_of_unbroken_streams(finite, tracks, chunk_s) -> None:
    engine = Engine(finite)
    memory = memory_blocks(engine)
    assert memory == 1
    assert len(plan_chunks(tracks, engine, memory, 4.0)) > 3 * len(tracks)
    for track, scores in zip(tracks, score_tracks(finite, tracks, chunk_s=chunk_s), strict=True):
        alone = unbroken(finite, track)
        np.testing.assert_array_equal(scores, alone)
        assert events(scores, finite) == events(alone, finite)
        assert events(scores, finite)


def test_without_the_run_up_cut_tracks_would_differ(finite, tracks) -> None:
    """What the run-up is for: the test above could not fail if the scores did not depend on it."""
    track = next(track for track in tracks if track.kind == "speech")
    stage = ScoreStage(finite, [track], 0)
    stage.setup()
    block = block_samples(stage.engine)
    part = stage(pa.table({"track": [0], "start": [block], "end": [2 * block]}))
    cut = np.frombuffer(part.column("scores")[0].as_py(), np.float32).reshape(-1, 2)
    steps = block // stage.engine.step_samples
    assert not np.array_equal(cut, unbroken(finite, track)[steps : 2 * steps])


@pytest.mark.parametrize("kind", [BY_HAND, STUDENT])
def test_a_graph_that_never_forgets_hands_its_state_on(tracks, tmp_path, kind) -> None:
    if kind == "student":
        bundle = exported(tmp_path / "bundle", "pcen")
    else:
        bundle = load_bundle(known.tone_bundle(tmp_path / "bundle", keeps=0.9))
    engine = Engine(bundle)
    assert memory_blocks(engine) is None
    chunks = plan_chunks(tracks, engine, None, 4.0)
    assert sorted(chunks.column("track").to_pylist()) == list(range(len(tracks)))
    stage = ScoreStage(bundle, tracks, 1)
    stage.setup()
    for track, scores in zip(tracks, score_tracks(bundle, tracks, chunk_s=4.0), strict=True):
        np.testing.assert_array_equal(scores, unbroken(bundle, track))
        if kind == BY_HAND:
            # With a run-up of one block in its place, the third block would differ.
            third = 2 * block_samples(engine)
            cut = stage._score(track, third, track.samples)
            assert not np.array_equal(cut, scores[third // engine.step_samples :])


def test_four_workers_with_chunks_dealt_in_any_order_merge_to_the_same(finite, tracks) -> None:
    engine = Engine(finite)
    chunks = plan_chunks(tracks, engine, memory_blocks(engine), 4.0)
    first = ScoreStage(finite, tracks, memory_blocks(engine))
    stages = [pickle.loads(pickle.dumps(first)) for _ in range(4)]
    for stage in stages:
        stage.setup()
    merge = scoring._Merge(finite, tracks, engine.step_samples)
    for place, row in enumerate(np.random.default_rng(1).permutation(chunks.num_rows).tolist()):
        merge.take(stages[place % 4](chunks.slice(row, 1)))
    for number, track in enumerate(tracks):
        assert merge.complete(number)
        np.testing.assert_array_equal(merge.scores[number], unbroken(finite, track))


def test_tracks_of_a_prepared_folder_travel_without_their_audio(tracks) -> None:
    sent = pickle.dumps(tracks)
    assert len(sent) < 100_000 < tracks[0].clips.table.nbytes
    for here, there in zip(tracks, pickle.loads(sent), strict=True):
        np.testing.assert_array_equal(next(here.blocks(50_000)), next(there.blocks(50_000)))


@pytest.mark.ray
@pytest.mark.parametrize("finite", ["student"], indirect=True)
def test_four_workers_of_ray_give_the_same_events(finite, tracks) -> None:
    scored_s: list[float] = []
    with ray_session(small_config(compute={"workers": 1, "cpus_per_worker": 4}), min_cpus=4):
        spread = score_tracks(finite, tracks, 4, scored_s.append, runner="ray", chunk_s=8.0)
    assert sum(scored_s) == pytest.approx(sum(track.duration_s for track in tracks))
    for scores, alone in zip(spread, score_tracks(finite, tracks), strict=True):
        np.testing.assert_array_equal(scores, alone)
        assert events(scores, finite) == events(alone, finite)


def test_scores_are_found_again_by_content(tracks, tmp_path, monkeypatch) -> None:
    calls: list[int] = []
    run = Engine.run

    def counted(self, audio, state):
        calls.append(audio.shape[1])
        return run(self, audio, state)

    monkeypatch.setattr(Engine, "run", counted)
    bundle = load_bundle(known.tone_bundle(tmp_path / "tones"))
    cache, scored_s = tmp_path / "cache", []
    Engine(bundle)
    settling = len(calls)
    first = score_tracks(bundle, tracks, cache_dir=cache)
    calls.clear()
    again = score_tracks(bundle, tracks, progress=scored_s.append, cache_dir=cache)
    assert len(calls) == settling  # the session starts, and nothing is scored
    assert sum(scored_s) == pytest.approx(sum(track.duration_s for track in tracks))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    louder = load_bundle(known.tone_bundle(tmp_path / "louder", gain=0.5))
    assert max(scores.max() for scores in score_tracks(louder, tracks, cache_dir=cache)) <= 0.5
    # One damaged file costs one track.
    calls.clear()
    broken = sorted(cache.iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:200])
    both = [score_tracks(detector, tracks, cache_dir=cache) for detector in (bundle, louder)]
    np.testing.assert_array_equal(both[0][0], first[0])
    assert sum(1 for samples in calls if samples == 64_000) > 0


def test_other_clips_seeds_or_conditions_are_other_content(tracks) -> None:

    def content(seed: int = 0, level: float = 0.1) -> set[bytes]:
        rows = [known.row("test", "speech", "speech", known.coloured(2.0, np.random.default_rng(3), level), 0)]
        config = EvaluationConfig(seed=seed)
        plan = plan_tracks({"test": known.table_of(rows)}, "test", [WordConfig(label="alpha")], config)
        return {b"".join(track.identity()) for track in plan.tracks}

    assert content() == content()
    assert not content() & content(seed=1)
    assert not content() & content(level=0.2)
    assert len({b"".join(track.identity()) for track in tracks}) == len(tracks)


def test_scores_that_are_not_finite_are_refused(tracks, tmp_path) -> None:
    bundle = load_bundle(known.tone_bundle(tmp_path / "tones"))
    merge = scoring._Merge(bundle, tracks, 320)
    values = np.full((2, 2), np.nan, dtype=np.float32).tobytes()
    with pytest.raises(DataError, match="not finite on track test/alpha/clean"):
        merge.take(pa.table({"track": [0], "start": [0], "end": [640], "scores": [values]}))
