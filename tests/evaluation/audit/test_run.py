"""An audit on the tone detector: known triggers, clips that hold them, and a result that no kill can change."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.evaluation import known
from wakeword.audio.io import read_audio, write_flac, write_wav
from wakeword.cli.main import main
from wakeword.errors import ConfigError, DataError, RunError
from wakeword.evaluation.audit.results import AuditReport
from wakeword.evaluation.audit.run import ClipSpan, audit_folder, audit_stream
from wakeword.evaluation.statistics.intervals import hours_needed, poisson_interval
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.system.locks import lock_folder

THRESHOLDS = [0.5, 0.5]


def house(seconds: float, tones: list[tuple[str, float]], seed: int = 0) -> np.ndarray:
    """Quiet noise with a tone that ends at each given time: `(samples,)` int16."""
    rng = np.random.default_rng(seed)
    audio = rng.standard_normal(round(seconds * known.RATE)) * 0.003
    for label, end_s in tones:
        place = slice(round((end_s - known.TONE_S) * known.RATE), round(end_s * known.RATE))
        time_s = np.arange(place.stop - place.start) / known.RATE
        audio[place] += 0.2 * np.sin(2 * np.pi * known.TONES_HZ[label] * time_s)
    return (audio * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def bundle_dir(tmp_path_factory) -> Path:
    return known.tone_bundle(tmp_path_factory.mktemp("bundle") / "tones")


@pytest.fixture(scope="module")
def bundle(bundle_dir) -> Bundle:
    return load_bundle(bundle_dir)


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "home"
    (root / "kitchen").mkdir(parents=True)
    # The third tone lies across a block's border, the last one at the end of the recording.
    write_flac(root / "a.flac", house(60, [("alpha", 1.0), ("beta", 20.5), ("alpha", 31.05), ("beta", 59.9)]))
    write_wav(root / "kitchen" / "b.wav", house(30, [], 1))
    write_wav(root / "kitchen" / "c.wav", house(30, [("alpha", 10.0)], 2))
    return root


def test_known_triggers_are_counted_and_kept_as_clips(bundle, folder, tmp_path) -> None:
    calls: list[tuple[int, int, float, int]] = []
    report = audit_folder(bundle, folder, tmp_path / "out", THRESHOLDS, progress=lambda *about: calls.append(about))
    assert [(t.recording, t.word) for t in report.triggers] == [
        ("a.flac", "alpha"),
        ("a.flac", "beta"),
        ("a.flac", "alpha"),
        ("a.flac", "beta"),
        ("kitchen/c.wav", "alpha"),
    ]
    assert [t.end_s for t in report.triggers] == pytest.approx([1.0, 20.5, 31.05, 59.9, 10.0], abs=0.15)
    assert report.hours == pytest.approx(120 / 3600)
    assert calls[-1] == (3, 3, pytest.approx(report.hours), 5)
    alpha, beta = report.words
    assert (alpha.alarms.false_alarms, beta.alarms.false_alarms) == (3, 2)
    assert (alpha.alarms.low, alpha.alarms.high) == pytest.approx(poisson_interval(3, report.hours, 0.95))
    assert [proof.hours_needed for proof in alpha.proofs] == [hours_needed(rate, 3) for rate in (0.05, 0.1, 0.5, 1.0)]
    assert not any(proof.proven for proof in alpha.proofs)
    for trigger, length_s in zip(report.triggers, [3.0, 5.0, 5.0, 3.1, 5.0], strict=True):
        path = tmp_path / "out" / "clips" / trigger.clip
        assert soundfile.info(path).format == "FLAC"
        clip, whole = read_audio(path), read_audio(folder / trigger.recording)
        assert len(clip) / known.RATE == pytest.approx(length_s, abs=0.15)
        first = max(0, round((trigger.end_s - 3.0) * known.RATE))
        assert np.array_equal(clip, whole[first : first + len(clip)])
    assert AuditReport.load(tmp_path / "out" / "audit.json") == report


def test_hours_prove_a_target_and_marked_clips_are_no_false_alarms(bundle, tmp_path) -> None:
    root = tmp_path / "home"
    root.mkdir()
    # 0.8 h without a false alarm show one per hour at a confidence of 55 %; the 3 h of 95 % take long to hear.
    write_flac(root / "long.flac", np.tile(house(100, [], 3), 29))
    write_flac(root / "word.flac", house(20, [("alpha", 5.0)]))
    report = audit_folder(bundle, root, tmp_path / "out", THRESHOLDS, confidence=0.55)
    assert hours_needed(1.0, 0, 0.55) < report.hours < hours_needed(1.0, 1, 0.55)
    assert [[proof.proven for proof in word.proofs] for word in report.words] == [
        [False] * 4,
        [False, False, False, True],
    ]
    (tmp_path / "out" / "clips" / report.triggers[0].clip).rename(tmp_path / "out" / "said" / report.triggers[0].clip)
    again = audit_folder(bundle, root, tmp_path / "out", THRESHOLDS, confidence=0.55)
    assert (again.words[0].alarms.false_alarms, again.words[0].said) == (0, 1)
    assert again.words[0].proofs[-1].proven
    assert again.triggers[0].said
    assert audit_folder(bundle, root, tmp_path / "out", THRESHOLDS, confidence=0.95).words[1].proofs[-1].proven is False


def test_a_trigger_behind_the_end_of_a_recording_leaves_its_clip(tmp_path) -> None:
    """It is due in the silence behind the recording: counted, with the recording's last seconds, hours unchanged."""
    slow = load_bundle(known.tone_bundle(tmp_path / "slow", recalls=9, smoothing_s=0.1))
    root = tmp_path / "home"
    root.mkdir()
    write_wav(root / "a.wav", house(20, [("alpha", 20.0)]))
    report = audit_folder(slow, root, tmp_path / "out", [0.3, 0.3], span=ClipSpan(0.04, 1.0))
    (trigger,) = report.triggers
    assert 20.04 < trigger.end_s < 20.3
    assert report.hours == pytest.approx(20 / 3600)
    assert len(read_audio(tmp_path / "out" / "clips" / trigger.clip)) == round(0.04 * 16_000)


