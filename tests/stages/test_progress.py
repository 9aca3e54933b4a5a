"""Progress on a terminal and, by subprocesses whose streams are files, in the log."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from wakeword.config.tracking import TrackingConfig
from wakeword.stages import progress as progress_module
from wakeword.stages.progress import Progress, Rate, duration, polled, track_batches
from wakeword.system.log import configure_logging, log_context

SHORT_STAGE = """
import sys, time
import pyarrow as pa
from wakeword.config import validate_config
from wakeword.stages import progress
from wakeword.stages.runner import stage_runner
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.log import configure_logging, log_context

class Slow(Stage):
    name, reads, writes = "slow", ("x",), ("rows", "duration_s")
    resources = StageResources(batch_size=5)

    def __call__(self, table):
        time.sleep(0.05)
        return pa.table({"rows": [table.num_rows] * table.num_rows, "duration_s": [60.0] * table.num_rows})

progress.SHORTEST_S = 0.0
config = validate_config({"words": [{"label": "hey_nova"}]})
configure_logging(config.tracking)
with log_context("tiny"), stage_runner(config, "local", None) as run:
    print(sum(batch.num_rows for batch in run(Slow(), pa.table({"x": list(range(100))}), "slow work")))
"""


@pytest.fixture
def lines() -> Iterator[Any]:
    """A call of it gives the lines that were logged so far."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logging(TrackingConfig(), stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_stage_without_a_terminal_logs_its_tenths() -> None:
    done = subprocess.run([sys.executable, "-c", SHORT_STAGE], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "100\n"
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["done"] for line in found] == list(range(10, 101, 10))
    first, last = found[0], found[-1]
    assert re.fullmatch(
        r"slow work: 10 of 100 \(10%\), \d+ clips/s, [\d.]+ h of audio/s, \d s left", str(first["event"])
    )
    assert {key: first[key] for key in ("task", "total", "run", "level")} == {
        "task": "slow work", "total": 100, "run": "tiny", "level": "info"
    }  # fmt: skip
    assert 0.3 < first["left_s"] < 30
    assert "left" not in last["event"]


def test_a_stage_on_a_terminal_shows_a_bar_and_logs_nothing() -> None:
    parent, child = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SHORT_STAGE], stdout=subprocess.PIPE, stderr=child) as process:
        os.close(child)
        output = b""
        while True:
            try:
                piece = os.read(parent, 4096)
            except OSError:
                break
            output += piece
        assert process.wait() == 0
    os.close(parent)
    text = output.decode()
    assert "slow work" in text
    assert "100%" in text
    assert '"event"' not in text


def test_few_seconds_give_few_lines(lines: Any) -> None:
    with Progress("quick", 1000) as progress:
        for _ in range(1000):
            progress.advance()
    assert lines() == []


def test_silence_is_broken_by_a_line(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LINE_S", 0.2)
    with log_context("tiny"), Progress("export"):
        time.sleep(0.5)
    assert [line["event"] for line in lines()] == ["export: running for 0 s"] * 2
    assert lines()[0]["run"] == "tiny"


def test_a_task_without_a_total_is_silent_while_another_speaks(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LINE_S", 0.4)
    with Progress("evaluate"), Progress("scoring", 10, "h") as inner:
        for _ in range(8):
            time.sleep(0.1)
            inner.line("so far")
    assert {line["task"] for line in lines()} == {"scoring"}


def test_work_of_an_earlier_process_does_not_shorten_what_is_left(lines: Any) -> None:
    with Progress("training", 100, "epochs") as progress:
        progress.start_at(50)
        assert progress.left_s() is None
        time.sleep(0.2)
        progress.to(60)
        left_s = progress.left_s()
        assert left_s is not None
        assert 0.75 < left_s < 3.0
        progress.line("epoch 60 of 100")
    (line,) = lines()
    assert (line["event"], line["done"]) == (f"training: epoch 60 of 100, {duration(line['left_s'])} left", 60)


def test_nothing_is_displayed_where_it_is_switched_off(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "LINE_S", 0.05)
    monkeypatch.setattr(sys, "stderr", output := io.StringIO())
    with Progress("silent", 4, visible=False) as progress:
        time.sleep(0.2)
        progress.to(4)
    assert lines() == []
    assert output.getvalue() == ""


def test_tasks_inside_each_other_share_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    with Progress("outer", visible=True) as outer:
        display = progress_module._Bar._display
        with Progress("inner", 3, visible=True) as inner:
            inner.advance(2, "text")
            assert progress_module._Bar._display is display
            assert [(task.description, task.completed, task.total) for task in display.tasks] == [
                ("outer", 0, None), ("inner", 2, 3)
            ]  # fmt: skip
        outer.to(1)
    assert progress_module._Bar._display is None
    output = stream.getvalue()
    assert "inner" in output
    assert "67%" in output


def test_what_is_polled_is_read_a_last_time_at_the_end() -> None:
    seen: list[float] = []
    with Progress("polled", 2, visible=False) as progress:
        with polled(progress, lambda progress: seen.append(progress.done), 0.05):
            time.sleep(0.2)
            progress.to(2)
        assert seen[0] == 0
        assert seen[-1] == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "wakeword-progress"]


def test_rates_count_clips_and_audio() -> None:
    rate = Rate()
    for batch in track_batches(iter([pa.table({"rows": [3], "duration_s": [1800.0]})]), 1, "x", False):
        rate.add(batch)
    rate.add(pa.table({"y": [1]}))
    assert rate.text(rate._started_s + 2.0) == "2 clips/s, 0.25 h of audio/s"


@pytest.mark.parametrize(("seconds", "text"), [(45.4, "45 s"), (192, "3.2 min"), (5400, "1.5 h")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_warnings_go_above_the_bar(tmp_path: Path) -> None:
    """The log's handler follows `sys.stderr`, which rich replaces while a display is open."""
    code = (
        "import logging, sys, time\nfrom wakeword.stages.progress import Progress\n"
        "from wakeword.system.log import configure_logging\nconfigure_logging()\n"
        "with Progress('bar', 2, visible=True) as bar:\n"
        "    logging.getLogger('wakeword').warning('beware')\n    bar.to(2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "beware" in done.stderr
    assert done.stderr.index("beware") < done.stderr.index("bar ")
