"""Checks of packages do real work and notice a wrong result."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest

from wakeword.system import checks
from wakeword.system.parts import PARTS, examine

ROOT = Path(__file__).resolve().parents[2]


def test_every_extra_with_parts_is_declared() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra for extra, _, _ in PARTS} - {""} <= set(declared)


def test_espeak_really_speaks() -> None:
    pytest.importorskip("espeakng_loader")
    finding = examine("tts", "espeakng-loader", checks.check_espeak)
    assert finding.state == "ok"
    seconds = float(finding.detail.split(" in ")[1].split()[0])
    assert 0.2 < seconds < 2.0


def test_the_hand_made_graph_is_a_valid_model() -> None:
    model = onnx.load_from_string(checks.three_nodes())
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Add", "Neg", "Relu"]


def test_a_wrong_result_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np.fft, "rfft", lambda tone: np.zeros(10))
    assert examine("", "numpy", checks.check_numpy).state == "failed"
