"""The epochs of a training in the log of a process without a terminal."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.synthetic import tiny_config
from wakeword.config import save_config
from wakeword.stages import progress
from wakeword.training.tracking import epoch_text, watch_epochs

TRAIN = """
import sys
from wakeword.config import load_config
from wakeword.system.log import configure_logging
from wakeword.training.loop import train
config = load_config(sys.argv[1])
configure_logging(config.tracking)
train(config, sys.argv[2], sys.argv[3])
"""
WORKER = """
import json, sys, time
for epoch in (2, 3):
    with open(sys.argv[1], "a") as stream:
        line = json.dumps({"epoch": epoch, "loss": 0.5, "val_frr": None, "clips_per_s": 1000.0})
        stream.write(line[:9])
        stream.flush()
        time.sleep(0.3)
        stream.write(line[9:] + chr(10))
"""


def test_a_training_without_a_terminal_logs_each_epoch(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 3, "steps_per_epoch": 4})
    save_config(config, tmp_path / "recipe.yaml")
    command = [sys.executable, "-c", TRAIN, tmp_path / "recipe.yaml", prepared, tmp_path / "run"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    epochs = [line for line in lines if line.get("task") == "training" and " steps " not in line["event"]]
    assert [(line["done"], line["total"]) for line in epochs] == [(4, 12), (8, 12), (12, 12)]
    assert re.match(r"training: epoch 1 of 3, loss [\d.]+, val_frr [\d.]+, \d+ clips/s, .* left$", epochs[0]["event"])
    assert epochs[0]["left_s"] > 0
    assert "left" not in epochs[-1]["event"]


def test_epochs_that_workers_write_are_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"epoch": 1, "loss": 0.7, "val_frr": 0.5, "clips_per_s": 900.0}) + "\n")
    monkeypatch.setattr(progress, "LINE_S", 60.0)
    monkeypatch.setattr(progress, "SHORTEST_S", 0.0)
    with caplog.at_level(logging.INFO, "wakeword"), watch_epochs(path, 4, 0.02):
        subprocess.run([sys.executable, "-c", WORKER, str(path)], check=True, timeout=60)
        time.sleep(0.1)
    texts = [record.getMessage() for record in caplog.records]
    assert [text.split(",")[0] for text in texts] == ["training: epoch 2 of 4", "training: epoch 3 of 4"]
    assert "loss 0.5000, no validation, 1000 clips/s" in texts[0]
    assert texts[1].endswith("left")


def test_the_text_of_an_epoch() -> None:
    metrics = {"loss": 0.12345, "val_frr": 0.25, "clips_per_s": 1234.4}
    assert epoch_text(metrics) == "loss 0.1235, val_frr 0.2500, 1234 clips/s"
