"""`wakeword doctor` proves what it says: real checks, and broken or absent parts are told apart."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from wakeword.cli import doctor
from wakeword.cli.main import main
from wakeword.system import checks
from wakeword.system.parts import PARTS, examine

QUICK = ["numpy", "pydantic", "onnxruntime", "soundfile", "soxr", "safetensors", "psutil", "websockets", "pyarrow"]


def test_quick_checks_pass_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--only", *QUICK]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [part["part"] for part in found["parts"]] == [part for _, part, _ in PARTS if part in QUICK]
    for part in found["parts"]:
        assert part["state"] == "ok", part
        assert part["version"]
        assert part["detail"]


def test_espeak_really_speaks() -> None:
    pytest.importorskip("espeakng_loader")
    finding = examine("tts", "espeakng-loader", checks.check_espeak)
    assert finding.state == "ok"
    seconds = float(finding.detail.split(" in ")[1].split()[0])
    assert 0.2 < seconds < 2.0


def test_the_table_names_core_and_extras(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--only", "numpy", "soxr"]) == 0
    out = capsys.readouterr().out
    assert "Python 3." in out
    assert "GPU: " in out
    assert "core" in out
    assert "train" in out
    assert "next:" in out


def test_what_is_absent_gets_its_install_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = (("", "numpy", checks.check_numpy), ("tflite", "no-such-distribution", checks.check_litert))
    monkeypatch.setattr(doctor, "PARTS", parts)
    assert main(["doctor"]) == 0
    assert "pip install 'wakeword[tflite]'" in capsys.readouterr().out


def test_what_is_broken_fails_with_its_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> str:
        raise RuntimeError("libmagic.so: no magic")

    monkeypatch.setattr(doctor, "PARTS", (("train", "soxr", broken),))
    assert main(["doctor", "--json"]) == 1
    (part,) = json.loads(capsys.readouterr().out)["parts"]
    assert part["state"] == "failed"
    assert part["detail"] == "libmagic.so: no magic"


def test_a_missing_library_of_the_system_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent() -> str:
        raise checks.NotHere("no PortAudio; apt install libportaudio2")

    monkeypatch.setattr(doctor, "PARTS", (("microphone", "soxr", absent),))
    assert main(["doctor", "--json"]) == 0
    (part,) = json.loads(capsys.readouterr().out)["parts"]
    assert part["state"] == "missing"
    assert "apt install" in part["detail"]


def test_unknown_parts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--only", "nmupy"]) == 2
    assert "doctor knows no nmupy; choose from numpy" in capsys.readouterr().err


def test_the_hand_made_graph_is_a_valid_model() -> None:
    model = onnx.load_from_string(checks.three_nodes())
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Add", "Neg", "Relu"]


def test_a_wrong_result_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(np.fft, "rfft", lambda tone: np.zeros(10))
    assert examine("", "numpy", checks.check_numpy).state == "failed"
