"""`wakeword listen` with a sounddevice module whose one microphone plays a recording, as the process a user starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soxr

from tests.bundles import track, write_tone_bundle
from tests.verified_bundle import spoken_track, write_verified_bundle
from wakeword.audio.io import write_wav

EVENTS = [("alpha", 0.5), ("beta", 1.5), ("alpha", 2.6)]
MICROPHONE = """
import threading, time, wave
import numpy as np

class PortAudioError(Exception): pass
class Flags: input_overflow = False

def query_devices(device, kind): return {"default_samplerate": 44100.0, "max_input_channels": 1}

class InputStream:
    def __init__(self, samplerate, blocksize, device, channels, dtype, callback):
        if samplerate != 44100: raise PortAudioError(f"Invalid sample rate {samplerate}")
        self.size, self.callback = blocksize, callback
    def start(self): threading.Thread(target=self.play, daemon=True).start()
    def play(self):
        with wave.open("microphone.wav") as sound:
            while True:
                data = sound.readframes(self.size).ljust(2 * self.size, b"\\0")
                self.callback(np.frombuffer(data, "<i2")[:, None], self.size, None, Flags)
                time.sleep(0.02)
    def close(self): pass
"""


def listen(tmp_path: Path, bundle: Path, audio: np.ndarray, *options: str) -> subprocess.CompletedProcess[str]:
    """Listen to `audio` at 16 kHz through a microphone of 44.1 kHz."""
    (tmp_path / "sounddevice.py").write_text(MICROPHONE)
    write_wav(tmp_path / "microphone.wav", soxr.resample(audio, 16_000, 44_100).astype(np.float32), 44_100)
    return subprocess.run(
        [sys.executable, "-m", "wakeword.cli.main", "listen", str(bundle), "--seconds", "1.6", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def words(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return [line.split()[1] for line in done.stdout.splitlines() if " score " in line]


def test_a_device_of_another_rate_is_resampled(tmp_path: Path) -> None:
    done = listen(tmp_path, write_tone_bundle(tmp_path / "bundle"), track(EVENTS, 3.5))
    assert "at 44100 Hz" in done.stderr
    assert words(done) == ["alpha", "beta", "alpha"]
    assert "3 events" in done.stdout


def test_the_verifier_decides_unless_it_is_turned_off(tmp_path: Path) -> None:
    bundle = write_verified_bundle(tmp_path / "bundle")
    audio = spoken_track([("alpha", 0.4)], [("beta", 2.0)], 3.5)
    done = listen(tmp_path, bundle, audio)
    assert words(done) == ["alpha"]
    assert "at 44100 Hz, verified" in done.stderr
    alone = listen(tmp_path, bundle, audio, "--no-verifier")
    assert words(alone) == ["alpha", "beta"]
    assert "verified" not in alone.stderr
