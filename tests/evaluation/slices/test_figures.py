"""Figures of slices show what the results hold."""

from __future__ import annotations

import pytest

from wakeword.evaluation.slices.figures import alarms_figure, slices_figure
from wakeword.evaluation.slices.slices import slice_report
from wakeword.evaluation.slices.words import SliceWord
from wakeword.evaluation.statistics.slice_records import SliceReport
from wakeword.pages.figures import colour


@pytest.fixture
def report() -> SliceReport:
    words = [
        SliceWord("clean", f"s{place % 20}", place % 2 == 1 and place <= 60, {"gender": ("male", "female")[place % 2]})
        for place in range(200)
    ]
    words += [SliceWord("clean", "child", True, {"age": "child"}) for _ in range(3)]
    hours = {("speech", "a"): 3.0, ("noise", "b"): 5.0, ("music", "c"): 0.1}
    return slice_report(words, {("speech", "a"): 12}, hours, 0.5)


def test_slices_have_dots_intervals_and_grey_notes(report: SliceReport) -> None:
    figure = slices_figure(report)
    assert figure is not None
    rows = list(zip(*figure.data[0].y, strict=True))
    assert rows == [(d.name, part.name) for d in report.dimensions for part in d.slices]
    notes = {text for trace in figure.data if trace.mode == "text" for text in trace.text}
    assert notes == {"too little data: 3 words of 1 speaker"}
    drawn = {
        (name, part): (value, value - minus)
        for trace in figure.data[1:]
        if trace.mode == "markers"
        for name, part, value, minus in zip(*trace.y, trace.x, trace.error_x.arrayminus, strict=True)
    }
    female = next(part for part in report.dimension("gender").slices if part.name == "female")  # type: ignore[union-attr]
    assert female.by_speaker is not None
    assert drawn["gender", "female"] == pytest.approx((100 * female.frr, 100 * female.by_speaker[0]))  # type: ignore[operator]
    assert ("age", "child") not in drawn
    colours = {name: trace.marker.color for trace in figure.data[1:] if trace.mode == "markers" for name in trace.y[1]}
    assert [part.name for part in report.worse if part.dimension == "gender"] == ["female"]
    assert colours["female"] != colours["male"]


def test_alarms_have_rates_and_notes(report: SliceReport) -> None:
    figure = alarms_figure(report)
    assert figure is not None
    values = {
        (kind, name): x
        for trace in figure.data[1:]
        if trace.mode == "markers"
        for kind, name, x in zip(*trace.y, trace.x, strict=True)
    }
    assert values["kind", "speech"] == 4.0
    assert values["source", "b"] == 0.0
    assert ("kind", "music") not in values
    assert "too little data: 0.10 h" in figure.data[-1].text


def test_a_source_that_is_worse_for_words_is_not_red_for_false_alarms() -> None:
    words = [
        SliceWord("clean", f"s{place % 20}", place % 2 == 1 and place <= 60, {"source": "ab"[place % 2]})
        for place in range(200)
    ]
    report = slice_report(words, {}, {("speech", "a"): 3.0, ("speech", "b"): 3.0}, 0.5)
    assert [(part.dimension, part.name) for part in report.worse] == [("source", "b")]
    red = {
        name: [part for trace in figure.data if trace.marker.color == colour(3) for part in trace.y[1]]
        for name, figure in (("words", slices_figure(report)), ("alarms", alarms_figure(report)))
        if figure is not None
    }
    assert red == {"words": ["b"], "alarms": []}


def test_nothing_to_show_is_no_figure() -> None:
    empty = slice_report([], {}, {}, 0.5)
    assert slices_figure(empty) is None
    assert alarms_figure(empty) is None
