"""Read blocks of samples from a microphone; sounddevice and PortAudio are loaded only when it is opened."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from itertools import product
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DeviceError, MissingExtraError
from wakeword.runtime.manifest import SAMPLE_RATE_HZ
from wakeword.runtime.resampling import MAX_RATE_HZ, MIN_RATE_HZ, can_resample

COMMON_RATES_HZ = (SAMPLE_RATE_HZ, 48_000, 44_100)
"""Rates that are tried in this order if a device refuses its native rate."""


class BlockQueue:
    """Queue from the audio thread to the reader; if it is full, the oldest block is dropped and counted."""

    def __init__(self, blocks: int = 50) -> None:
        self._queue: queue.Queue[NDArray[np.int16]] = queue.Queue(blocks)
        self.overflows = 0
        """Blocks that were lost in this queue or in the device."""

    def put(self, block: NDArray[np.int16]) -> None:
        """Add a block from the audio thread without waiting."""
        while True:
            try:
                self._queue.put_nowait(block)
                return
            except queue.Full:
                self.overflows += 1
                try:
                    self._queue.get_nowait()
                except queue.Empty:
                    continue

    def get(self, timeout_s: float) -> NDArray[np.int16] | None:
        """The next block; None after `timeout_s` seconds without one."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


def rates_to_try(native_hz: float, resampled: bool = True) -> list[int]:
    """Sample rates in the order in which they are tried: the native one, then `COMMON_RATES_HZ`.

    At the native rate no converter of the sound system, of unknown quality, is needed. Without soxr (`resampled` False)
    only 16 kHz is possible.
    """
    if not resampled:
        return [SAMPLE_RATE_HZ]
    own = round(native_hz) if MIN_RATE_HZ <= native_hz <= MAX_RATE_HZ else SAMPLE_RATE_HZ
    return list(dict.fromkeys((own, *COMMON_RATES_HZ)))


class Microphone:
    """Context manager that yields int16 blocks `(samples,)` of `chunk_ms` of mono audio.

    `device` is the index of sounddevice or part of the name of a device; None means the system default.
    """

    def __init__(self, chunk_ms: float, device: int | str | None = None) -> None:
        self.chunk_ms = chunk_ms
        self.device = device
        self.blocks = BlockQueue()
        self.sample_rate_hz = 0
        """Sample rate of the blocks; 0 until the device is open."""
        self._stream: Any = None

    def __enter__(self) -> Microphone:
        """Open the device at the first accepted rate of `rates_to_try`, with one channel if possible, else two.

        Raises DeviceError if PortAudio or the device is missing, MissingExtraError without sounddevice.
        """
        sounddevice = load_sounddevice()
        which = "default input device" if self.device is None else f"input device {self.device!r}"
        try:
            facts = sounddevice.query_devices(self.device, "input")
        except (sounddevice.PortAudioError, ValueError) as error:
            raise _cannot_open(which, error) from error
        rates_hz = rates_to_try(float(facts["default_samplerate"]), can_resample())
        refusal: Exception | None = None
        # Some devices refuse mono: their two channels are averaged.
        for rate_hz, channels in product(rates_hz, (1, 2) if facts["max_input_channels"] >= 2 else (1,)):
            try:
                self._open(sounddevice, rate_hz, channels)
            except (sounddevice.PortAudioError, ValueError) as error:
                # The error at the native rate is reported.
                refusal = refusal or error
            else:
                return self
        tried = ", ".join(str(rate_hz) for rate_hz in rates_hz)
        raise _cannot_open(f"{which} at {tried} Hz", refusal) from refusal

    def _open(self, sounddevice: Any, rate_hz: int, channels: int) -> None:
        stream = sounddevice.InputStream(
            samplerate=rate_hz,
            blocksize=max(1, round(self.chunk_ms * rate_hz / 1000)),
            device=self.device,
            channels=channels,
            dtype="int16",
            callback=self._received,
        )
        self.sample_rate_hz = rate_hz
        try:
            stream.start()
        except sounddevice.PortAudioError:
            stream.close()
            raise
        self._stream = stream

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the device."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _received(self, data: Any, frames: int, when: Any, status: Any) -> None:
        if status.input_overflow:
            self.blocks.overflows += 1
        mono = data[:, 0] if data.shape[1] == 1 else np.rint(data.mean(axis=1))
        self.blocks.put(np.array(mono, dtype=np.int16))

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        """Blocks until the caller stops. Raises DeviceError after 5 seconds without a block."""
        while True:
            block = self.blocks.get(5.0)
            if block is None:
                raise DeviceError("the microphone has sent nothing for 5 seconds: it may have been unplugged")
            yield block


def _cannot_open(which: str, cause: Exception | None) -> DeviceError:
    return DeviceError(
        f"cannot open the {which} ({' '.join(str(cause).split())}): plug in a microphone or choose another device;"
        " `python -m sounddevice` lists them"
    )


def load_sounddevice() -> Any:
    """Import sounddevice. Raises MissingExtraError without it and DeviceError without the PortAudio library."""
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError("The microphone", "microphone", error) from error
    except OSError as error:
        raise DeviceError(
            f"the microphone needs PortAudio ({error}): on Debian run `sudo apt-get install libportaudio2`"
        ) from error
    return sounddevice
