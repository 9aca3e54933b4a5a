"""Slices of words and alarms with known misses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.evaluation.slices.slices import slice_report, word_slice
from wakeword.evaluation.slices.words import SliceWord, in_range, noise_kinds, phrase_position
from wakeword.evaluation.statistics.intervals import poisson_interval, speaker_wilson, wilson
from wakeword.evaluation.statistics.slice_records import SliceReport, WordSlice


def said(missed: int, words: int, speakers: int = 10, name: str = "s", **slices: str) -> list[SliceWord]:
    """Words of so many speakers in turn, the first ones missed."""
    parts = {"source": "lab", "condition": "clean"} | slices
    return [SliceWord("clean", f"{name}{place % speakers}", place < missed, parts) for place in range(words)]


def again(words: list[SliceWord], condition: str, missed: int, **slices: str) -> list[SliceWord]:
    """The same words in another condition, the first ones missed."""
    return [
        replace(
            word, condition=condition, missed=place < missed, slices={**word.slices, "condition": condition} | slices
        )
        for place, word in enumerate(words)
    ]


def report(words: list[SliceWord], **more: object) -> SliceReport:
    return slice_report(words, {}, {}, 0.5, **more)  # type: ignore[arg-type]


def of(found: SliceReport, dimension: str, name: str) -> WordSlice:
    part = found.dimension(dimension)
    assert part is not None
    return next(each for each in part.slices if each.name == name)


def test_slice_has_its_misses_and_both_intervals() -> None:
    words = said(6, 60)
    found = of(report(words), "source", "lab")
    assert (found.missed, found.words, found.speakers, found.frr) == (6, 60, 10, 0.1)
    assert found.wilson == wilson(6, 60)
    assert found.by_speaker == speaker_wilson([w.missed for w in words], [w.speaker for w in words])
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
        *said(3, 30, name="u", pitch="above 255 Hz", duration="long (above 0.80 s)"),
        *said(1, 30, pitch="below 165 Hz", gender="male", age="thirties", duration="short (below 0.50 s)"),
        *said(2, 30, name="t", pitch="165-255 Hz", gender="female", source="field", duration="medium (0.50-0.80 s)"),
        *said(4, 30, name="v", gender=" "),
    ]
    found = report(words)
    names = {part.name: [each.name for each in part.slices] for part in found.dimensions}
    assert names == {
        "condition": ["clean"],
        "distance": [],
        "noise kind": [],
        "source": ["field", "lab"],
        "pitch": ["below 165 Hz", "165-255 Hz", "above 255 Hz"],
        "accent": [],
        "gender": ["female", "male"],
        "age": ["thirties"],
        "position": [],
        "duration": ["short (below 0.50 s)", "medium (0.50-0.80 s)", "long (above 0.80 s)"],
    }
    known = {part.name: part.known for part in found.dimensions}
    assert known["pitch"] == 90
    assert known["age"] == 30
    assert of(found, "duration", "long (above 0.80 s)").missed == 3
    assert "unknown for every word: accent, position" in found.summary


def test_conditions_are_separate_and_other_slices_hold_each_utterance_once() -> None:
    clean = said(1, 40)
    words = [*clean, *again(clean, "10 dB", 10), *again(clean, "0 dB", 30), *again(clean, "far", 5, distance="far")]
    found = report(words)
    assert [each.name for each in found.dimensions[0].slices] == ["clean", "10 dB", "0 dB", "far"]
    assert of(found, "condition", "10 dB").missed == 10
    assert of(found, "distance", "far").missed == 5
    assert of(found, "source", "lab").words == 40
    assert found.conditions == ("clean", "recorded")


def test_noise_kinds_are_compared_at_the_same_level_only() -> None:
    # There is no babble at 0 dB: its level would be compared, not its kind.
    assert noise_kinds(["clean", "10 dB", "10 dB babble", "0 dB", "-2.5 dB music", "far"]) == {
        "10 dB": "mixed noise",
        "10 dB babble": "babble",
        "-2.5 dB music": "music",
    }


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
    accented = [
        replace(word, slices={**word.slices, "accent": f"a{place % 4}"}) for place, word in enumerate([*part, *rest])
    ]
    found = report(accented)
    assert found.tested == 6
    assert not found.worse


def test_the_summary_states_that_nothing_could_be_compared() -> None:
    found = report(said(1, 30))
    assert found.tested == 0
    assert found.summary[0] == "no slice could be compared with the rest: too little data"
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
    none_missed = report(said(0, 30)).speakers
    assert none_missed is not None
    assert (none_missed.holding_half, none_missed.worst) == (0, ())


def test_false_alarms_by_kind_and_source() -> None:
    hours = {
        ("speech", "books"): 4.0,
        ("speech", "field"): 2.0,
        ("noise", "field"): 3.0,
        ("music", "radio"): 0.02,
    }
    found = slice_report([], {("speech", "books"): 2, ("speech", "field"): 22}, hours, 0.5)
    kinds = {part.name: part for part in found.alarms[0].slices}
    assert found.alarms[0].name == "kind"
    assert kinds["speech"].rate is not None
    assert (kinds["speech"].rate.false_alarms, kinds["speech"].rate.fah) == (24, 4.0)
    assert (kinds["speech"].rate.low, kinds["speech"].rate.high) == poisson_interval(24, 6.0)
    assert kinds["noise"].rate is not None
    assert (kinds["noise"].rate.false_alarms, kinds["noise"].hours) == (0, 3.0)
    assert kinds["music"].rate is None
    assert kinds["music"].too_little == "too little data: 0.02 h"
    worse = {(part.dimension, part.name) for part in found.worse}
    assert worse == {("false alarms by kind", "speech"), ("false alarms by source", "field")}
    assert any("false alarms per hour in 5.0 h, the rest 0.50" in sentence for sentence in found.summary)


def test_ranges_hold_their_edges_in_the_middle() -> None:
    names = ("low", "middle", "high")
    found = [in_range(value, (165.0, 255.0), names) for value in (None, 164.9, 165.0, 255.0, 255.1)]
    assert found == ["", "low", "middle", "middle", "high"]


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
            condition=st.sampled_from(["clean", "0 dB", "near", "recorded"]),
            speaker=st.sampled_from([f"s{place}" for place in range(8)]),
            missed=st.booleans(),
            slices=st.fixed_dictionaries(
                {
                    "condition": st.sampled_from(["clean", "0 dB"]),
                    "source": st.sampled_from(["a", "b", ""]),
                    "gender": st.sampled_from(["", "male"]),
                }
            ),
        ),
        max_size=150,
    )
)
@settings(deadline=None, max_examples=40)
def test_any_words_add_up_and_survive_json(words: list[SliceWord]) -> None:
    found = report(words)
    for part in found.dimensions:
        assert sum(each.words for each in part.slices) == part.known <= part.words
        for each in part.slices:
            assert (each.frr is None) == (each.too_little is not None)
            if each.frr is not None and each.wilson is not None:
                assert each.wilson[0] <= each.frr <= each.wilson[1]
    assert all(0 <= part.p_value <= 0.05 for part in found.worse)
    assert SliceReport.model_validate_json(found.model_dump_json()) == found
