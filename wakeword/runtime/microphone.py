"""The microphone as blocks of samples; sounddevice and PortAudio are looked for only when it is opened."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DeviceError, MissingExtraError
from wakeword.runtime.bundle import SAMPLE_RATE_HZ


class BlockQueue:
    """Blocks from the audio thread to the reader; when the reader falls behind, the oldest goes and is counted."""

    def __init__(self, blocks: int = 50) -> None:
        self._queue: queue.Queue[NDArray[np.int16]] = queue.Queue(blocks)
        self.overflows = 0
        """Blocks lost, by this queue or reported by the device."""

    def put(self, block: NDArray[np.int16]) -> None:
        """Called from the audio thread: never waits."""
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
        """The next block, or None when none came in time."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


class Microphone:
    """Context manager that yields int16 blocks `(samples,)` of 16 kHz mono audio.

    `device` is sounddevice's index or part of a device's name; None takes the system's default.
    """

    def __init__(self, chunk_samples: int, device: int | str | None = None) -> None:
        self.chunk_samples = chunk_samples
        self.device = device
        self.blocks = BlockQueue()
        self._stream: Any = None

    def __enter__(self) -> Microphone:
        """Open the device.

        Raises DeviceError when PortAudio or the device is missing, MissingExtraError without sounddevice.
        """
        sounddevice = load_sounddevice()
        try:
            self._stream = sounddevice.InputStream(
                samplerate=SAMPLE_RATE_HZ,
                blocksize=self.chunk_samples,
                device=self.device,
                channels=1,
                dtype="int16",
                callback=self._received,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            which = "default input device" if self.device is None else f"input device {self.device!r}"
            raise DeviceError(
                f"cannot open the {which} at {SAMPLE_RATE_HZ} Hz ({' '.join(str(error).split())}): plug in a microphone"
                " or choose another device; `python -m sounddevice` lists them"
            ) from error
        return self

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
        self.blocks.put(np.array(data[:, 0], dtype=np.int16))

    def __iter__(self) -> Iterator[NDArray[np.int16]]:
        """Blocks until the caller stops. Raises DeviceError when the device falls silent for 5 seconds."""
        while True:
            block = self.blocks.get(5.0)
            if block is None:
                raise DeviceError("the microphone has sent nothing for 5 seconds: it may have been unplugged")
            yield block


def load_sounddevice() -> Any:
    """The sounddevice module. Raises MissingExtraError without it and DeviceError without PortAudio's library."""
    try:
        import sounddevice
    except ImportError as error:
        raise MissingExtraError("The microphone", "microphone", error) from error
    except OSError as error:
        raise DeviceError(
            f"the microphone needs PortAudio ({error}): on Debian run `sudo apt-get install libportaudio2`"
        ) from error
    return sounddevice
