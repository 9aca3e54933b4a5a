"""`wakeword detect` and `wakeword listen`, as the process a user starts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.bundles import tone_manifest, track, write_tone_bundle
from tests.verified_bundle import spoken_track, verifier_part, write_verified_bundle
from wakeword.cli.listen import level_meter
from wakeword.cli.main import main
from wakeword.cli.options import SensitivityName
from wakeword.runtime import Detector, detect_file, load_bundle
from wakeword.runtime.bundle import SENSITIVITIES

EVENTS = [("alpha", 1.0), ("beta", 2.5), ("alpha", 4.0)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    points = [{"fah_target": 0.5, "threshold": 0.6}, {"fah_target": 0.1, "threshold": 1.0}]
    words = [
        {"label": label, "phrase": label, "threshold": 0.6, "ready": True, "operating_points": points}
        for label in ("alpha", "beta")
    ]
    return write_tone_bundle(tmp_path_factory.mktemp("cli") / "bundle", words=words)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("audio") / "events.wav", track(EVENTS, 6.0))


def write_wav(path: Path, audio: np.ndarray) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(np.round(audio * 32767).astype("<i2").tobytes())
    return path


def wakeword(*arguments: object, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, "-m", "wakeword.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_table_memory_and_next_command(bundle: Path, recording: Path) -> None:
    done = wakeword("detect", bundle, recording)
    assert done.returncode == 0, done.stderr
    assert "3 events in 1 of 1 files" in done.stdout
    assert [line.split()[1] for line in done.stdout.splitlines() if str(recording) in line] == [
        "alpha",
        "beta",
        "alpha",
    ]
    assert f"wakeword listen {bundle}" in done.stdout


def test_memory_stays_below_120_mib(bundle: Path, tmp_path: Path) -> None:
    """A long file and raw scores included; the figure printed is checked against what is seen from outside."""
    hour = write_wav(tmp_path / "long.wav", np.tile(track(EVENTS, 6.0), 200))
    command = [sys.executable, "-m", "wakeword.cli.main", "detect", bundle, hour, "--scores", tmp_path / "s.npz"]
    with (tmp_path / "out.txt").open("w") as out:
        process = subprocess.Popen(list(map(str, command)), stdout=out)
        seen_mib = 0.0
        while process.poll() is None:
            if found := re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text()):
                seen_mib = max(seen_mib, int(found.group(1)) / 1024)
            time.sleep(0.005)
    assert process.returncode == 0
    printed = int(re.search(r"peak memory (\d+) MiB", (tmp_path / "out.txt").read_text()).group(1))
    assert 50 < seen_mib <= printed + 2
    assert printed <= 120
    with np.load(tmp_path / "s.npz") as scores:
        assert len(scores["score"]) == 2 * (60_000 + load_bundle(bundle).tail_steps)


def test_json_and_scores_are_those_of_the_runtime(bundle: Path, recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    done = wakeword("detect", bundle, recording, "--json", "--scores", out)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    expected = detect_file(load_bundle(bundle), recording)
    assert [(e["word"], e["end_s"]) for e in events] == [(e.word, pytest.approx(e.end_s)) for e in expected]
    assert set(events[0]) == {"file", "word", "score", "probability", "verified", "start_s", "end_s"}
    assert {event["verified"] for event in events} == {False}
    table = pq.read_table(out).to_pydict()
    with wave.open(str(recording)) as sound:
        audio = np.frombuffer(sound.readframes(10**9), "<i2")
    detector = Detector(load_bundle(bundle))
    scores = np.concatenate([detector.scores(audio)[0], detector.flush_scores()[0][0]])
    assert np.allclose(np.reshape(table["score"], (-1, 2)), scores, atol=1e-5)
    assert table["time_s"][:4] == pytest.approx([0.02, 0.02, 0.04, 0.04])
    assert set(table["file"]) == {str(recording)}


def test_thresholds(bundle: Path, recording: Path) -> None:
    assert "0 events" in wakeword("detect", bundle, recording, "--fah-target", "0.1").stdout
    assert "3 events" in wakeword("detect", bundle, recording, "--threshold", "0.3").stdout
    unknown = wakeword("detect", bundle, recording, "--fah-target", "7")
    assert unknown.returncode == 4
    assert "no operating point for 7" in unknown.stderr
    assert wakeword("detect", bundle, recording, "--threshold", "2").returncode == 4


def events_of(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert main(list(map(str, ["detect", *arguments, "--json"]))) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_verifier_decides_unless_it_is_turned_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verified = write_verified_bundle(tmp_path / "bundle")
    audio = write_wav(tmp_path / "a.wav", spoken_track([("alpha", 0.5)], [("beta", 2.0)], 4.0))
    (event,) = events_of([verified, audio], capsys)
    assert (event["word"], event["verified"]) == ("alpha", True)
    alone = events_of([verified, audio, "--no-verifier"], capsys)
    assert [(one["word"], one["verified"]) for one in alone] == [("alpha", False), ("beta", False)]
    assert alone[0]["end_s"] == event["end_s"]
    assert alone[0]["score"] != event["score"]
    assert main(["detect", str(verified), str(audio)]) == 0
    assert "1 events in 1 of 1 files, verified" in capsys.readouterr().out
    assert main(["detect", str(verified), str(audio), "--no-verifier"]) == 0
    assert "2 events in 1 of 1 files, not verified" in capsys.readouterr().out


def test_sensitivity_moves_along_the_operating_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the verifier where it decides, else of the detector; a target that disables a word is passed over."""
    assert tuple(SensitivityName) == SENSITIVITIES
    audio = write_wav(tmp_path / "a.wav", spoken_track([("alpha", 0.5)], [("alpha", 2.0), ("beta", 3.5)], 5.0))

    def points(*thresholds: float) -> list[dict]:
        return [{"fah_target": f, "threshold": t} for f, t in zip((0.05, 0.1, 0.5, 2.0), thresholds, strict=True)]

    part = verifier_part(["alpha", "beta"])
    for word in part["words"]:
        word.update(threshold=0.4, operating_points=points(1.01, 0.99, 0.4, 0.01))
    words = tone_manifest(["alpha", "beta"])["words"]
    for word in words:
        word.update(operating_points=points(0.99, 0.98, 0.5, 0.5))
    verified = write_verified_bundle(tmp_path / "bundle", part=part, words=words)
    found = {
        (level, *more): len(events_of([verified, audio, "--sensitivity", level, *more], capsys))
        for level in ("low", "normal", "high")
        for more in ([], ["--no-verifier"])
    }
    assert [found[level,] for level in ("low", "normal", "high")] == [0, 1, 3]
    assert [found[level, "--no-verifier"] for level in ("low", "normal", "high")] == [0, 3, 3]
    plain = write_verified_bundle(tmp_path / "plain")
    assert main(["detect", str(plain), str(audio), "--sensitivity", "high"]) == 4
    assert "has no operating points to choose a sensitivity from: evaluate it first" in capsys.readouterr().err
    assert main(["detect", str(plain), str(audio), "--sensitivity", "low", "--threshold", "0.5"]) == 2
    assert "--threshold and --sensitivity exclude each other" in capsys.readouterr().err


