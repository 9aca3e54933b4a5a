"""The microphone without a microphone: its queue, and the sentences for what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from wakeword.errors import DeviceError, MissingExtraError
from wakeword.runtime.microphone import BlockQueue, Microphone, load_sounddevice, rates_to_try


def block(number: int) -> np.ndarray:
    return np.full(320, number, np.int16)


def test_a_slow_reader_loses_the_oldest_blocks_and_knows_it() -> None:
    blocks = BlockQueue(3)
    for number in range(5):
        blocks.put(block(number))
    assert blocks.overflows == 2
    assert [int(blocks.get(0.01)[0]) for _ in range(3)] == [2, 3, 4]
    assert blocks.get(0.01) is None


def module(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real sounddevice module with the source `text`."""
    (folder / "sounddevice.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)


def test_missing_pieces_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(tmp_path, "raise OSError('PortAudio library not found')", monkeypatch)
    with pytest.raises(DeviceError, match="apt-get install libportaudio2"):
        load_sounddevice()
    module(tmp_path, "raise ImportError('no module')", monkeypatch)
    with pytest.raises(MissingExtraError, match="microphone"):
        load_sounddevice()
    refusing = (
        "class PortAudioError(Exception): pass\n"
        "def query_devices(device, kind): raise PortAudioError('Error querying device -1')\n"
    )
    module(tmp_path, refusing, monkeypatch)
    with pytest.raises(DeviceError, match=r"default input device \(Error querying device -1\)"):
        Microphone(80).__enter__()
    with pytest.raises(DeviceError, match="input device 'USB'"):
        Microphone(80, "USB").__enter__()


DEVICE = """
import numpy as np

class PortAudioError(Exception): pass
class Flags: input_overflow = False
opened, closed = [], []

def query_devices(device, kind):
    assert kind == "input"
    return {{"default_samplerate": {native}, "max_input_channels": {channels}}}

class InputStream:
    def __init__(self, samplerate, blocksize, device, channels, dtype, callback):
        opened.append((samplerate, channels))
        if samplerate not in {rates} or channels < {least_channels}:
            raise PortAudioError(f"Invalid sample rate {{samplerate}}")
        self.blocks, self.size, self.channels, self.callback = 3, blocksize, channels, callback
    def start(self):
        if {broken}: raise PortAudioError("Unanticipated host error")
        block = np.arange(self.size * self.channels, dtype=np.int16).reshape(-1, self.channels)
        for _ in range(self.blocks): self.callback(block, self.size, None, Flags)
    def close(self): closed.append(self)
"""


def device(folder: Path, monkeypatch: pytest.MonkeyPatch, native: object, rates: list[int], **more: object) -> None:
    """A sounddevice module of a machine whose one microphone takes `rates` only."""
    facts = {"channels": 1, "least_channels": 1, "broken": False, **more}
    module(folder, DEVICE.format(native=native, rates=rates, **facts), monkeypatch)


def test_order_of_the_rates() -> None:
    assert rates_to_try(48_000.0) == [48_000, 16_000, 44_100]
    assert rates_to_try(44_100.0) == [44_100, 16_000, 48_000]
    assert rates_to_try(16_000.0) == [16_000, 48_000, 44_100]
    assert rates_to_try(32_000) == [32_000, 16_000, 48_000, 44_100]
    for unknown in (0.0, -1.0, float("nan"), float("inf"), 1e9):
        assert rates_to_try(unknown) == [16_000, 48_000, 44_100]
    assert rates_to_try(48_000.0, resampled=False) == [16_000]


@pytest.mark.parametrize(
    ("native", "rates", "opened"),
    [
        (48_000.0, [48_000], 48_000),
        (44_100.0, [16_000, 44_100], 44_100),
        (16_000.0, [16_000], 16_000),
        (8_000.0, [16_000], 16_000),
        (0.0, [48_000], 48_000),
    ],
)
def test_a_device_is_opened_at_its_own_rate(
    native: float, rates: list[int], opened: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or at the first common one that it takes; the blocks have the requested length."""
    device(tmp_path, monkeypatch, native, rates)
    with Microphone(80) as microphone:
        assert microphone.sample_rate_hz == opened
        first = next(iter(microphone))
        assert first.dtype == np.int16
        assert first.shape == (opened * 80 // 1000,)
    import sounddevice

    assert len(sounddevice.closed) == 1


def test_a_device_without_mono_is_averaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(tmp_path, monkeypatch, 48_000.0, [48_000], channels=2, least_channels=2)
    with Microphone(10) as microphone:
        import sounddevice

        assert sounddevice.opened == [(48_000, 1), (48_000, 2)]
        assert next(iter(microphone))[:3].tolist() == [0, 2, 4]


def test_a_device_that_takes_no_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(tmp_path, monkeypatch, 44_100.0, [])
    with pytest.raises(
        DeviceError, match=r"default input device at 44100, 16000, 48000 Hz \(Invalid sample rate 44100"
    ):
        Microphone(80).__enter__()
    device(tmp_path, monkeypatch, 44_100.0, [44_100], broken=True)
    with pytest.raises(DeviceError, match="Unanticipated host error"):
        Microphone(80, 3).__enter__()
    import sounddevice

    assert len(sounddevice.closed) == 1, "a stream that does not start is closed"


def test_without_a_resampler_16_khz_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device(tmp_path, monkeypatch, 48_000.0, [16_000, 48_000])
    monkeypatch.setattr("wakeword.runtime.microphone.can_resample", lambda: False)
    with Microphone(80) as microphone:
        assert microphone.sample_rate_hz == 16_000
