"""Slices of words and alarms with known misses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.errors import DataError
from wakeword.evaluation.slices.results import SliceReport, WordSlice
from wakeword.evaluation.slices.slices import slice_report, word_slice
from wakeword.evaluation.slices.words import (
    SliceAlarm,
    SliceHours,
    SliceWord,
    duration_edges,
    duration_range,
    noise_of_condition,
    phrase_position,
    pitch_range,
)
from wakeword.evaluation.statistics.intervals import garwood, speaker_wilson, wilson


def said(missed: int, words: int, speakers: int = 10, **about: object) -> list[SliceWord]:
    """Words of so many speakers in turn, the first ones missed."""
    base = SliceWord(condition="clean", speaker="", source="lab", hit=True)
    name = str(about.pop("name", "s"))
    return [
        replace(base, **about, speaker=f"{name}{place % speakers}", hit=place >= missed)  # type: ignore[arg-type]
        for place in range(words)
    ]


def report(words: list[SliceWord], **more: object) -> SliceReport:
    return slice_report(words, [], [], 0.5, **more)  # type: ignore[arg-type]


def of(found: SliceReport, dimension: str, name: str) -> WordSlice:
    part = found.dimension(dimension)
    assert part is not None
    return next(each for each in part.slices if each.name == name)


def test_slice_has_its_misses_and_both_intervals() -> None:
    words = said(6, 60)
    found = of(report(words), "source", "lab")
    assert (found.missed, found.words, found.speakers, found.frr) == (6, 60, 10, 0.1)
    assert found.wilson == wilson(6, 60)
    assert found.by_speaker == speaker_wilson([not w.hit for w in words], [w.speaker for w in words])
    wide = of(report(words, confidence=0.99), "source", "lab")
    assert wide.wilson == wilson(6, 60, 0.99)


@pytest.mark.parametrize(
    ("words", "speakers", "text"),
    [
        (7, 2, "too little data: 7 words of 2 speakers"),
        (19, 10, "too little data: 19 words of 10 speakers"),
        (200, 4, "too little data: 200 words of 4 speakers"),
        (1, 1, "too little data: 1 word of 1 speaker"),
    ],
)
def test_too_little_data_gets_no_number(words: int, speakers: int, text: str) -> None:
    found = word_slice("x", said(1, words, speakers))
    assert found.too_little == text
    assert (found.missed, found.frr, found.wilson, found.by_speaker) == (None, None, None, None)
    assert word_slice("x", said(1, 20, 5)).too_little is None


def test_every_dimension_sorts_words_by_what_is_known() -> None:
    words = [
        *said(1, 30, pitch_hz=110.0, gender="male", age="thirties", accent="us", position="alone", duration_s=0.4),
        *said(2, 30, pitch_hz=210.0, gender="female", source="field", duration_s=0.6, name="t"),
        *said(3, 30, pitch_hz=300.0, duration_s=0.9, name="u"),
        *said(4, 30, name="v"),
    ]
    found = report(words, edges_s=(0.5, 0.8))
    names = {part.name: [each.name for each in part.slices] for part in found.dimensions}
    assert names == {
        "condition": ["clean"],
        "distance": [],
        "noise kind": [],
        "source": ["field", "lab"],
        "pitch": ["below 165 Hz", "165-255 Hz", "above 255 Hz"],
        "accent": ["us"],
        "gender": ["female", "male"],
        "age": ["thirties"],
        "position": ["alone"],
        "duration": ["short (below 0.50 s)", "medium (0.50-0.80 s)", "long (above 0.80 s)"],
    }
    known = {part.name: part.known for part in found.dimensions}
    assert known["pitch"] == 90
    assert known["age"] == 30
    assert of(found, "duration", "long (above 0.80 s)").missed == 3
    assert report(words).dimension("duration").known == 0  # type: ignore[union-attr]
    assert "not known of any word: duration" in report(words).summary


def test_conditions_are_parted_and_other_slices_hold_each_utterance_once() -> None:
    clean = said(1, 40)
    words = [
        *clean,
        *(replace(word, condition="10 dB", hit=place > 9) for place, word in enumerate(clean)),
        *(replace(word, condition="10 dB babble", hit=place > 19) for place, word in enumerate(clean)),
        *(replace(word, condition="0 dB", hit=place > 29) for place, word in enumerate(clean)),
        *(replace(word, condition="far", hit=place > 4) for place, word in enumerate(clean)),
    ]
    found = report(words)
    assert [each.name for each in found.dimensions[0].slices] == ["clean", "10 dB", "10 dB babble", "0 dB", "far"]
    assert of(found, "distance", "far").missed == 5
    # 0 dB is left out: babble was not played there, and loudness is not kind.
    assert [each.name for each in found.dimensions[2].slices] == ["mixed noise", "babble"]
    assert of(found, "noise kind", "mixed noise").missed == 10
    assert of(found, "source", "lab").words == 40
    harder = report(words, conditions=("10 dB",))
    assert of(harder, "source", "lab").missed == 10
    assert harder.conditions == ("10 dB",)


def test_a_worse_slice_is_named_in_words_and_an_equal_one_is_not() -> None:
    words = [*said(30, 100, 20, gender="female"), *said(4, 100, 20, gender="male", name="t")]
    found = report(words)
    (worse,) = found.worse
    assert (worse.dimension, worse.name, worse.value, worse.rest) == ("gender", "female", 0.3, 0.04)
    assert worse.p_value < 0.001
    assert found.tested == 2
    assert found.summary[0] == (
        "gender, female: misses 30 % of 100 words, the rest 4.0 % (p < 0.001 after Holm's correction for 2 slices)"
    )
    same = report([*said(10, 100, gender="female"), *said(9, 100, gender="male", name="t")])
    assert same.worse == ()
    assert same.summary[0].startswith("none of 2 slices is significantly worse")


def test_misses_of_one_person_do_not_make_a_group_worse() -> None:
    one = [*said(0, 90, 9, gender="female"), *said(10, 10, 1, gender="female", name="bad")]
    others = said(2, 300, 30, gender="male", name="t")
    assert report([*one, *others]).worse == ()
    spread = [*said(10, 100, 10, gender="female"), *others]
    assert [part.name for part in report(spread).worse] == ["female"]


def test_more_slices_ask_for_more() -> None:
    part, rest = said(9, 60, gender="female"), said(3, 80, gender="male", name="t")
    assert [each.name for each in report([*part, *rest]).worse] == ["female"]
    accented = [replace(word, accent=f"a{place % 4}") for place, word in enumerate([*part, *rest])]
    found = report(accented)
    assert found.tested == 6
    assert not found.worse
    assert report(accented, significance=0.3).worse


def test_nothing_to_compare_with_is_said() -> None:
    found = report(said(1, 30))
    assert found.tested == 0
    assert found.summary[0] == "no slice could be compared with a rest: too little data"
    empty = report([])
    assert empty.speakers is None
    assert empty.dimensions[0].slices == ()


def test_worst_speakers_are_those_who_are_surely_bad() -> None:
    words = [*said(0, 50, 10), *said(9, 12, 1, name="bad"), *said(1, 1, 1, name="once"), *said(3, 30, 1, name="some")]
    spread = report(words).speakers
    assert spread is not None
    assert [row.speaker for row in spread.worst] == ["bad0", "once0", "some0"]
    assert spread.worst[0].wilson == wilson(9, 12)
    assert (spread.speakers, spread.without_miss, spread.holding_half) == (13, 10, 1)
    assert (spread.counted, spread.frr_p50, spread.frr_max) == (12, 0.0, 0.75)
    assert spread.design_effect > 3
    none_missed = report(said(0, 30)).speakers
    assert none_missed is not None
    assert (none_missed.holding_half, none_missed.worst, none_missed.design_effect) == (0, (), 1)


def test_false_alarms_by_kind_and_source() -> None:
    hours = [
        SliceHours(kind="speech", source="books", hours=4.0),
        SliceHours(kind="speech", source="field", hours=2.0),
        SliceHours(kind="noise", source="field", hours=2.0),
        SliceHours(kind="noise", source="field", hours=1.0),
        SliceHours(kind="music", source="radio", hours=0.02),
    ]
    alarms = [SliceAlarm(kind="speech", source="books")] * 2 + [SliceAlarm(kind="speech", source="field")] * 22
    found = slice_report([], alarms, hours, 0.5)
    kinds = {part.name: part for part in found.alarms[0].slices}
    assert found.alarms[0].name == "kind"
    assert kinds["speech"].rate is not None
    assert (kinds["speech"].rate.false_alarms, kinds["speech"].rate.fah) == (24, 4.0)
    assert (kinds["speech"].rate.low, kinds["speech"].rate.high) == garwood(24, 6.0)
    assert kinds["noise"].rate is not None
    assert (kinds["noise"].rate.false_alarms, kinds["noise"].hours) == (0, 3.0)
    assert kinds["music"].rate is None
    assert kinds["music"].too_little == "too little data: 0.02 h"
    worse = {(part.dimension, part.name) for part in found.worse}
    assert worse == {("false alarms by kind", "speech"), ("false alarms by source", "field")}
    assert any("false alarms per hour in 5.0 h, the rest 0.50" in sentence for sentence in found.summary)


def test_alarms_need_hours() -> None:
    with pytest.raises(DataError, match="no hours"):
        slice_report([], [SliceAlarm(kind="speech", source="x")], [], 0.5)
    with pytest.raises(DataError, match="cannot be"):
        slice_report([], [], [SliceHours(kind="speech", source="x", hours=-1.0)], 0.5)


def test_names_of_properties() -> None:
    assert [pitch_range(value) for value in (None, 90.0, 164.9, 165.0, 255.0, 255.1)] == [
        "",
        "below 165 Hz",
        "below 165 Hz",
        "165-255 Hz",
        "165-255 Hz",
        "above 255 Hz",
    ]
    assert noise_of_condition("5 dB") == (5.0, "mixed noise")
    assert noise_of_condition("-2.5 dB music") == (-2.5, "music")
    assert noise_of_condition("far") is noise_of_condition("clean") is None
    edges = duration_edges(np.linspace(0.3, 0.9, 7))
    assert edges == pytest.approx((0.5, 0.7))
    assert duration_edges([]) is None
    assert duration_range(0.4, (0.5, 0.7)) == "short (below 0.50 s)"
    assert duration_range(0.7, (0.5, 0.7)) == "medium (0.50-0.70 s)"
    assert duration_range(None, (0.5, 0.7)) == duration_range(0.4, None) == ""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Hey, Computer!", "alone"),
        ("hey computer turn on the light", "at the start of a sentence"),
        ("well hey computer stop", "inside a sentence"),
        ("thank you, hey computer.", "at the end of a sentence"),
        ("hey computers", ""),
        ("", ""),
    ],
)
def test_position_of_the_phrase(text: str, place: str) -> None:
    assert phrase_position(text, "hey computer") == place


@given(
    st.lists(
        st.builds(
            SliceWord,
            condition=st.sampled_from(["clean", "0 dB", "10 dB music", "near", "recorded"]),
            speaker=st.sampled_from([f"s{place}" for place in range(8)]),
            source=st.sampled_from(["a", "b", ""]),
            hit=st.booleans(),
            pitch_hz=st.none() | st.floats(60, 500),
            duration_s=st.none() | st.floats(0.1, 2),
            gender=st.sampled_from(["", "male"]),
        ),
        max_size=150,
    )
)
@settings(deadline=None, max_examples=40)
def test_any_words_add_up_and_survive_json(words: list[SliceWord]) -> None:
    found = report(words, edges_s=(0.5, 1.0))
    for part in found.dimensions:
        assert sum(each.words for each in part.slices) == part.known <= part.words
        for each in part.slices:
            assert (each.frr is None) == (each.too_little is not None)
            if each.frr is not None and each.wilson is not None:
                assert each.wilson[0] <= each.frr <= each.wilson[1]
    assert all(0 <= part.p_value <= 0.05 for part in found.worse)
    assert SliceReport.model_validate_json(found.model_dump_json()) == found
