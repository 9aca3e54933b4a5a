"""What a run writes while it trains, read back with the tools that people read it with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.training.synthetic import tiny_config
from wakeword.training.tracking import RunTracker, read_metrics


def epoch(number: int, loss: float) -> dict[str, Any]:
    return {"epoch": number, "step": 5 * number, "loss": loss, "val_frr": float("inf") if number == 9 else 0.5}


def test_tensorboard_shows_the_scalars_of_a_continued_run_once(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = tiny_config(tracking={"tensorboard": True})
    for first, losses in ((0, (1.0, 0.75, 0.625)), (2, (0.5,))):
        tracker = RunTracker(config, tmp_path)
        tracker.open(first, {})
        for number, loss in enumerate(losses, first + 1):
            tracker.epoch(epoch(number, loss))
        tracker.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 0.75), (3, 0.5)]
    assert [line["loss"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [1.0, 0.75, 0.5]


def test_wandb_offline_writes_a_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    tracker = RunTracker(tiny_config(tracking={"wandb_project": "nova"}), tmp_path)
    tracker.open(0, {})
    tracker.epoch(epoch(1, 0.25))
    tracker.close()
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    # wandb's own process writes the file out after `finish` has returned.
    deadline_s, stored = time.monotonic() + 30, b""
    while b"val_frr" not in stored and time.monotonic() < deadline_s:
        time.sleep(0.1)
        stored = file.read_bytes()
    assert all(piece in stored for piece in (b"nova", b"loss", b"0.25", b"val_frr"))