def test_it_hears_new_and_changed_recordings_only(bundle, folder, tmp_path) -> None:
    out = tmp_path / "out"
    audit_folder(bundle, folder, out, THRESHOLDS)
    stamps = {path.name: path.stat().st_mtime_ns for path in (out / "journal").iterdir()}
    write_wav(folder / "kitchen" / "b.wav", house(40, [("beta", 7.0)], 4))
    (folder / "kitchen" / "c.wav").unlink()
    report = audit_folder(bundle, folder, out, THRESHOLDS)
    assert [t.recording for t in report.triggers][-2:] == ["kitchen/b.wav", "kitchen/c.wav"]
    assert report.hours == pytest.approx(130 / 3600)
    assert sum(path.stat().st_mtime_ns != stamps[path.name] for path in (out / "journal").iterdir()) == 1


def test_bad_recordings_are_counted_with_their_reason(bundle, folder, tmp_path) -> None:
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("this is no audio")
    good = (folder / "a.flac").read_bytes()
    (folder / "cut.flac").write_bytes(good[: len(good) // 2])
    report = audit_folder(bundle, folder, tmp_path / "out", THRESHOLDS)
    reasons = {bad.recording: bad.reason for bad in report.bad}
    assert set(reasons) == {"empty.wav", "text.mp3", "cut.flac"}
    assert "empty_file" in reasons["empty.wav"]
    assert report.recordings == 3
    # The half recording had triggers: they count nothing and leave no clip.
    assert {path.name for path in (tmp_path / "out" / "clips").iterdir()} == {t.clip for t in report.triggers}
    assert len(report.triggers) == 5


def test_what_cannot_be_audited_is_one_sentence(bundle, folder, tmp_path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        audit_folder(bundle, tmp_path / "absent", tmp_path / "out", THRESHOLDS)
    (tmp_path / "bare").mkdir()
    with pytest.raises(DataError, match="holds no recordings"):
        audit_folder(bundle, tmp_path / "bare", tmp_path / "out", THRESHOLDS)
    (tmp_path / "bare" / "x.wav").touch()
    with pytest.raises(DataError, match=r"none of 1 recordings could be used: x\.wav: the file has 0 bytes"):
        audit_folder(bundle, tmp_path / "bare", tmp_path / "out", THRESHOLDS)
    out = tmp_path / "out2"
    audit_folder(bundle, folder, out, THRESHOLDS)
    with pytest.raises(ConfigError, match="another thresholds"):
        audit_folder(bundle, folder, out, [0.5, 0.6])
    with pytest.raises(ConfigError, match="another source and clip_after_s"):
        audit_folder(bundle, folder / "kitchen", out, THRESHOLDS, span=ClipSpan(3.0, 1.0))
    with lock_folder(out, ".audit.lock"), pytest.raises(RunError, match="another process"):
        audit_folder(bundle, folder, out, THRESHOLDS)
    next((out / "journal").iterdir()).write_text("{")
    with pytest.raises(DataError, match="is damaged: remove it"):
        audit_folder(bundle, folder, out, THRESHOLDS)


def test_its_own_clips_are_no_recordings(bundle, folder) -> None:
    first = audit_folder(bundle, folder, folder, THRESHOLDS)
    assert audit_folder(bundle, folder, folder, THRESHOLDS) == first


def test_a_stream_is_journalled_in_sections_and_sessions(bundle, tmp_path) -> None:
    audio = house(130, [("alpha", 59.5), ("beta", 100.0)])
    # An odd byte at the end is half a sample.
    report = audit_stream(bundle, io.BytesIO(audio.tobytes() + b"\0"), tmp_path / "out", THRESHOLDS)
    # The clip of the first trigger became complete after the section had ended.
    assert [(t.recording, t.word) for t in report.triggers] == [
        ("session 00001 section 000002", "alpha"),
        ("session 00001 section 000002", "beta"),
    ]
    assert [t.end_s for t in report.triggers] == pytest.approx([59.5, 100.0], abs=0.15)
    assert report.hours == pytest.approx(130 / 3600)
    assert len(list((tmp_path / "out" / "journal").iterdir())) == 3
    more = audit_stream(bundle, io.BytesIO(audio.tobytes()), tmp_path / "out", THRESHOLDS)
    assert more.hours == pytest.approx(260 / 3600)
    assert len({t.clip for t in more.triggers}) == 4
    assert audit_stream(bundle, io.BytesIO(b""), tmp_path / "out", THRESHOLDS) == more
    with pytest.raises(DataError, match="no audio"):
        audit_stream(bundle, io.BytesIO(b"\0"), tmp_path / "fresh", THRESHOLDS)


def killed(command: list[str], when, **options) -> int:
    """Run a command and kill -9 it as soon as `when()` holds; returns its exit status."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    try:
        while process.poll() is None and not when():
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        return process.wait(60)
    finally:
        process.stderr.close()


def test_kill_9_and_again_gives_the_same_audit(bundle_dir, tmp_path) -> None:
    root = tmp_path / "home"
    root.mkdir()
    for number in range(4):
        tones = [("alpha", 5.0 + step) for step in range(0, 280, 20)]
        write_flac(root / f"{number}.flac", house(300, tones, number))
    arguments = ["audit", str(bundle_dir), str(root), "--threshold", "0.5"]
    command = [sys.executable, "-m", "wakeword.cli.main", *arguments]
    whole = tmp_path / "whole"
    # Only what is killed needs a process of its own.
    assert main([*arguments, "--out", str(whole)]) == 0
    broken = tmp_path / "broken"

    def clips() -> int:
        return len(list((broken / "clips").glob("*.flac"))) if broken.is_dir() else 0

    # In the midst of the first recording, then of a later one.
    for enough in (3, 14 * 2 + 5):
        assert killed([*command, "--out", str(broken)], lambda enough=enough: clips() >= enough) == -signal.SIGKILL
        assert not (broken / "audit.json").exists()
    # What a kill in the midst of a write leaves behind.
    (broken / "clips" / ".x.flac.1.part").touch()
    assert main([*arguments, "--out", str(broken)]) == 0
    assert (broken / "audit.json").read_bytes() == (whole / "audit.json").read_bytes()
    report = json.loads((broken / "audit.json").read_text())
    assert len(report["triggers"]) == 4 * 14
    names = sorted(os.listdir(whole / "clips"))
    assert names == sorted(os.listdir(broken / "clips")) == sorted(t["clip"] for t in report["triggers"])
    assert all((whole / "clips" / name).read_bytes() == (broken / "clips" / name).read_bytes() for name in names)
