"""`wakeword audit`, as the process a user starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evaluation import known
from tests.evaluation.audit.test_run import house
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
    assert "alpha: with 2 false alarms, 6.3 h prove less than 1 per hour (95 %); the audit has 0.01 h" in out
    assert f"wakeword audit {bundle} '{root}' --out {tmp_path / 'out'} --threshold 0.5" in out
    assert len(json.loads((tmp_path / "out" / "audit.json").read_text())["triggers"]) == 2
    (root / "b.wav").write_text("no audio")
    code, out, _ = audit(bundle, root, "--out", tmp_path / "out", "--threshold", 0.5)
    assert code == 3
    assert "1 of 2 recordings" in out
    assert "b.wav" in out


def test_what_is_not_read_is_listed(bundle, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = tmp_path / "home"
    root.mkdir()
    sound = house(20, [("alpha", 5.0)])
    write_wav(root / "a.wav", sound)
    pipe = bytearray((root / "a.wav").read_bytes())
    pipe[40:44] = b"\xff\xff\xff\xff"
    (root / "pipe.wav").write_bytes(pipe)
    for name in ("notes.txt", "photo.jpg"):
        (root / name).write_text("no sound")
    arguments = ["audit", str(bundle), "~/home", "--out", "~/out", "--threshold", "0.5"]
    assert main(arguments) == 0
    out, _ = capsys.readouterr()
    assert "2 other files are not audio" in out
    assert "recordings scored with a note" in out
    report = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert (report["recordings"], report["other_files"]) == (2, 2)
    assert report["hours"] == pytest.approx(40 / 3600)
    assert [odd["recording"] for odd in report["odd"]] == ["pipe.wav"]
    (root / "voice.wv").write_bytes(b"wvpk" + bytes(60))
    (root / "take").write_bytes((root / "a.wav").read_bytes())
    assert main(arguments) == 3
    out, _ = capsys.readouterr()
    assert "2 of 4 recordings" in out
    report = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert [bad["recording"] for bad in report["bad"]] == ["take", "voice.wv"]
    assert "rename it to end in .wav" in report["bad"][0]["reason"]
    assert "ffmpeg -i" in report["bad"][1]["reason"]
    # A repaired recording is scored, and the old fault is gone.
    (root / "voice.wv").unlink()
    (root / "take").rename(root / "take.wav")
    assert main(arguments) == 0


def test_a_folder_of_nothing_that_is_read_says_why(bundle, tmp_path, capsys) -> None:
    (tmp_path / "voice.wv").write_bytes(b"wvpk" + bytes(60))
    assert main(["audit", str(bundle), str(tmp_path), "--out", str(tmp_path / "out")]) == 3
    error = capsys.readouterr().err
    assert "voice.wv: this is WavPack" in error
    assert error.count("\n") == 1


def test_a_format_that_was_not_read_is_tried_again(bundle, tmp_path, monkeypatch) -> None:
    from wakeword.evaluation.audit import run as module
    from wakeword.evaluation.audit.run import audit_folder
    from wakeword.runtime import load_bundle

    root = tmp_path / "home"
    root.mkdir()
    write_wav(root / "a.wav", house(20, [("alpha", 5.0)]))
    # What only the extra reads, named like a WAV.
    (root / "b.wav").write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(3000))
    (root / "c.wav").write_text("no audio")
    monkeypatch.setattr("wakeword.audio.decoding.decoders.containers_installed", lambda: False)
    loaded = load_bundle(bundle)
    first = audit_folder(loaded, root, tmp_path / "out", [0.5, 0.5])
    assert [bad.recording for bad in first.bad] == ["b.wav", "c.wav"]
    tried = []
    decode = module.stream_blocks
    monkeypatch.setattr(module, "stream_blocks", lambda path, *a, **k: tried.append(path.name) or decode(path, *a, **k))
    audit_folder(loaded, root, tmp_path / "out", [0.5, 0.5])
    assert tried == ["b.wav"]


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
    for code, output, arguments in [
        (3, "holds no recordings", (bundle, bare, *out)),
        (3, "no such folder", (bundle, tmp_path / "absent", *out)),
        (4, "wake.json", (bare, bare, *out)),
        (4, "a threshold lies between", (bundle, bare, *out, "--threshold", 7)),
        (2, "--before 0", (bundle, bare, *out, "--before", 0)),
        (2, "--confidence must lie between", (bundle, bare, *out, "--confidence", 2)),
    ]:
        status = main(["audit", *map(str, arguments)])
        printed, error = capsys.readouterr()
        assert (status, printed) == (code, ""), error
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert output in error
