"""The microphone without a microphone: its queue, and the sentences for what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from wakeword.errors import DeviceError, MissingExtraError
from wakeword.runtime.microphone import BlockQueue, Microphone, load_sounddevice


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
    """A real sounddevice module that behaves as `text` says."""
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
        "def InputStream(**options): raise PortAudioError('Error querying device -1')\n"
    )
    module(tmp_path, refusing, monkeypatch)
    with pytest.raises(DeviceError, match=r"default input device at 16000 Hz \(Error querying device -1\)"):
        Microphone(1280).__enter__()
    with pytest.raises(DeviceError, match="input device 'USB'"):
        Microphone(1280, "USB").__enter__()
