"""The use of each label: end to end over folders of other projects and of people, with warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.corpus import burst, config_for, write_manifest
from wakeword.audio.io import write_wav
from wakeword.cli.main import main
from wakeword.config.labels import label_of
from wakeword.data.label_uses import LabelUse, label_table, label_uses, label_warnings
from wakeword.data.manifest import quarantine_row
from wakeword.data.prepare import gather_clips, prepare
from wakeword.data.report.report import data_report, write_html
from wakeword.data.summary import PreparedSummary

WORDS = [{"label": "hey_schatzchen", "phrase": "Hey Schätzchen"}]
SPOKEN = {
    "enabled": True,
    "engines": {"espeak": 1.0},
    "hold_out": [],
    "clips_per_word": 6,
    "speech_clips": 6,
    "near_miss_test_clips": 0,
    "noises": 0,
    "rooms": 0,
}
SPLITS_BY_HAND = {"val": 0.3, "test": 0.3}


def recordings(root: Path, *folders: str, each: int = 4) -> Path:
    for number, folder in enumerate(folders):
        for take in range(each):
            write_wav(root / folder / f"{take}.wav", burst(100 * number + take))
    return root


def prepared(root: Path, out: Path, **tree: Any) -> PreparedSummary:
    config = config_for(root, kind="folder", words=WORDS, data={"splits": SPLITS_BY_HAND}, **tree)
    return prepare(config, out, runner="local")


def became(summary: PreparedSummary) -> dict[str, tuple[str, int]]:
    return {use.label: (use.became, use.clips) for use in summary.labelled if not use.source.startswith("espeak")}


LAYOUTS = {
    "its own phrase": (["Hey Schätzchen", "negative"], 4, 4),
    "Precise": (["wake-word", "not-wake-word", "test/wake-word", "test/not-wake-word"], 8, 8),
    "openWakeWord": (["positive_train", "positive_test", "negative_train", "negative_test"], 8, 8),
    "microWakeWord": (["personal_samples", "negative_samples", "background"], 4, 8),
    "audiofolder": (
        [f"{split}/{name}" for split in ("train", "validation", "test") for name in ("Hey Schätzchen", "other")],
        12,
        12,
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_other_projects_are_prepared(tmp_path: Path, name: str) -> None:
    folders, positives, negatives = LAYOUTS[name]
    summary = prepared(recordings(tmp_path / "corpus", *folders), tmp_path / "out")
    assert summary.clips(kind="wakeword", label="hey_schatzchen") == positives
    assert summary.clips() == positives + negatives
    assert became(summary)["hey_schatzchen"] == ("positive of hey_schatzchen", positives)
    if name == "audiofolder":
        assert [summary.clips(split) for split in ("train", "val", "test")] == [8, 8, 8]
    if name == "openWakeWord":
        # The layout knows no val: two of four clips of each kind are its share of train.
        assert [summary.clips(split) for split in ("train", "val", "test")] == [4, 4, 8]
    if name == "Precise":
        assert summary.clips("test") >= 8


@pytest.mark.parametrize("name", ["its own phrase", "Precise"])
def test_they_are_so_beside_synthesis(tmp_path: Path, name: str) -> None:
    pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
    folders, positives, negatives = LAYOUTS[name]
    summary = prepared(recordings(tmp_path / "corpus", *folders), tmp_path / "out", synthesis=SPOKEN)
    own = [use for use in summary.labelled if use.source == "corpus"]
    assert {use.label: (use.became, use.clips) for use in own} == {
        "hey_schatzchen": ("positive of hey_schatzchen", positives),
        "speech": ("negative (speech)", negatives),
    }
    assert not [warning for warning in summary.warnings if "became negatives" in warning]


def test_personal_samples_in_a_bare_folder(tmp_path: Path) -> None:
    recordings(tmp_path / "Hey Schätzchen", "")
    recordings(tmp_path / "mine", "")
    assert became(prepared(tmp_path / "Hey Schätzchen", tmp_path / "a")) == {
        "hey_schatzchen": ("positive of hey_schatzchen", 4)
    }
    positive = prepared(tmp_path / "mine", tmp_path / "b", source={"kind": "wakeword"})
    assert became(positive) == {"hey_schatzchen": ("positive of hey_schatzchen", 4)}
    config = config_for(tmp_path / "mine", kind="folder", words=WORDS, synthesis=SPOKEN)
    with pytest.raises(Exception, match=r"neither that nor mine names a label: move it .* or set the source's `kind`"):
        gather_clips(config)


def test_the_phrase_that_new_is_given_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recordings(tmp_path / "own", "Hey Schätzchen", "stop", each=6)
    source = f"data.sources=[{{type: folder, uri: {tmp_path / 'own'}}}]"
    assert main(["new", "Hey Schätzchen", source, "synthesis.enabled=false", "compute.workers=0"]) == 0
    assert label_of("Hey Schätzchen") == "hey_schatzchen"
    from wakeword.config import load_config

    config = load_config("hey_schatzchen.yaml")
    summary = prepare(config, tmp_path / "out", runner="local")
    assert became(summary)["hey_schatzchen"] == ("positive of hey_schatzchen", 6)
    capsys.readouterr()
    assert main(["data", "report", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "positive of hey_schatzchen" in printed
    assert "negative (names no configured word)" in printed
    assert "6 clips labelled stop became negatives" in printed


def test_the_table_lists_the_use_of_every_label(tmp_path: Path) -> None:
    kinds = {"Hey Schätzchen": "wakeword", "hey_schatz": "wakeword", "sag hey schatzchen": "wakeword"}
    rows = []
    for number in range(48):
        write_wav(tmp_path / "c" / f"{number}.wav", burst(number))
        label = list(kinds)[number % 3] if number < 36 else "good_day"
        kind = kinds.get(label, "speech") if number != 47 else "noise"
        rows.append({"path": f"{number}.wav", "kind": kind, "label": label})
    (tmp_path / "c" / "1.wav").write_bytes(b"no audio")
    config = config_for(write_manifest(tmp_path / "c" / "m.csv", rows), words=WORDS, data={"splits": SPLITS_BY_HAND})
    summary = prepare(config, tmp_path / "out", runner="local")
    source = ""
    assert {(use.label, use.became): (use.source, use.clips, use.left_out) for use in summary.labelled} == {
        ("good_day", "negative (noise)"): (source, 1, {}),
        ("good_day", "negative (speech)"): (source, 11, {}),
        ("hey_schatz", "negative (names no configured word)"): (source, 11, {"undecodable": 1}),
        ("hey_schatzchen", "positive of hey_schatzchen"): (source, 12, {}),
        ("sag_hey_schatzchen", "left out"): (source, 0, {"contains_word": 12}),
    }
    assert [warning for warning in summary.warnings if "labelled" in warning] == [
        "11 clips labelled hey_schatz became negatives, since no configured word has such a label: if they are the "
        "wake word, name them by its label or phrase; if not, data.negative_labels ends this warning",
        "12 clips labelled sag_hey_schatzchen were left out: the label holds a configured word beside others. If they "
        "are the wake word alone, name them by its label or phrase",
    ]
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert [LabelUse(**row) for row in index["labelled"]] == summary.labelled
    assert prepare(config, tmp_path / "out", runner="local").labelled == summary.labelled
    lines = summary.table().splitlines()
    assert any(line.split() == ["label", "became", "clips", "left", "out", "from"] for line in lines)
    assert any(line.startswith("hey_schatzchen") and "positive of hey_schatzchen" in line for line in lines)
    report = data_report(tmp_path / "out")
    assert list(report.facts.labelled) == summary.labelled
    write_html(report, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "negative (names no configured word)" in page
    assert "12 contains_word" in page
    quarantine = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert {(row["reason"], row["label"]) for row in quarantine} == {
        ("undecodable", "hey_schatz"),
        ("contains_word", "sag_hey_schatzchen"),
    }


def manifest(*rows: tuple[str, str, str], times: int = 1) -> pa.Table:
    names = ("source", "kind", "label")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows] * times)


def test_warnings_name_sets_of_short_labels_that_nobody_called_negative() -> None:
    defaults = {("own", "stop"), ("own", "a_whole_sentence_of_words"), ("speech_commands", "cat"), ("own", "rare")}
    table = pa.concat_tables(
        [
            manifest(("own", "speech", "stop"), ("own", "speech", "a_whole_sentence_of_words"), times=9),
            manifest(("speech_commands", "speech", "cat"), ("own", "speech", "speech"), times=9),
            manifest(("own", "speech", "rare"), times=5),
        ]
    )
    uses = label_uses(table, [], defaults)
    (warning,) = label_warnings(uses, defaults, ())
    assert warning.startswith("9 clips labelled stop became negatives")
    assert label_warnings(uses, defaults, ["Stop"]) == []
    (misspelled,) = label_warnings(uses, defaults, ["Stop", "Trawis"])
    assert misspelled.startswith("data.negative_labels: no clip has the label trawis")


def test_many_labels_are_one_warning() -> None:
    defaults = {("own", f"w{i}") for i in range(12)}
    table = pa.concat_tables([manifest(("own", "speech", f"w{i}"), times=6 + i) for i in range(12)])
    (warning,) = label_warnings(label_uses(table, [], defaults), defaults, ())
    assert warning.startswith("17 clips labelled w11, 16 labelled w10, ")
    assert ", 10 labelled w4 and 4 labels more became negatives" in warning


def test_files_without_a_label_are_counted(tmp_path: Path) -> None:
    recordings(tmp_path / "own", "Hey Schätzchen", "clips")
    summary = prepared(tmp_path / "own", tmp_path / "out")
    assert became(summary)[""] == ("left out", 0)
    assert any("4 files left out, since they have no label" in warning for warning in summary.warnings)


def test_the_table_takes_scenery_together() -> None:
    rows = [("a", "noise", f"n{i}") for i in range(3)] + [("b", "wakeword", "w"), ("a", "wakeword", "w")]
    refused = [
        quarantine_row("u", "b", "decode", "silent", "", "w"),
        quarantine_row("v", "a", "decode", "nan", "", "n1"),
    ]
    assert label_table(label_uses(manifest(*rows), refused, ())) == [
        ("w", "positive of w", "2", "1 silent", "a, b"),
        ("(3 labels)", "negative (noise)", "3", "1 nan", "a"),
    ]
