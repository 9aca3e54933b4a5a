"""Streams that come, go and advance at their own pace: each gives exactly the events that it gives alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bundles import track
from wakeword.errors import DataError, ServingError
from wakeword.runtime import Bundle, Detection, Detector, StreamSlots


def alone(bundle: Bundle, audio: np.ndarray) -> list[tuple[str, float, float]]:
    detector = Detector(bundle)
    return times(detector.process(audio) + detector.flush())


def times(events: list[Detection]) -> list[tuple[str, float, float]]:
    return [(e.word, e.start_s, e.end_s) for e in events]


@pytest.mark.parametrize("seed", range(8))
def test_uneven_streams_equal_single_ones(tones: Bundle, seed: int) -> None:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 6))
    slots = StreamSlots(tones, count)
    tracks = [
        track([("alpha", 0.5 + 0.1 * k), ("beta", 1.4)], generator.uniform(2.0, 4.5), seed=k) for k in range(count)
    ]
    handles = [slots.open() for _ in range(count)]
    found: dict[int, list[Detection]] = {slot: [] for slot in handles}
    sent = dict.fromkeys(handles, 0)
    while any(sent[slot] < len(audio) for slot, audio in zip(handles, tracks, strict=True)):
        for slot, audio in zip(handles, tracks, strict=True):
            size = int(generator.choice([0, 100, 320, 1280, 7001]))
            slots.feed(slot, audio[sent[slot] : sent[slot] + size])
            sent[slot] += size
        for slot, event in slots.step():
            assert event.stream == slot
            found[slot].append(event)
    for slot, audio in zip(handles, tracks, strict=True):
        assert times(found[slot] + slots.flush(slot)) == alone(tones, audio)


def test_a_reused_slot_remembers_nothing(tones: Bundle) -> None:
    audio = track([("alpha", 0.5)], 2.0)
    slots = StreamSlots(tones, 2)
    first, other = slots.open(), slots.open()
    slots.feed(other, audio)
    slots.feed(first, audio[:9000])
    slots.step()
    slots.feed(first, audio[9000:9100])
    slots.close(first)
    assert slots.free == 1
    again = slots.open()
    assert again == first
    slots.feed(again, audio)
    found = [event for slot, event in slots.step() if slot == again] + slots.flush(again)
    assert times(found) == alone(tones, audio)


def test_flush_scores_what_is_still_queued(tones: Bundle) -> None:
    audio = track([("alpha", 0.5)], 2.0)
    slots = StreamSlots(tones, 2)
    slot, other = slots.open(), slots.open()
    slots.feed(slot, audio)
    slots.feed(other, audio)
    assert times(slots.flush(slot)) == alone(tones, audio)
    assert not slots.flush(slot)
    found = [event for _, event in slots.step()] + slots.flush(other)
    assert times(found) == alone(tones, audio)


def test_misuse(tones: Bundle) -> None:
    slots = StreamSlots(tones, 1)
    slot = slots.open()
    with pytest.raises(ServingError, match="all 1 streams"):
        slots.open()
    with pytest.raises(DataError, match=r"\(samples,\)"):
        slots.feed(slot, np.zeros((1, 320), np.int16))
    with pytest.raises(DataError, match="NaN"):
        slots.feed(slot, np.array([np.inf], np.float32))
    slots.close(slot)
    for call in (slots.close, slots.flush, lambda s: slots.feed(s, np.zeros(3, np.int16))):
        with pytest.raises(DataError, match="not open"):
            call(slot)
    with pytest.raises(ValueError):
        StreamSlots(tones, 0)


def test_each_stream_has_its_own_thresholds(tones: Bundle) -> None:
    """They share every call of the graph; a slot's next stream has the thresholds of all again."""
    audio = track([("alpha", 0.5), ("beta", 1.4)], 2.4)
    slots = StreamSlots(tones, 4, thresholds=[0.5, 0.4])
    limits = [None, [1.0, 0.4], [0.5, 1.0], [1.0, 1.0]]
    handles = [slots.open(thresholds=limit) for limit in limits]
    for slot in handles:
        slots.feed(slot, audio)
    found = slots.step()
    words = {slot: [e.word for s, e in found if s == slot] + [e.word for e in slots.flush(slot)] for slot in handles}
    assert [words[slot] for slot in handles] == [["alpha", "beta"], ["beta"], ["alpha"], []]
    for limit in ([0.5, 0.4], [0.9, 0.8]):
        detector = Detector(tones, threshold=limit)
        alone = times(detector.process(audio) + detector.flush())
        slots.close(handles[1])
        slot = slots.open(thresholds=None if limit == [0.5, 0.4] else limit)
        assert slot == handles[1]
        slots.feed(slot, audio)
        assert times([e for s, e in slots.step() if s == slot] + slots.flush(slot)) == alone
    slots.close(slot)
    with pytest.raises(ValueError):
        slots.open(thresholds=[0.5, 0.5, 0.5])
    assert slots.free == 1
