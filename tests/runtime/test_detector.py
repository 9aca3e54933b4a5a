"""Any chunking and any number of streams give the same scores and events."""

from __future__ import annotations

import os
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.bundles import STEP_SAMPLES, tone_manifest, track, write_tone_bundle
from wakeword.errors import BundleError, DataError
from wakeword.runtime import Bundle, Detection, Detector, StreamSlots, detect_file, load_bundle
from wakeword.runtime.engine import Engine
from wakeword.runtime.onnx_graph import OnnxGraph

EVENTS = [("alpha", 1.0), ("beta", 2.5), ("alpha", 4.0)]


def detect(detector: Detector, audio: np.ndarray, sizes: list[int]) -> list[Detection]:
    """Feed in chunks of the sizes in turn, then flush."""
    found, at, turn = [], 0, 0
    while at < audio.shape[-1]:
        size = sizes[turn % len(sizes)]
        found += detector.process(audio[..., at : at + size])
        at, turn = at + size, turn + 1
    return found + detector.flush()


def test_tones_are_detected_where_they_are(tones: Bundle) -> None:
    found = detect(Detector(tones), track(EVENTS, 6.0), [1280])
    assert [e.word for e in found] == ["alpha", "beta", "alpha"]
    for event, (_, start_s) in zip(found, EVENTS, strict=True):
        assert start_s + 0.1 < event.end_s < start_s + 0.5
        assert start_s <= event.start_s < event.end_s
        assert 0.5 <= event.score <= 1.0


def test_a_word_with_a_map_has_probabilities_in_streams_slots_and_at_the_end(tmp_path: Path) -> None:
    words = tone_manifest(["alpha", "beta"])["words"]
    words[0]["probability_map"] = {"slope": 0.5, "offset": -1.0, "prior": 0.3}
    bundle = load_bundle(write_tone_bundle(tmp_path / "bundle", words=words))
    audio = track([*EVENTS, ("alpha", 5.7)], 6.0)
    found = detect(Detector(bundle), audio, [1280])
    assert [e.word for e in found] == ["alpha", "beta", "alpha", "alpha"]
    for event in found:
        expected = 1 / (1 + np.exp(-(0.5 * np.log(event.score / (1 - event.score)) - 1)))
        assert event.probability == (pytest.approx(expected) if event.word == "alpha" else None)
    slots = StreamSlots(bundle, 2)
    slots.feed(slots.open(), audio)
    assert [event.probability for _, event in slots.step()] == [e.probability for e in found[:3]]
    assert [event.probability for event in slots.flush(0)] == [found[3].probability]


def test_without_a_map_there_is_no_probability(tones: Bundle) -> None:
    assert {event.probability for event in detect(Detector(tones), track(EVENTS, 6.0), [1280])} == {None}


@pytest.mark.parametrize("sizes", [[1], [7, 1, 400], [320], [1280], [5000, 3], [10**6]])
def test_chunking_changes_nothing(tones: Bundle, sizes: list[int]) -> None:
    seconds = 1.7 if sizes == [1] else 6.0
    audio = track([e for e in EVENTS if e[1] < seconds - 0.5], seconds)
    whole = detect(Detector(tones), audio, [len(audio)])
    assert whole
    found = detect(Detector(tones), audio, sizes)
    assert [(e.word, e.start_s, e.end_s) for e in found] == [(e.word, e.start_s, e.end_s) for e in whole]
    assert np.allclose([e.score for e in found], [e.score for e in whole], atol=3e-5)


