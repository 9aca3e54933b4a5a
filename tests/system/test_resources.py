"""Memory and CPU of the whole process tree, measured against processes whose cost is known."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from wakeword.system.resources import GIB, ResourceSampler, memory_bytes, parse_gpus, peak_rss_mib

# A child that holds 200 MiB it has written to, reports it, and waits for the signal to end.
HOLD = """
import sys
block = bytearray(200 << 20)
block[::4096] = b"x" * len(block[::4096])
print("held", flush=True)
sys.stdin.read()
"""
SPIN = "import time; end = time.time() + 60\nwhile time.time() < end: pass"


def test_the_memory_of_children_counts() -> None:
    sampler = ResourceSampler()
    with sampler:
        before = sampler.sample()["memory_gib"]
        child = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        during = sampler.sample()["memory_gib"]
        child.communicate()
        after = sampler.sample()["memory_gib"]
    assert 0.19 < during - before < 0.35
    assert after < during - 0.19
    assert sampler.peak_gib >= during


def test_busy_children_count_as_cores(tmp_path: Path) -> None:
    with ResourceSampler(tmp_path / "r.jsonl", interval_s=10) as sampler:
        child = subprocess.Popen([sys.executable, "-c", SPIN])
        try:
            time.sleep(0.3)
            sampler.sample()
            used = psutil.Process(child.pid).cpu_times().user
            time.sleep(1.0)
            line = sampler.sample()
            used = psutil.Process(child.pid).cpu_times().user - used
        finally:
            child.kill()
            child.wait()
    # Other work on this machine slows the child: the measure is compared with what it really used.
    assert line["cpu_cores"] == pytest.approx(used / 1.0, abs=0.35)


def test_lines_and_stages(tmp_path: Path) -> None:
    path = tmp_path / "run" / "resources.jsonl"
    with ResourceSampler(path, interval_s=0.05) as sampler:
        sampler.begin("prepare")
        block = bytearray(300 << 20)
        block[::4096] = b"x" * len(block[::4096])
        first_peak = sampler.stage_peak_gib
        del block
        sampler.begin("train")
        second_peak = sampler.stage_peak_gib
        time.sleep(0.3)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["stage"] for line in lines[:1]] == [""]
    assert {line["stage"] for line in lines} == {"", "prepare", "train"}
    assert first_peak > second_peak + 0.25
    assert sampler.peak_gib >= first_peak
    assert len(lines) == sampler.samples
    for line in lines:
        assert line["memory_kind"] in ("pss", "rss")
        assert line["processes"] >= 1
        assert 0 < line["memory_gib"] < 100


def test_the_interval_decides_how_many(tmp_path: Path) -> None:
    counts = []
    for interval_s in (0.05, 10.0):
        with ResourceSampler(interval_s=interval_s) as sampler:
            time.sleep(1.5)
        counts.append(sampler.samples)
    assert counts[1] == 2
    # Not 30: a large process takes long to measure, and then the limit on overhead decides.
    assert counts[0] > counts[1]


def test_one_process_is_measured_like_the_system_does() -> None:
    me = psutil.Process()
    size, kind = memory_bytes(me)
    assert kind == ("pss" if Path("/proc/self/smaps_rollup").exists() else "rss")
    assert 0.3 * me.memory_info().rss < size <= 1.1 * me.memory_info().rss
    assert peak_rss_mib() * 2**20 >= 0.9 * me.memory_info().rss
    assert GIB == 2**30


def test_a_process_that_ended_is_no_error() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    process = psutil.Process(child.pid)
    child.wait()
    with pytest.raises(psutil.NoSuchProcess):
        memory_bytes(process)


def test_gpu_rows_with_withheld_values() -> None:
    text = "0, 37, 1024, 81559\n1, [N/A], 12, 81559\n"
    assert parse_gpus(text) == [
        {"index": 0.0, "utilization_percent": 37.0, "memory_mib": 1024.0, "memory_total_mib": 81559.0},
        {"index": 1.0, "memory_mib": 12.0, "memory_total_mib": 81559.0},
    ]
    assert parse_gpus("") == []
