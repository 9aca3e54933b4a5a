"""The check for machines with a GPU runs on a CPU too, and without Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = ("ray", "tensorflow", "soundfile", "soxr", "librosa", "structlog")
SCRIPT = f"""
import sys
for name in {WITHOUT!r}:
    sys.modules[name] = None
from benchmarks.gpu_check import _arguments, measure_bars
from benchmarks.harness import run
sys.exit(run("gpu_check", measure_bars, _arguments))
"""


def test_the_quick_check_passes_on_a_cpu_without_ray(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, "--quick", "--device", "cpu", "--json", str(tmp_path / "bars.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    bars = {bar["name"]: bar["value"] for bar in json.loads((tmp_path / "bars.json").read_text())["bars"]}
    assert bars["losses of tc_resnet, float32: largest difference from the CPU"] == 0.0
    assert bars["2 steps, continued in the middle: largest difference of an epoch's loss"] == 0.0
    assert 0 < bars["share of the byte limit"] < 1
