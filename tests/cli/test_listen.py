"""`wakeword listen` with a sounddevice module whose one microphone plays a recording, as the process a user starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soxr

from tests.bundles import track, write_tone_bundle
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


def test_a_device_of_another_rate_is_resampled(tmp_path: Path) -> None:
    bundle = write_tone_bundle(tmp_path / "bundle")
    (tmp_path / "sounddevice.py").write_text(MICROPHONE)
    audio = soxr.resample(track(EVENTS, 3.5), 16_000, 44_100)
    write_wav(tmp_path / "microphone.wav", audio.astype(np.float32), 44_100)
    done = subprocess.run(
        [sys.executable, "-m", "wakeword.cli.main", "listen", str(bundle), "--seconds", "1.6"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "at 44100 Hz" in done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines() if " score " in line] == ["alpha", "beta", "alpha"]
    assert "3 events" in done.stdout
