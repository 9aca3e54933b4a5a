"""`wakeword doctor` proves what it says: real checks, and broken or absent parts are told apart."""

from __future__ import annotations

import json

import pytest

from wakeword.cli import doctor
from wakeword.cli.main import main
from wakeword.system import checks
from wakeword.system.parts import PARTS

QUICK = ["numpy", "pydantic", "onnxruntime", "soundfile", "soxr", "safetensors", "psutil", "websockets", "pyarrow"]


def test_quick_checks_pass_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--only", *QUICK]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [part["part"] for part in found["parts"]] == [part for _, part, _ in PARTS if part in QUICK]
    for part in found["parts"]:
        assert part["state"] == "ok", part
        assert part["version"]
        assert part["detail"]


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
    assert "--only nmupy: unknown part; choose from numpy" in capsys.readouterr().err
