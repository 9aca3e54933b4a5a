"""Triggers measured at scale: threads, Ray and the cache give the same features, which the file keeps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.evaluation import known
from tests.export.conftest import small_config
from tests.verified_bundle import spoken_track, write_verified_bundle
from wakeword.config import WordConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.evaluation.cascade import run as cascade
from wakeword.evaluation.cascade.run import Measured, SecondStage, measure_tracks
from wakeword.evaluation.cascade.store import TRIGGERS_NAME, open_triggers, write_triggers
from wakeword.evaluation.cascade.triggers import FEATURES, trigger_index
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.tracks.plan import plan_tracks
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.stages.ray_session import ray_session


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return load_bundle(write_verified_bundle(tmp_path_factory.mktemp("bundle") / "b"))


def rows(split: str = "test") -> list[dict]:
    """Words of two tones; "speech" with bare tones, which the detector takes for words and the verifier does not."""

    def pcm(audio: np.ndarray) -> np.ndarray:
        return (np.clip(audio, -1, 1) * 32767).astype(np.int16)

    found = []
    for label in ("alpha", "beta"):
        for number in range(3):
            audio = pcm(spoken_track([(label, 0.4)], [], 1.6, seed=number))
            place = {"word_start_s": 0.4, "word_end_s": 0.9}
            found.append(known.row(split, "wakeword", label, audio, number, **place))
    for number in range(3):
        bare = [("alpha", 1.0), ("beta", 3.0), ("alpha", 3.6)]
        found.append(known.row(split, "speech", "speech", pcm(spoken_track([], bare, 5.0, seed=number)), number))
    return found


@pytest.fixture(scope="module")
def tracks(tmp_path_factory) -> tuple[Track, ...]:
    root = known.prepared(tmp_path_factory.mktemp("data") / "p", rows())
    words = [WordConfig(label=label) for label in ("alpha", "beta")]
    config = EvaluationConfig(snr_db=(), codecs=(), noise_kinds=())
    return plan_tracks({"test": ShardSet.open(root).table("test")}, "test", words, config, root).tracks


@pytest.fixture(scope="module")
def scores(bundle, tracks) -> list[np.ndarray]:
    return score_tracks(bundle, tracks, 1)


@pytest.fixture(scope="module")
def measured(bundle, tracks, scores) -> Measured:
    return measure_tracks(SecondStage.of(bundle), tracks, scores, bundle.labels, [bundle.timing], 1)


def same(one: Measured, other: Measured) -> None:
    assert one.triggers.keys() == other.triggers.keys()
    for key, found in one.triggers.items():
        np.testing.assert_array_equal(found.index, other.triggers[key].index)
        for name in FEATURES:
            np.testing.assert_array_equal(getattr(found.features, name), getattr(other.triggers[key].features, name))


def test_each_trigger_is_measured_once_and_words_differ_from_bare_tones(bundle, tracks, scores, measured) -> None:
    assert measured.count > 12
    assert measured.cpu_s > 0
    for (track, label), found in measured.triggers.items():
        number = next(place for place, one in enumerate(tracks) if one.name == track)
        column = bundle.labels.index(label)
        expected = trigger_index(scores[number][:, column], [bundle.timing], 0.1)
        np.testing.assert_array_equal(found.index, expected)
    said = measured.triggers["test/alpha/clean", "alpha"].features.weakest
    bare = measured.triggers["test/speech", "alpha"].features.weakest
    assert len(bare) >= 6
    assert said.min() > bare.max() + 1


def test_threads_rows_and_order_do_not_matter(bundle, tracks, scores, measured, monkeypatch) -> None:
    monkeypatch.setattr("wakeword.evaluation.cascade.stage.TRIGGERS_PER_ROW", 2)
    told: list[float] = []
    second = SecondStage.of(bundle)
    again = measure_tracks(second, tracks, scores, bundle.labels, [bundle.timing], 3, lambda total: told.append)
    same(measured, again)
    assert sum(told) == measured.count


@pytest.mark.ray
def test_workers_of_ray_give_the_same_features(bundle, tracks, scores, measured) -> None:
    with ray_session(small_config(compute={"workers": 1, "cpus_per_worker": 2}), min_cpus=2):
        spread = measure_tracks(SecondStage.of(bundle), tracks, scores, bundle.labels, [bundle.timing], 2, runner="ray")
    same(measured, spread)


def test_features_are_found_again_by_content(bundle, tracks, scores, measured, tmp_path, monkeypatch) -> None:
    second, args = SecondStage.of(bundle), (tracks, scores, bundle.labels, [bundle.timing], 1)
    first = measure_tracks(second, *args, cache_dir=tmp_path)
    same(measured, first)
    files = sorted(tmp_path.iterdir())
    assert len(files) == sum(1 for found in first.triggers.values() if len(found.index))

    calls = []
    run_stage = cascade.run_stage
    monkeypatch.setattr(cascade, "run_stage", lambda *given: calls.append(given[1].num_rows) or run_stage(*given))
    told: list[float] = []
    again = measure_tracks(second, *args, lambda total: told.append, cache_dir=tmp_path)
    same(measured, again)
    assert (calls, sum(told)) == ([], measured.count)
    assert again.cpu_s == pytest.approx(first.cpu_s)
    files[0].write_bytes(files[0].read_bytes()[:100])
    same(measured, measure_tracks(second, *args, cache_dir=tmp_path))
    assert calls == [1]
    # Another pronunciation, or another trigger threshold, is other content.
    other = SecondStage(second.open, second.thresholds, {**second.identity, "alpha": "other"}, second.step_samples)
    measure_tracks(other, *args, cache_dir=tmp_path)
    assert calls[1] == sum(1 for (_, label), found in first.triggers.items() if label == "alpha" and len(found.index))


def test_the_file_keeps_all_features_and_the_settings(bundle, tracks, scores, measured, tmp_path) -> None:
    assert open_triggers(tmp_path) is None
    write_triggers(tmp_path / TRIGGERS_NAME, measured, [track.name for track in tracks], scores, bundle)
    store = open_triggers(tmp_path)
    part = bundle.manifest.verifier
    assert (store.before_s, store.after_s, store.fusion) == (part.before_s, part.after_s, part.fusion)
    assert store.words["beta"].trigger_threshold == 0.1
    assert store.cpu_ms == pytest.approx(1000 * measured.cpu_s / measured.count)
    held = {(track, word): found for word in bundle.labels for track, found in store.of(word).items()}
    same(Measured({key: found for key, found in measured.triggers.items() if len(found.index)}), Measured(held))
    # A score in the file is that of the peak, and a word that is detected there is an event of the detector.
    table = pq.read_table(tmp_path / TRIGGERS_NAME).to_pandas()
    assert table.score.min() >= 0.1
    # A damaged file is told.
    (tmp_path / TRIGGERS_NAME).write_bytes((tmp_path / TRIGGERS_NAME).read_bytes()[:-50])
    with pytest.raises(DataError, match=r"triggers\.parquet cannot be read .*: run `wakeword evaluate` again"):
        open_triggers(tmp_path)
    pq.write_table(pa.table({"track": ["a"]}), tmp_path / TRIGGERS_NAME)
    with pytest.raises(DataError, match="cannot be read"):
        open_triggers(tmp_path)
