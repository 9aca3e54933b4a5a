"""The comparison of families: its recipes fit every family, and its figures are those of the stored cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.zoo import Entry, all_entries, few_clips, miss_rate, plot, table
from wakeword.config import load_config
from wakeword.models.families import build_model, families


def cell(entry: str, missed: int, macs: float) -> dict[str, Any]:
    """Two speakers of ten words each in two conditions; all misses are those of the first, in noise."""
    counts = {"clean": {"a": [0, 10], "b": [0, 10]}, "10 dB": {"a": [missed, 10], "b": [0, 10]}}
    at = {"threshold": 0.5, "false_alarms": 1, "missed": counts}
    return {
        "entry": entry,
        "judged": {"computer": {"hours": 2.0, "0.5": at, "1.0": at}},
        "weights": 30_000,
        "macs_per_s": macs,
        "cpu_ms": macs / 1e6,
        "context_s": 1.4,
        "train_s": 150.0,
        "train_cpu_s": 120.0,
    }


@pytest.mark.parametrize("entry", all_entries(), ids=lambda entry: entry.text)
def test_the_recipe_of_every_family_builds(entry: Entry) -> None:
    config = load_config(None, ["words=[{label: computer}, {label: jarvis}]", *entry.overrides])
    assert build_model(config.model, config.frontend.n_mels, 2).words == 2


def test_all_families_are_compared() -> None:
    assert [entry.family for entry in all_entries()] == families()
    assert Entry("bc_resnet:width=2,dropout=0").overrides == [
        "model.family=bc_resnet",
        "model.width=2",
        "model.dropout=0",
    ]
    assert Entry("bc_resnet:width=2").name(1) == "bc_resnet-width-2-1"


def test_misses_are_shares_over_conditions_and_seeds() -> None:
    cells = [cell("gru", 4, 2e6), cell("gru", 8, 2e6)]
    share, interval = miss_rate(cells, 0.5)
    assert share == pytest.approx(12 / 80)
    assert interval is not None
    assert interval.low == 0.0
    assert interval.high == pytest.approx(12 / 40)
    assert miss_rate(cells, 1.0, "clean")[0] == 0.0


def test_table_and_plot(tmp_path: Path) -> None:
    found = {"gru": [cell("gru", 8, 2e6)], "tc_resnet": [cell("tc_resnet", 2, 3e6), cell("tc_resnet", 4, 3e6)]}
    rows = table(found).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == ["tc_resnet", "gru"]
    assert "5.0 / 10.0" in rows[0]
    assert "30.0 k" in rows[0]
    assert "3.00 M" in rows[0]
    assert "2.0 min" in rows[0]
    plot(found, tmp_path / "zoo.png")
    assert (tmp_path / "zoo.png").read_bytes().startswith(b"\x89PNG")


def test_few_clips_take_speakers_in_turn() -> None:
    rows = [
        {"kind": "wakeword", "label": label, "split": "train", "speaker": speaker, "path": f"{label}{speaker}{take}"}
        for label in ("computer", "alexa")
        for speaker in ("a", "b", "c")
        for take in range(5)
    ]
    chosen = few_clips([*rows, {**rows[0], "kind": "speech", "label": "speech", "path": "s"}], ("computer",))
    assert {row["label"] for row in chosen} == {"computer", "speech"}
    speakers = [row["speaker"] for row in chosen if row["label"] == "computer"]
    assert len(speakers) == 8
    assert {speakers.count(name) for name in "abc"} == {2, 3}
