"""The TFLite model behind the engine: the same detector, any streams, any threads; damaged files are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.bundles import STEP_SAMPLES, track
from tests.tflite import INSTALLED, needs_tflite, tone_tflite, write_twin_bundle
from wakeword.errors import BundleError, MissingExtraError
from wakeword.runtime import Bundle, Detector, StreamSlots, load_bundle
from wakeword.runtime.engine import Engine

EVENTS = [("alpha", 0.5), ("beta", 1.2)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with both forms of the tone model; not to be changed."""
    return write_twin_bundle(tmp_path_factory.mktemp("twins") / "bundle")


@pytest.fixture
def twin(folder: Path) -> Bundle:
    return load_bundle(folder, "tflite")


@needs_tflite
def test_it_hears_what_the_onnx_graph_hears(folder: Path, twin: Bundle) -> None:
    assert twin.variants == ["float32", "tflite"]
    assert twin.model_path.name == "model.tflite"
    plain, audio = load_bundle(folder), track(EVENTS, 2.5)
    scores = [Detector(bundle).scores(audio) for bundle in (plain, twin)]
    assert np.abs(scores[0] - scores[1]).max() < 1e-5
    events = [Detector(bundle).process(audio) for bundle in (plain, twin)]
    assert [(e.word, e.end_s) for e in events[1]] == [(e.word, e.end_s) for e in events[0]]
    assert [e.word for e in events[1]] == ["alpha", "beta"]
    assert np.allclose(Engine(plain).settled_state, Engine(twin).settled_state, atol=1e-6)


@needs_tflite
def test_streams_and_chunks_change_nothing(twin: Bundle) -> None:
    rows = np.stack([track([(word, at + 0.1 * k) for word, at in EVENTS], 2.5, seed=k) for k in range(3)])
    whole = Detector(twin, streams=3).scores(rows)
    parts = Detector(twin, streams=3)
    pieces = [parts.scores(rows[:, at : at + 1000]) for at in range(0, rows.shape[1], 1000)]
    assert np.array_equal(np.concatenate(pieces, axis=1), whole)
    assert np.array_equal(Detector(twin).scores(rows[1])[0], whole[1])
    slots = StreamSlots(twin, 2)
    first, second = slots.open(), slots.open()
    slots.feed(first, rows[0])
    slots.feed(second, rows[1][:8000])
    assert {slot for slot, _ in slots.step()} == {first}


@needs_tflite
def test_threads_share_an_engine(twin: Bundle) -> None:
    """LiteRT's interpreters must not be shared: each thread has its own."""
    engine = Engine(twin)
    audio = [track(EVENTS, 2.0, seed=seed)[None] for seed in range(8)]

    def score(samples: np.ndarray) -> np.ndarray:
        return engine.run(samples, engine.initial_state(1))[0]

    alone = [score(samples) for samples in audio]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(score, audio))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


@needs_tflite
def test_inputs_that_do_not_fit(twin: Bundle) -> None:
    engine = Engine(twin)
    state = engine.initial_state(2)
    for audio, kept in (
        (np.zeros((2, STEP_SAMPLES + 1), np.float32), state),
        (np.zeros((3, STEP_SAMPLES), np.float32), state),
        (np.zeros((2, STEP_SAMPLES), np.float32), state[:, 1:]),
    ):
        with pytest.raises(BundleError, match="fails on audio"):
            engine.run(audio, kept)


@needs_tflite
def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    whole = tone_tflite()
    short = load_bundle(write_twin_bundle(tmp_path / "short", whole[: len(whole) // 2]), "tflite")
    with pytest.raises(BundleError, match=r"model\.tflite: LiteRT cannot load it"):
        Detector(short)
    with pytest.raises(BundleError, match=r"state has shape \(1, 4480\), wake\.json states \(1, 77\)"):
        Detector(load_bundle(write_twin_bundle(tmp_path / "state", state_size=77), "tflite"))
    words = [{"label": "gamma", "phrase": "gamma"}, {"label": "beta", "phrase": "beta"}]
    with pytest.raises(BundleError, match=r"was exported with words alpha,beta, wake\.json states gamma,beta"):
        Detector(load_bundle(write_twin_bundle(tmp_path / "words", words=words), "tflite"))
    other = whole.replace(b"context_samples", b"context_sampled")
    with pytest.raises(BundleError, match="exported with context_samples None"):
        Detector(load_bundle(write_twin_bundle(tmp_path / "other", other), "tflite"))


def test_bytes_of_another_kind_and_changed_files(tmp_path: Path) -> None:
    folder = write_twin_bundle(tmp_path / "text", b"this is no model")
    with pytest.raises(BundleError, match=r"model\.tflite: not a TFLite file"):
        load_bundle(folder, "tflite")
    (folder / "model.tflite").write_bytes(b"this is no motel")
    with pytest.raises(BundleError, match=r"model\.tflite: changed since the export"):
        load_bundle(folder)
    with pytest.raises(BundleError, match=r"contains no int8 model"):
        load_bundle(folder, "int8")


@pytest.mark.skipif(INSTALLED, reason="LiteRT is installed here")
def test_without_litert_the_extra_is_named(tmp_path: Path) -> None:
    folder = write_twin_bundle(tmp_path / "twins", b"0000TFL3 and so on")
    with pytest.raises(MissingExtraError, match=r"a TFLite model needs the extra \[litert\]"):
        Detector(load_bundle(folder, "tflite"))
    Detector(load_bundle(folder))
