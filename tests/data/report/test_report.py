"""The report on data: what it counts of a prepared folder, when each rule fires, and the page in a real browser."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.corpus import config_for, write_corpus
from tests.evaluation import known
from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.manifest import quarantine_row, quarantine_table
from wakeword.data.prepare import prepare
from wakeword.data.report import wording
from wakeword.data.report.advice import ERRORS, RULES, advise
from wakeword.data.report.facts import NEAR_MISSES, PLACE, SUMS, DataFacts, read_facts
from wakeword.data.report.figures import all_figures, histogram, hours_figure
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
        rows.append(known.row("train", "confusable", "near_miss", audio, number, phoneme_distance=distance, **near))
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
    assert len(facts.speakers("val", "beta")) == 4
    assert facts.speakers("val")["speaker"].nunique() == 4
    assert facts.overlap == {}
    assert set(facts.amounts["source"]) == {"a <studio>", "made"}
    first = facts.voices[facts.voices["gender"].notna()].iloc[0]
    assert (first.label, first.split, first.speaker, first.pitch_hz) == ("alpha", "train", "train-0", 220.0)
    words = facts.measures[(facts.measures["split"] == "train") & (facts.measures["kind"] == "wakeword")]
    assert words["pitch_hz"].tolist() == [220.0, 110.0] * 4
    noise = facts.measures[facts.measures["kind"] == "noise"]
    assert noise["snr_db"].isna().all()
    assert noise["duration_s"].notna().all()
    assert facts.refused["reason"].value_counts().to_dict() == {"too_quiet": 5, "dc_offset": 1}
    assert facts.near_misses[["word", "phoneme_distance", "clips"]].values.tolist() == [
        ["alpha", 1, 2],
        ["alpha", 3, 1],
    ]


def test_tables_in_text(folder: Path) -> None:
    tables = {table.title: table for table in wording.tables(read_facts(folder)).values()}
    assert ("wakeword", "alpha", "4 (0.00 h)", "4 (0.00 h)", "4 (0.00 h)") in tables["clips"].rows
    assert ("all voices", "4", "4", "4") in tables["speakers"].rows
    assert ("alpha", "train", "2", "2", "0", "1") in tables["voices of the words"].rows
    assert ("speech", "train", "165 (116 to 214)", "-24 (-24 to -23)", "30 (30 to 30)") in tables[
        "median (5 % to 95 %)"
    ].rows
    assert ("a <studio>", "CC BY <4.0>", "wakeword", "train", "1", "0.00") in tables["sources"].rows
    assert ("alpha", "1", "1", "2", "0", "0") in tables["phrases that resemble a word"].rows
    assert tables["left out"].rows[0] == (
        "too_quiet",
        "5",
        "clip0.wav: <-70 dBFS; clip1.wav: <-70 dBFS; clip2.wav: <-70 dBFS",
    )
    assert wording.near_miss_texts(read_facts(folder))[0] == (
        "alpha, phonemes away: 1, train",
        "alfalfa",
    )


def test_guessed_and_unnamed_speakers_are_counted_beside_the_others(tmp_path: Path) -> None:
    rows = measured_rows()
    for row in rows:
        if row["split"] == "val" and row["label"] == "alpha":
            row["speaker_source"] = "guessed"
    rows[0]["speaker"] = ""
    own, made = [row for row in rows if (row["split"], row["label"]) == ("train", "alpha")][:2]
    own["weight"], made["synthetic"], made["weight"] = 3.0, True, 2.0
    facts = read_facts(known.prepared(tmp_path / "p", rows))
    train, val, test = (
        facts.of(split, "wakeword", "alpha").sum(numeric_only=True) for split in ("train", "val", "test")
    )
    assert (train.weight, train.people_weight, test.weight) == (7, 5, 4)
    assert (val.guessed, train.guessed) == (4, 0)
    table = wording.tables(facts)["speakers"]
    assert table.rows[0] == ("alpha", "3 + 1 clips without a name", "4 (4 clips by a guess)", "4")


def test_figures_hold_the_shares(folder: Path) -> None:
    facts = read_facts(folder)
    hours = hours_figure(facts)
    assert [bar.name for bar in hours.data] == ["train", "val", "test"]
    assert hours.data[0].y[hours.data[0].x.index("speech")] == pytest.approx(facts.hours("train", "speech"))
    for measure in ("pitch_hz", "snr_db"):
        figure = histogram(facts, measure, "split")
        assert [sum(line.y) for line in figure.data] == pytest.approx([100.0] * 3)
    assert [line.name.split()[0] for line in histogram(facts, "loudness_db", "kind").data] == ["wakeword", "speech"]
    empty = dataclasses.replace(facts, amounts=facts.amounts.iloc[:0], measures=facts.measures.iloc[:0])
    assert set(all_figures(empty).values()) == {None}


def good_facts() -> DataFacts:
    """Data without findings."""

    def amount(split: str, kind: str, source: str, clips: int, hours: float) -> dict[str, Any]:
        place = (split, kind, "nova" if kind == "wakeword" else kind, source, "CC0")
        return {**dict.fromkeys(SUMS, 0), **dict(zip(PLACE, place, strict=True)), "clips": clips, "hours": hours}

    amounts = [
        amount("train", "wakeword", "studio", 300, 0.15),
        amount("train", "wakeword", "street", 300, 0.15),
        amount("val", "wakeword", "street", 100, 0.05),
        amount("test", "wakeword", "street", 100, 0.05),
        amount("train", "speech", "studio", 2000, 2.0),
        amount("val", "speech", "studio", 1000, 1.0),
        amount("test", "speech", "studio", 6000, 7.0),
        amount("train", "noise", "studio", 100, 1.0),
        amount("train", "rir", "studio", 60, 0.01),
    ]
    voices = [
        ("nova", "wakeword", split, f"{split}{number}", None, 120.0 if number % 2 else 210.0)
        for split, speakers in (("train", 60), ("val", 20), ("test", 25))
        for number in range(speakers)
    ]
    columns = ["label", "kind", "split", "speaker", "gender", "pitch_hz"]
    return DataFacts("folder", "abc", ("nova",), pd.DataFrame(amounts), pd.DataFrame(voices, columns=columns))


def changed(facts: DataFacts, split: str, kind: str, label: str = "", **values: float) -> DataFacts:
    """With other numbers in one place, the same share of them in each of its rows."""
    amounts = facts.amounts.astype(dict.fromkeys(SUMS, float))
    chosen = (amounts["split"] == split) & (amounts["kind"] == kind) & amounts["label"].str.contains(label)
    for name, value in values.items():
        amounts.loc[chosen, name] = value / chosen.sum()
    amounts = amounts[amounts["clips"] > 0].astype(dict.fromkeys(set(SUMS) - {"hours", "weight", "people_weight"}, int))
    return dataclasses.replace(facts, amounts=amounts)


def with_sources(facts: DataFacts, words: str, speech: str) -> DataFacts:
    """With all of the word and all other speech from one source each."""
    sources = facts.amounts["kind"].map({"wakeword": words, "speech": speech}).fillna("studio")
    return dataclasses.replace(facts, amounts=facts.amounts.assign(source=sources))


def with_voices(facts: DataFacts, split: str, speakers: int = 100, **values: Any) -> DataFacts:
    """With at most so many speakers of one split, changed."""
    own = facts.voices["split"] == split
    return dataclasses.replace(
        facts, voices=pd.concat([facts.voices[~own], facts.voices[own].head(speakers).assign(**values)])
    )


GOOD = good_facts()
WORDS = GOOD.amounts[GOOD.amounts["kind"] == "wakeword"]
SECOND = dataclasses.replace(
    GOOD,
    labels=("nova", "luna"),
    amounts=pd.concat([GOOD.amounts, WORDS.assign(label="luna")], ignore_index=True),
    voices=pd.concat([GOOD.voices, GOOD.voices.assign(label="luna")], ignore_index=True),
)
SHARED = pd.concat([GOOD.voices, GOOD.voices.head(1).assign(split="test")])
REFUSED = pd.DataFrame({"reason": ["clipped"] * 900, "uri": "x.wav", "detail": ""})
CASES = [
    ("speaker_overlap", dataclasses.replace(GOOD, voices=SHARED), "train0 (train and test)"),
    ("missing_word", changed(GOOD, "val", "wakeword", clips=0), "no clips in val"),
    ("few_speakers", with_voices(GOOD, "train", 12), "12 speakers in train"),
    ("few_speakers", with_voices(GOOD, "test", 1), "1 speaker in test"),
    ("unnamed_speakers", changed(GOOD, "train", "wakeword", unnamed=500), "500 of 800 clips"),
    ("one_gender", with_voices(GOOD, "train", pitch_hz=120.0), "60 of 60 speakers of nova in train are male"),
    ("one_gender", with_voices(GOOD, "test", gender="female"), "in test are female"),
    ("one_source", with_sources(GOOD, "studio", "studio"), "comes from studio"),
    ("one_source", with_sources(GOOD, "studio", "archive"), "learn the channel"),
    ("guessed_speakers", changed(GOOD, "train", "wakeword", guessed=40), "speakers of 40 of 800 recordings of nova"),
    (
        "synthetic_test",
        changed(GOOD, "test", "wakeword", synthetic=100),
        "600 recordings of people are all used in training",
    ),
    (
        "people_not_trained",
        changed(GOOD, "train", "wakeword", synthetic=600),
        "people say nova in val and test only, all of training is synthetic",
    ),
    (
        "drowned_people",
        changed(GOOD, "train", "wakeword", weight=640.0, people_weight=40.0),
        "6.2 % of what training draws of nova is spoken by people, the rest by engines: multiply",
    ),
    ("missing_speech", changed(GOOD, "val", "speech", clips=0), "val holds no speech besides the wake words"),
    ("few_negatives", changed(GOOD, "train", "speech", hours=0.5), "0.50 h of other speech"),
    ("no_noise", changed(GOOD, "train", "noise", clips=0), "no noise"),
    ("no_rooms", changed(GOOD, "train", "rir", clips=0), "no room impulse responses"),
    ("test_hours", changed(GOOD, "test", "speech", hours=5.0), "6.0 h without a false alarm"),
    ("test_words", changed(GOOD, "test", "wakeword", clips=28), "28 clips of nova, 29 without a miss"),
    ("quarantine", dataclasses.replace(GOOD, refused=REFUSED), "900 clipped"),
    (
        "imbalance",
        changed(SECOND, "train", "wakeword", "luna", clips=150),
        "600 clips of nova and 150 of luna",
    ),
]


@pytest.mark.parametrize(("rule", "facts", "text"), CASES, ids=[f"{n}-{case[0]}" for n, case in enumerate(CASES)])
def test_each_rule_fires_alone(rule: str, facts: DataFacts, text: str) -> None:
    found = advise(facts, EvaluationConfig())
    assert [one.rule for one in found] == [rule]
    assert text in found[0].text
    assert "\n" not in found[0].text
    assert found[0].error == (rule == "speaker_overlap")


def test_good_data_have_no_findings_and_every_rule_has_a_case() -> None:
    assert advise(GOOD, EvaluationConfig()) == []
    assert wording.verdict([]) == "can be trained on: no warnings"
    assert {rule for rule, _, _ in CASES} == set(RULES)
    assert set(RULES) >= ERRORS
    assert advise(dataclasses.replace(GOOD, amounts=GOOD.amounts[:0], voices=GOOD.voices[:0]), EvaluationConfig())


def test_errors_come_first_then_the_most_severe() -> None:
    facts = changed(dataclasses.replace(GOOD, voices=SHARED), "train", "rir", clips=0)
    found = advise(changed(facts, "val", "wakeword", clips=0), EvaluationConfig())
    assert [one.rule for one in found] == ["speaker_overlap", "missing_word", "no_rooms"]
    assert wording.verdict(found) == "not to be trained on: 1 error, 2 warnings"
    assert [line.split()[0] for line in wording.advice_lines(found)] == ["ERROR", "warning", "warning"]


def test_copies_and_clips_with_a_word_in_them_are_left_out_on_purpose() -> None:
    refused = REFUSED.assign(reason=["contains_word", "duplicate_across_splits"] * 450)
    assert advise(dataclasses.replace(GOOD, refused=refused), EvaluationConfig()) == []


def test_targets_of_the_recipe_count() -> None:
    strict = EvaluationConfig(operating_fah=0.1, operating_frr=0.01)
    assert {one.rule for one in advise(GOOD, strict)} == {"test_hours", "test_words"}
    assert advise(GOOD, EvaluationConfig(operating_frr=1.0)) == []


def test_near_misses_of_a_synthesised_folder_come_from_its_texts(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    row = {"resembles": "alpha", "split": "val", "phoneme_distance": 2, "text": "alfa", "way": "word", "clips": 7}
    pq.write_table(pa.Table.from_pylist([row]), copy / "confusables.parquet")
    assert read_facts(copy).near_misses.values.tolist() == [["alpha", 2, "alfa", "val", 7]]


def test_clips_that_engines_spoke_are_counted_by_engine_and_voice(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    rows = [
        ("espeak", "en+f1", "alpha", "", 6),
        ("espeak", "en+f1", "alpha", "wrong_words", 2),
        ("espeak", "en+f2", "alpha", "clipped", 1),
        ("espeak", "en+f2", "alpha", "wrong_words", 3),
        ("espeak", "en+f3", "alpha", "", 8),
        ("espeak", "en+f1", "speech", "clipped", 9),
        ("kokoro", "af_bella", "alpha", "", 5),
    ]
    spoken = [dict(zip(("engine", "voice", "label", "reason", "clips"), row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(spoken), copy / "voices.parquet")
    report = data_report(copy)
    table = wording.tables(report.facts)["spoken"]
    assert table.rows == [
        ("espeak", "all 3", "20", "6", "30%", "clipped 1, wrong_words 5"),
        ("espeak", "en+f2", "4", "4", "100%", "clipped 1, wrong_words 3"),
        ("espeak", "en+f1", "8", "2", "25%", "wrong_words 2"),
        ("kokoro", "all 1", "5", "0", "0%", ""),
    ]
    write_html(report, tmp_path / "report.html")
    assert "clipped 1, wrong_words 3" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert wording.tables(read_facts(folder))["spoken"].rows == []


def test_a_speaker_in_two_splits_is_an_error(tmp_path: Path) -> None:
    rows = measured_rows()
    rows[-1]["speaker"] = "test-1"
    report = data_report(known.prepared(tmp_path / "p", rows))
    assert report.facts.overlap == {"test-1": ("train", "test")}
    assert [one.rule for one in report.errors] == ["speaker_overlap"]
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
    assert report.facts.measures["loudness_db"].notna().any()
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
    for part in ("CC BY &lt;4.0&gt;", "a &lt;studio&gt;", "clip0.wav: &lt;-70 dBFS", "x &amp; y", "alfalfa"):
        assert part in body
    for part in ("with the same samples: 3;", "another split holds the same: 1.", "mind the gap", "dc_offset"):
        assert part in body
    assert body.count("Plotly.newPlot") == 6  # hours, pitch, level, two of SNR, lengths


def test_a_hostile_label_is_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    voices = pd.concat([GOOD.voices, SHARED.tail(1)]).assign(label=hostile, speaker=hostile)
    amounts = GOOD.amounts.assign(label=hostile, source=hostile, licence=hostile)
    refused = pd.DataFrame({"reason": [hostile], "uri": [hostile], "detail": [hostile]})
    near = pd.DataFrame([[hostile, 1, hostile, "train", 1]], columns=NEAR_MISSES)
    facts = dataclasses.replace(
        GOOD,
        labels=(hostile,),
        amounts=amounts,
        voices=voices,
        refused=refused,
        near_misses=near,
        warnings=(hostile,),
    )
    write_html(DataReport(facts, advise(facts, EvaluationConfig())), tmp_path / "r.html", command=hostile)
    text = (tmp_path / "r.html").read_text()
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)") > 12


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