def test_a_word_that_ends_with_the_file_is_detected(bundle: Path, tmp_path: Path) -> None:
    """Also behind a file that could not be read: nothing of one file is left for the next."""
    cut = write_wav(tmp_path / "cut.wav", track([("alpha", 0.5)], 2.0)[: round(0.8 * 16_000)])
    (tmp_path / "text.wav").write_text("this is no audio")
    done = wakeword("detect", bundle, tmp_path / "text.wav", cut, cut, "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["word"] for event in events] == ["alpha", "alpha"]
    assert events[0] == events[1]
    assert 0.7 < events[0]["end_s"] < 1.3


def test_bad_files_do_not_stop_the_others(bundle: Path, recording: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is no audio")
    (tmp_path / "cut.wav").write_bytes(recording.read_bytes()[:9000])
    (tmp_path / "bare").mkdir()
    names = ("empty.wav", "text.wav", "cut.wav", "absent.wav", "bare")
    bad = [tmp_path / name for name in names]
    done = wakeword("detect", bundle, *bad, recording, "--scores", tmp_path / "s.parquet")
    assert done.returncode == 3
    assert "3 events in 1 of 6 files" in done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == len(bad)
    for path, line in zip(bad, errors, strict=True):
        assert str(path) in line
    assert "Traceback" not in done.stderr
    assert set(pq.read_table(tmp_path / "s.parquet")["file"].to_pylist()) == {str(recording)}


def test_folders_are_searched_and_what_is_not_read_is_listed(
    bundle: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / "home"
    (home / "b").mkdir(parents=True)
    for name in ("b/2.wav", "b/1.wav", "a.wav"):
        (home / name).write_bytes(recording.read_bytes())
    (home / "notes.txt").write_text("no audio")
    assert main(["detect", str(bundle), "~/home", "--json"]) == 0
    out, err = capsys.readouterr()
    files = [json.loads(line)["file"] for line in out.splitlines()]
    assert files == [str(home / name) for name in ("a.wav", "b/1.wav", "b/2.wav") for _ in range(3)]
    assert "1 other files are not audio" in err
    (home / "voice.wv").write_bytes(b"wvpk" + bytes(60))
    assert main(["detect", str(bundle), "~/home", "~/home/a.wav", "--scores", "~/s.parquet"]) == 3
    out, err = capsys.readouterr()
    assert "12 events in 4 of 5 files" in out, "a file that is named twice is processed twice"
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [
        f"error: {home}/voice.wv: this is WavPack, which is not supported; convert it: `ffmpeg -i {home}/voice.wv"
        f" {home}/voice.flac`"
    ]
    assert (tmp_path / "s.parquet").is_file()
    data = bytearray(recording.read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "pipe.wav").write_bytes(data)
    assert main(["detect", str(bundle), "~/pipe.wav"]) == 0
    out, err = capsys.readouterr()
    assert "3 events" in out
    assert err.count("a placeholder") == 1


def test_a_damaged_bundle_is_one_sentence(bundle: Path, recording: Path, tmp_path: Path) -> None:
    done = wakeword("detect", tmp_path, recording)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.count("\n") == 1
    assert "wake.json" in done.stderr


def test_detect_loads_no_training_packages(bundle: Path, recording: Path) -> None:
    done = wakeword("detect", bundle, recording, python=("-X", "importtime"))
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "onnxruntime" in loaded
    assert not loaded & {"torch", "ray", "tensorflow", "pandas", "pyarrow", "scipy", "librosa", "gradio"}


def test_listen_names_what_is_missing(bundle: Path, tmp_path: Path) -> None:
    """A machine without PortAudio, without sounddevice or without a microphone: one sentence, no traceback."""
    done = wakeword("listen", bundle, "--seconds", "0.1")
    if done.returncode == 0:
        pytest.skip("there is a microphone: nothing is missing here")
    assert done.returncode in (5, 6), done.stderr
    assert "Traceback" not in done.stderr
    assert "microphone" in done.stderr


def test_level_meter() -> None:
    full = (32767 * np.sign(np.sin(np.arange(1280)))).astype(np.int16)
    assert level_meter(full).count("#") == 30
    assert level_meter(np.zeros(1280, np.int16)).count("#") == 0
    assert level_meter((full // 32).astype(np.int16)).count("#") == 15
