"""`wakeword audit`, as the process a user starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation import known
from tests.evaluation.test_audit import house
from wakeword.audio.io import write_wav
from wakeword.cli.main import main


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return known.tone_bundle(tmp_path_factory.mktemp("bundle") / "tones")


def audit(*arguments: object, sound: bytes = b"") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "wakeword.cli.main", "audit", *map(str, arguments)]
    done = subprocess.run(command, input=sound, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_table_and_next_command(bundle, tmp_path) -> None:
    root = tmp_path / "at home"
    root.mkdir()
    write_wav(root / "a.wav", house(20, [("alpha", 5.0), ("alpha", 15.0)]))
    code, out, err = audit(bundle, root, "--out", tmp_path / "out", "--threshold", 0.5)
    assert (code, err) == (0, "")
    row = next(line for line in out.splitlines() if line.startswith("alpha "))
    assert row.split()[1:3] == ["0.500", "2"]
    assert "alpha: with 2 false alarms, 6.3 h show less than 1 per hour (95 %); there are 0.01 h" in out
    assert f"wakeword audit {bundle} '{root}' --out {tmp_path / 'out'} --threshold 0.5" in out
    assert len(json.loads((tmp_path / "out" / "audit.json").read_text())["triggers"]) == 2
    (root / "b.wav").write_text("no audio")
    code, out, _ = audit(bundle, root, "--out", tmp_path / "out", "--threshold", 0.5)
    assert code == 3
    assert "1 of 2 recordings" in out
    assert "b.wav" in out


def test_a_stream_on_standard_input(bundle, tmp_path) -> None:
    sound = house(20, [("beta", 5.0)]).tobytes()
    code, out, err = audit(bundle, "-", "--out", tmp_path / "out", "--before", 1, "--after", 1, sound=sound)
    assert code == 0, err
    assert next(line for line in out.splitlines() if line.startswith("beta ")).split()[2] == "1"
    assert "--before 1 --after 1 < /dev/null" in out
    assert audit(bundle, "-", "--out", tmp_path / "silent")[0] == 3


def test_faults_are_one_sentence_and_their_exit_code(bundle, tmp_path, capsys) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    out = ("--out", tmp_path / "out")
    for code, told, arguments in [
        (3, "holds no recordings", (bundle, bare, *out)),
        (3, "no such folder", (bundle, tmp_path / "absent", *out)),
        (4, "wake.json", (bare, bare, *out)),
        (4, "a threshold lies between", (bundle, bare, *out, "--threshold", 7)),
        (2, "--before 0", (bundle, bare, *out, "--before", 0)),
        (2, "a confidence lies between", (bundle, bare, *out, "--confidence", 2)),
    ]:
        status = main(["audit", *map(str, arguments)])
        printed, error = capsys.readouterr()
        assert (status, printed) == (code, ""), error
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert told in error
