"""The report on data: what it counts of a prepared folder, when each rule speaks up, and the page in a real browser."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.corpus import config_for, write_corpus
from tests.evaluation import known
from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.manifest import quarantine_row, quarantine_table
from wakeword.data.prepare import prepare
from wakeword.data.report import wording
from wakeword.data.report.advice import RULES, advise, score_of
from wakeword.data.report.facts import Amount, DataFacts, NearMiss, Refused, SourceAmount, Voice, read_facts
from wakeword.data.report.figures import by_kind_figure, by_split_figure, hours_figure
from wakeword.data.report.report import DataReport, data_report, write_html
from wakeword.errors import DataError


def measured_rows() -> list[dict]:
    """Three splits of tones with voices, levels and near misses that are known."""
    rows = [row for split in ("train", "val", "test") for row in known.tone_rows(split, 4, 2)]
    for number, row in enumerate(rows):
        if row["kind"] in ("wakeword", "speech"):
            row["pitch_hz"] = 110.0 if number % 2 else 220.0
            row["loudness_db"], row["snr_db"] = -20.0 - number % 5, 30.0
    rows[0] |= {"gender": "female", "source": "a <studio>", "licence": "CC BY <4.0>"}
    near = {"resembles": "alpha", "text": "alfalfa"}
    for number, distance in enumerate((1, 1, 3)):
        audio = known.tone_clip("beta", np.random.default_rng(number))
        rows.append(known.row("train", "confusable", "near_miss", audio, number, distance=distance, **near))
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = known.prepared(tmp_path_factory.mktemp("data") / "p", measured_rows())
    index = json.loads((folder / "index.json").read_text())
    counts = {"equal": 3, "copies": 2, "across_splits": 1}
    (folder / "index.json").write_text(json.dumps({**index, "duplicates": counts, "warnings": ["mind the gap"]}))
    bad = [quarantine_row(f"clip{number}.wav", "made", "decode", "too_quiet", "<-70 dBFS") for number in range(5)]
    bad.append(quarantine_row("dc.wav", "made", "decode", "dc_offset", "+0.2"))
    pq.write_table(quarantine_table(bad), folder / "quarantine.parquet")
    return folder


def test_what_a_prepared_folder_holds(folder: Path) -> None:
    facts = read_facts(folder)
    assert facts.labels == ("alpha", "beta")
    assert facts.clips("train", "wakeword", "alpha") == 4
    assert facts.hours("test", "speech") == pytest.approx(2 * 5.0 / 3600)
    assert facts.of("val", "wakeword", "beta")[0].speakers == 4
    assert facts.voiced == {"train": 4, "val": 4, "test": 4}
    assert facts.overlap == {}
    assert {one.source for one in facts.sources} == {"a <studio>", "made"}
    first = next(voice for voice in facts.voices if voice.gender)
    assert (first.label, first.split, first.speaker, first.pitch_hz) == ("alpha", "train", "train-0", 220.0)
    assert facts.values["pitch_hz"]["train", "wakeword"].tolist() == [220.0, 110.0] * 4
    assert ("train", "noise") not in facts.values["snr_db"]
    assert ("train", "noise") in facts.values["duration_s"]
    assert facts.refused[0] == Refused("too_quiet", 5, tuple(f"clip{number}.wav: <-70 dBFS" for number in range(3)))
    assert [(one.word, one.distance, one.clips) for one in facts.near_misses] == [("alpha", 1, 2), ("alpha", 3, 1)]


def test_tables_say_it_in_text(folder: Path) -> None:
    tables = {table.title: table for table in wording.terminal_tables(read_facts(folder))}
    assert ("wakeword", "alpha", "4 (0.00 h)", "4 (0.00 h)", "4 (0.00 h)") in tables["clips"].rows
    assert ("all voices", "4", "4", "4") in tables["speakers"].rows
    assert ("alpha", "train", "2", "2", "0", "1") in tables["voices of the words"].rows
    assert ("speech", "train", "165 (116 to 214)", "-24 (-24 to -23)", "30 (30 to 30)") in tables[
        "median (5 % to 95 %)"
    ].rows
    assert ("a <studio>", "CC BY <4.0>", "wakeword", "train", "1", "0.00") in tables["sources"].rows
    assert ("alpha", "1", "1", "2", "0", "0") in tables["phrases that resemble a word"].rows
    assert tables["left out"].rows[0] == ("too_quiet", "5", "clip0.wav: <-70 dBFS")
    assert wording.near_miss_texts(read_facts(folder))[0] == ("alpha, 1 away, train (texts: 1)", "alfalfa")


def test_guessed_and_unnamed_speakers_are_told_beside_the_others(tmp_path: Path) -> None:
    rows = measured_rows()
    for row in rows:
        if row["split"] == "val" and row["label"] == "alpha":
            row["speaker_source"] = "guessed"
    rows[0]["speaker"] = ""
    own, made = [row for row in rows if (row["split"], row["label"]) == ("train", "alpha")][:2]
    own["weight"], made["synthetic"], made["weight"] = 3.0, True, 2.0
    facts = read_facts(known.prepared(tmp_path / "p", rows))
    assert (facts.of("train", "wakeword", "alpha")[0].weight, facts.of("test", "wakeword", "alpha")[0].weight) == (7, 4)
    assert facts.of("train", "wakeword", "alpha")[0].people_weight == 5
    assert (facts.of("val", "wakeword", "alpha")[0].guessed, facts.of("train", "wakeword", "alpha")[0].guessed) == (
        4,
        0,
    )
    table = wording.speakers_table(facts)
    assert table.rows[0] == ("alpha", "3 + 1 clips without a name", "4 (4 clips by a guess)", "4")


def test_figures_hold_the_shares(folder: Path) -> None:
    facts = read_facts(folder)
    hours = hours_figure(facts)
    assert [bar.name for bar in hours.data] == ["train", "val", "test"]
    assert hours.data[0].y[hours.data[0].x.index("speech")] == pytest.approx(facts.hours("train", "speech"))
    for measure in ("pitch_hz", "snr_db"):
        figure = by_split_figure(facts, measure)
        assert [sum(line.y) for line in figure.data] == pytest.approx([100.0] * 3)
    assert [line.name.split()[0] for line in by_kind_figure(facts, "loudness_db").data] == ["wakeword", "speech"]
    assert by_kind_figure(dataclasses.replace(facts, values={}), "snr_db") is None


def good_facts() -> DataFacts:
    """Data that no rule has anything to say against."""

    def amount(split: str, kind: str, clips: int, hours: float, speakers: int = 0) -> Amount:
        return Amount(split, kind, "nova" if kind == "wakeword" else kind, clips, hours, speakers)

    amounts = [
        amount("train", "wakeword", 600, 0.3, 60),
        amount("val", "wakeword", 100, 0.05, 20),
        amount("test", "wakeword", 100, 0.05, 25),
        amount("train", "speech", 2000, 2.0, 100),
        amount("val", "speech", 1000, 1.0, 50),
        amount("test", "speech", 6000, 7.0, 100),
        amount("train", "noise", 100, 1.0),
        amount("train", "rir", 60, 0.01),
    ]
    sources = [
        SourceAmount("studio", "CC0", "train", "wakeword", "nova", 300, 0.15),
        SourceAmount("street", "CC0", "train", "wakeword", "nova", 300, 0.15),
        SourceAmount("studio", "CC0", "train", "speech", "speech", 2000, 2.0),
    ]
    voices = [
        Voice("nova", split, f"{split}{number}", None, 120.0 if number % 2 else 210.0)
        for split in ("train", "test")
        for number in range(10)
    ]
    return DataFacts("folder", "abc", ("nova",), tuple(amounts), tuple(sources), tuple(voices))


def changed(facts: DataFacts, split: str, kind: str, **values: Any) -> DataFacts:
    """With other numbers in one place."""
    amounts = [
        dataclasses.replace(one, **values) if (one.split, one.kind) == (split, kind) else one for one in facts.amounts
    ]
    return dataclasses.replace(facts, amounts=tuple(one for one in amounts if one.clips))


def all_of(facts: DataFacts, split: str, **values: Any) -> DataFacts:
    """With the voices of one split changed."""
    voices = tuple(dataclasses.replace(one, **values) if one.split == split else one for one in facts.voices)
    return dataclasses.replace(facts, voices=voices)


GOOD = good_facts()
STUDIO = tuple(dataclasses.replace(one, source="studio") for one in GOOD.sources)
SECOND = dataclasses.replace(
    GOOD,
    labels=("nova", "luna"),
    amounts=(
        *GOOD.amounts,
        *(dataclasses.replace(one, label="luna") for one in GOOD.amounts if one.kind == "wakeword"),
    ),
)
CASES = [
    ("speaker_overlap", dataclasses.replace(GOOD, overlap={"ann": ("train", "test")}), "ann (train and test)"),
    ("missing_word", changed(GOOD, "val", "wakeword", clips=0), "no clips in val"),
    ("few_speakers", changed(GOOD, "train", "wakeword", speakers=12), "12 speakers in train"),
    ("few_speakers", changed(GOOD, "test", "wakeword", speakers=1), "1 speaker in test"),
    ("unnamed_speakers", changed(GOOD, "train", "wakeword", unnamed=500), "500 of 800 clips"),
    ("one_gender", all_of(GOOD, "train", pitch_hz=120.0), "10 of 10 speakers of nova in train are male"),
    ("one_gender", all_of(GOOD, "test", gender="female"), "in test are female"),
    ("one_source", dataclasses.replace(GOOD, sources=STUDIO), "comes from studio"),
    (
        "one_source",
        dataclasses.replace(GOOD, sources=(*STUDIO[:2], dataclasses.replace(GOOD.sources[2], source="archive"))),
        "learn the channel",
    ),
    ("guessed_speakers", changed(GOOD, "train", "wakeword", guessed=40), "speakers of 40 of 800 recordings of nova"),
    ("synthetic_test", changed(GOOD, "test", "wakeword", synthetic=100), "600 recordings of people train, so their"),
    (
        "people_not_trained",
        changed(GOOD, "train", "wakeword", synthetic=600),
        "people say nova in val and test alone, training hears it from engines",
    ),
    (
        "drowned_people",
        changed(GOOD, "train", "wakeword", weight=640.0, people_weight=40.0),
        "6.2 % are people, the rest engines: multiply the weight of their sources (data.sources[].weight) by 5",
    ),
    ("missing_speech", changed(GOOD, "val", "speech", clips=0), "val holds no speech besides the wake words"),
    ("few_negatives", changed(GOOD, "train", "speech", hours=0.5), "0.50 h of other speech"),
    ("no_noise", changed(GOOD, "train", "noise", clips=0), "no noise"),
    ("no_rooms", changed(GOOD, "train", "rir", clips=0), "no room responses"),
    ("test_hours", changed(GOOD, "test", "speech", hours=5.0), "6.0 h without a false alarm"),
    ("test_words", changed(GOOD, "test", "wakeword", clips=28), "28 clips of nova, 29 without a miss"),
    ("quarantine", dataclasses.replace(GOOD, refused=(Refused("clipped", 900),)), "900 clipped"),
    (
        "imbalance",
        dataclasses.replace(
            SECOND,
            amounts=tuple(
                dataclasses.replace(one, clips=150) if (one.split, one.label) == ("train", "luna") else one
                for one in SECOND.amounts
            ),
        ),
        "600 clips of nova and 150 of luna",
    ),
]


@pytest.mark.parametrize(("rule", "facts", "said"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_each_rule_speaks_up_alone(rule: str, facts: DataFacts, said: str) -> None:
    found = advise(facts, EvaluationConfig())
    assert [one.rule for one in found] == [rule]
    assert said in found[0].text
    assert "\n" not in found[0].text
    assert found[0].error == (rule == "speaker_overlap")
    assert score_of(found) == (0 if found[0].error else 100 - found[0].points)


def test_good_data_get_all_points_and_every_rule_has_a_case() -> None:
    assert advise(GOOD, EvaluationConfig()) == []
    assert score_of([]) == 100
    told = {one.rule for _, facts, _ in CASES for one in advise(facts, EvaluationConfig())}
    # Noise and rooms are one function, hours and words of the test split another.
    assert len(told) == len(RULES) + 2
    bad = dataclasses.replace(GOOD, amounts=GOOD.amounts[:1], voices=GOOD.voices[:1])
    assert score_of(advise(bad, EvaluationConfig())) < 50
    assert score_of(advise(dataclasses.replace(GOOD, amounts=()), EvaluationConfig())) >= 0


def test_copies_and_held_words_are_left_out_on_purpose() -> None:
    refused = (Refused("contains_word", 9000), Refused("duplicate_across_splits", 9000))
    assert advise(dataclasses.replace(GOOD, refused=refused), EvaluationConfig()) == []


def test_targets_of_the_recipe_count() -> None:
    strict = EvaluationConfig(operating_fah=0.1, operating_frr=0.01)
    assert {one.rule for one in advise(GOOD, strict)} == {"test_hours", "test_words"}
    assert advise(GOOD, EvaluationConfig(operating_frr=1.0)) == []


def test_near_misses_of_a_synthesised_folder_come_from_its_texts(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    row = {"resembles": "alpha", "split": "val", "distance": 2, "text": "alfa", "way": "word", "clips": 7}
    pq.write_table(pa.Table.from_pylist([row]), copy / "confusables.parquet")
    assert read_facts(copy).near_misses == (NearMiss("alpha", 2, "alfa", "val", 7),)


def test_a_speaker_in_two_splits_is_an_error(tmp_path: Path) -> None:
    rows = measured_rows()
    rows[-1]["speaker"] = "test-1"
    report = data_report(known.prepared(tmp_path / "p", rows))
    assert report.facts.overlap == {"test-1": ("train", "test")}
    assert [one.rule for one in report.errors] == ["speaker_overlap"]
    assert report.score == 0
    assert "not to be trained on" in report.verdict


def test_folders_that_cannot_be_read_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="wakeword prepare"):
        read_facts(tmp_path)
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "quarantine.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"quarantine\.parquet cannot be read"):
        read_facts(copy)
    table = pq.read_table(copy / "manifest.parquet")
    pq.write_table(table.drop_columns(["pitch_hz"]), copy / "manifest.parquet")
    with pytest.raises(DataError, match="other columns"):
        read_facts(copy)


def test_what_prepare_writes_is_reported(tmp_path: Path) -> None:
    prepare(config_for(write_corpus(tmp_path / "corpus")), tmp_path / "out", runner="local")
    report = data_report(tmp_path / "out")
    assert report.facts.clips() == 26
    assert report.facts.duplicates.keys() == {"equal", "copies", "across_splits"}
    assert ("train", "wakeword") in report.facts.values["loudness_db"]
    assert {"few_speakers", "test_hours"} <= {one.rule for one in report.findings}


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "data.html"
    write_html(data_report(folder), path, command="wakeword data report 'x & y'")
    return path


def test_the_page_is_one_offline_file_that_names_all_it_should(page: Path, folder: Path) -> None:
    text = page.read_text()
    body = text[text.index("</head>") :]
    assert text.count("<script>/**\n* plotly.js") == 1
    assert "http" not in body  # nothing is fetched
    report: DataReport = data_report(folder)
    assert report.verdict in body
    for said in ("CC BY &lt;4.0&gt;", "a &lt;studio&gt;", "clip0.wav: &lt;-70 dBFS", "x &amp; y", "alfalfa"):
        assert said in body
    for said in ("with the same samples: 3;", "another split holds the same: 1.", "mind the gap", "dc_offset"):
        assert said in body
    assert body.count("Plotly.newPlot") == 6  # hours, pitch, level, two of SNR, lengths


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1100])
def test_a_browser_draws_it_without_errors_and_without_scrolling_sideways(page: Path, width: int) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed: this test looks at the report in one")
    from playwright.sync_api import sync_playwright

    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": width, "height": 800})
        view.on("pageerror", lambda error: faults.append(str(error)))
        view.goto(page.as_uri(), timeout=150_000)
        view.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 12", timeout=60_000)
        wide = view.evaluate("document.documentElement.scrollWidth")
        bars = view.evaluate("document.querySelectorAll('.js-plotly-plot')[0].querySelectorAll('.point').length")
        lines = view.evaluate(
            "document.querySelectorAll('.js-plotly-plot')[1].querySelectorAll('.scatterlayer .js-line').length"
        )
        browser.close()
    assert not faults
    assert wide <= width
    assert bars >= 9
    assert lines == 3