def test_many_streams_equal_single_streams(tones: Bundle) -> None:
    audio = np.stack([track([(word, s + 0.1 * k) for word, s in EVENTS], 6.0, seed=k) for k in range(5)])
    together = detect(Detector(tones, streams=5), audio, [1280])
    for stream in range(5):
        alone = detect(Detector(tones), audio[stream], [1280])
        assert [(e.word, e.end_s) for e in together if e.stream == stream] == [(e.word, e.end_s) for e in alone]
    scores = Detector(tones, streams=5).scores(audio)
    assert scores.shape == (5, 6 * 16000 // STEP_SAMPLES, 2)
    assert np.allclose(scores[2], Detector(tones).scores(audio[2])[0], atol=1e-6)


def test_int16_equals_float(tones: Bundle) -> None:
    audio = np.round(track(EVENTS, 6.0) * 32768).clip(-32768, 32767).astype(np.int16)
    as_float = audio.astype(np.float32) / 32768
    assert np.array_equal(Detector(tones).scores(audio), Detector(tones).scores(as_float))


def test_flush_starts_anew(tones: Bundle) -> None:
    audio = track(EVENTS, 6.0)
    detector = Detector(tones)
    first = detect(detector, audio, [1281])
    assert detect(detector, audio, [1281]) == first
    detector.process(audio[:20_000])
    detector.reset()
    assert detect(detector, audio, [1281]) == first


def test_reset_of_one_stream_leaves_the_other(tones: Bundle) -> None:
    audio = np.stack([track(EVENTS, 6.0)] * 2)
    detector = Detector(tones, streams=2)
    detector.process(audio[:, :64000])
    detector.reset(0)
    detector.process(audio[:, 64000:64320])
    alone = Detector(tones)
    fresh = alone.scores(audio[0, 64000:])
    rest = detector.scores(audio[:, 64320:])
    assert np.allclose(rest[0], fresh[0, 1:], atol=1e-6)
    assert not np.allclose(rest[1, :10], fresh[0, 1:11], atol=1e-3)


def test_streams_start_from_settled_silence(tones: Bundle, tmp_path: Path) -> None:
    """The state after `context_samples` of zeros, not zeros themselves: a graph whose state counts shows it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from tests.bundles import tone_manifest
    from wakeword.export.manifest import graph_metadata, write_bundle_files

    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("ReduceMean", ["audio", "axis"], ["mean"], keepdims=1),
        helper.make_node("Shape", ["audio"], ["samples"], start=1, end=2),
        helper.make_node("Cast", ["samples"], ["converted"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["state", "converted"], ["counted"]),
        helper.make_node("Add", ["counted", "mean"], ["next_state"]),
        helper.make_node("Reshape", ["audio", "steps"], ["blocks"]),
        helper.make_node("ReduceMean", ["blocks", "axis2"], ["score"], keepdims=1),
    ]
    constants = {"axis": np.array([1]), "axis2": np.array([2]), "steps": np.array([0, -1, 320])}
    graph = helper.make_graph(
        nodes,
        "counter",
        [value("audio", 1, ["n", "s"]), value("state", 1, ["n", 1])],
        [value("score", 1, ["n", "t", 1]), value("next_state", 1, ["n", 1])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    manifest = tone_manifest(["alpha"], state_size=1, context_samples=3200)
    helper.set_model_props(model, graph_metadata(manifest))
    write_bundle_files(tmp_path / "counter", model.SerializeToString(), manifest)
    assert Engine(load_bundle(tmp_path / "counter")).settled_state.tolist() == [3200.0]


def test_thresholds(tones: Bundle) -> None:
    audio = track(EVENTS, 6.0)
    assert not detect(Detector(tones, threshold=1.0), audio, [1280])
    assert [e.word for e in detect(Detector(tones, threshold=[1.0, 0.5]), audio, [1280])] == ["beta"]
    with pytest.raises(BundleError):
        Detector(tones, threshold=-1.0)
    with pytest.raises(ValueError):
        Detector(tones, threshold=[0.5, 0.5, 0.5])


def test_the_bundle_decides_the_refractory_time(tmp_path: Path) -> None:
    settings = {"smoothing_s": 0.06, "nms_window_s": 0.1, "refractory_s": 3.5}
    bundle = load_bundle(write_tone_bundle(tmp_path / "slow", detector=settings))
    assert [e.word for e in detect(Detector(bundle), track(EVENTS, 6.0), [1280])] == ["alpha", "beta"]


def test_wrong_audio(tones: Bundle) -> None:
    detector = Detector(tones, streams=2)
    with pytest.raises(DataError, match=r"\(2, samples\)"):
        detector.process(np.zeros(320, np.float32))
    with pytest.raises(DataError, match="int32"):
        detector.process(np.zeros((2, 320), np.int32))
    with pytest.raises(DataError, match="NaN"):
        detector.process(np.full((2, 320), np.nan, np.float32))
    assert np.isfinite(detector.scores(np.zeros((2, 640), np.float32))).all()


def test_the_engine_runs_on_one_thread(tones: Bundle) -> None:
    engine = Engine(tones)
    assert isinstance(engine._graph, OnnxGraph)
    options = engine._graph.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    with pytest.raises(BundleError, match="fails on audio"):
        engine.run(np.zeros((2, 320), np.float32), np.zeros((3, tones.manifest.state_size), np.float32))
    assert len(os.listdir("/proc/self/task")) >= 1


def write_wav(path: Path, audio: np.ndarray, rate_hz: int = 16000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(np.repeat(np.round(audio * 32767).astype("<i2"), channels).tobytes())
    return path


def test_detect_file(tones: Bundle, tmp_path: Path) -> None:
    audio = track(EVENTS, 6.0)
    mono = detect_file(tones, write_wav(tmp_path / "mono.wav", audio))
    assert [e.word for e in mono] == ["alpha", "beta", "alpha"]
    assert detect_file(tones, write_wav(tmp_path / "stereo.wav", audio, channels=2)) == mono
    assert [e.end_s for e in detect_file(tones, np.array_split(audio, 17))] == [e.end_s for e in mono]
    with pytest.raises(DataError, match="900000 Hz is not plausible"):
        detect_file(tones, write_wav(tmp_path / "fast.wav", audio, rate_hz=900_000))
    (tmp_path / "short.wav").write_bytes((tmp_path / "mono.wav").read_bytes()[:5000])
    with pytest.raises(DataError, match="truncated"):
        detect_file(tones, tmp_path / "short.wav")
    (tmp_path / "empty.wav").touch()
    with pytest.raises(DataError, match="not a 16-bit WAV"):
        detect_file(tones, tmp_path / "empty.wav")
    with pytest.raises(DataError, match="cannot be read"):
        detect_file(tones, tmp_path / "absent.wav")
