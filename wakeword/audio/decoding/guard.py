"""Decode in a child process with limits, so that a file that crashes the decoder or fills memory is only a bad file.

libsndfile is C code that reads untrusted files (CVE-2026-37555 is one of its faults). The child has limits on address
space (RLIMIT_AS) and on CPU time per file (RLIMIT_CPU), the parent one on wall time per block. One child decodes many
files; after a crash a new one is started. The child opens local paths; the parent reads and sends everything else.

Protocol: the parent writes a line of JSON and `size` bytes of audio. The child answers with frames of one byte (`R`
ready, `B` block, `N` warning, `E` end, `X` error), a little-endian uint64 length and that many bytes (float32 samples,
UTF-8 text, or JSON).
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from wakeword.audio.decoding.faults import AudioError, Warn, logged, name_of
from wakeword.audio.locators import parts_of, plain, read_bytes
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.errors import DataError

MEMORY_BYTES = 3 << 30
"""Address space of the child: numpy, soxr and libsndfile reserve about 1 GiB of it."""
CPU_S = 120
"""CPU seconds per file."""
HEAD = struct.Struct("<cQ")


class GuardedDecoder:
    """One child process, for one thread and one file at a time."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES, cpu_s: int = CPU_S) -> None:
        self.memory_bytes = memory_bytes
        self.cpu_s = cpu_s
        self.restarts = 0
        self._child: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for stream in (self._child.stdin, self._child.stdout):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):
                        stream.close()
            self._child = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.restarts += self._child is not None
            self.close()
            limits = str(self.memory_bytes), str(self.cpu_s)
            command = [sys.executable, "-m", "wakeword.audio.guard_child", *limits]
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            package = str(Path(__file__).resolve().parents[3])
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            if self._frame(60.0, "the decoder")[0] != b"R":
                raise DataError(
                    "the decoder process did not start: set data.quality.guarded=false to decode without it"
                )
        return self._child

    def stream_blocks(
        self,
        source: str | bytes,
        block_s: float,
        timeout_s: float | None = None,
        most: int | None = None,
        warn: Warn | None = None,
    ) -> Generator[np.ndarray, None, None]:
        """As `wakeword.audio.io.stream_blocks`, decoded by the child; `most` limits the number of blocks.

        Raises:
            AudioError: also with the reasons `decoder_crashed` and `decode_timeout`.
        """
        where = name_of(source)
        warn = warn or logged(where)
        child = self._running()
        data = source if isinstance(source, bytes) else _sent_bytes(source)
        order = {
            "uri": where,
            "block_s": block_s,
            "timeout_s": timeout_s,
            "most": most,
            "size": None if data is None else len(data),
        }
        wait_s = None if timeout_s is None else timeout_s + 5.0
        finished = False
        try:
            assert child.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # a child that has died is noticed when it is read
                child.stdin.write(json.dumps(order).encode() + b"\n" + (data or b""))
                child.stdin.flush()
            while True:
                kind, body = self._frame(wait_s, where)
                if kind == b"B":
                    yield np.frombuffer(body, np.float32)
                    continue
                if kind == b"N":
                    warn(body.decode())
                    continue
                finished = True
                if kind == b"X":
                    fault = json.loads(body)
                    raise AudioError(fault["reason"], where, fault["detail"])
                return
        finally:
            # Unread blocks would be taken for those of the next file.
            if not finished:
                self.close()

    def _frame(self, wait_s: float | None, source: str) -> tuple[bytes, bytes]:
        head = self._read(HEAD.size, wait_s, source)
        kind, size = HEAD.unpack(head)
        return kind, self._read(size, wait_s, source)

    def _read(self, size: int, wait_s: float | None, source: str) -> bytes:
        assert self._child is not None
        assert self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        parts, held = [], 0
        until_s = None if wait_s is None else time.monotonic() + wait_s
        while held < size:
            left_s = None if until_s is None else max(0.0, until_s - time.monotonic())
            if not select.select([descriptor], [], [], left_s)[0]:
                raise AudioError("decode_timeout", source, f"no answer from the decoder within {wait_s:g} s")
            part = os.read(descriptor, min(size - held, 1 << 20))
            if not part:
                code = self._child.wait()
                detail = f"the decoder ended with signal {-code}" if code < 0 else f"the decoder ended with code {code}"
                raise AudioError("decoder_crashed", source, detail)
            parts.append(part)
            held += len(part)
        return b"".join(parts)

    def read_audio(
        self, source: str, max_s: float | None = None, timeout_s: float | None = None, warn: Warn | None = None
    ) -> np.ndarray:
        """As `wakeword.audio.io.read_audio`, decoded by the child."""
        return join_blocks(self.stream_blocks(source, 10.0, timeout_s, warn=warn), source, max_s)


def join_blocks(blocks: Generator[np.ndarray, None, None], where: str, max_s: float | None) -> np.ndarray:
    """Join 16 kHz blocks `(samples,)` of the file `where`. Raises AudioError (`too_long`) after `max_s` seconds."""
    kept, samples = [], 0
    # Closing ends the decoder at once if it is interrupted.
    with contextlib.closing(blocks):
        for block in blocks:
            kept.append(block)
            samples += len(block)
            if max_s is not None and samples > max_s * SAMPLE_RATE_HZ:
                raise AudioError("too_long", where, f"longer than the allowed {max_s:g} s")
    return kept[0] if len(kept) == 1 else np.concatenate(kept)


def _sent_bytes(source: str) -> bytes | None:
    """Bytes that the parent must read: a member of an archive or a remote file; None for a local file."""
    if not parts_of(source)[1] and "://" not in plain(source):
        return None
    try:
        return read_bytes(source)
    except FileNotFoundError as error:
        raise AudioError("missing_file", source, "there is no such file") from error
    except (OSError, DataError) as error:
        raise AudioError("unreadable", source, str(error)) from error


_SHARED: dict[int, GuardedDecoder] = {}


def shared_decoder() -> GuardedDecoder:
    """The decoder of this process; a forked process gets a separate one."""
    if os.getpid() not in _SHARED:
        _SHARED.clear()
        decoder = _SHARED[os.getpid()] = GuardedDecoder()
        atexit.register(decoder.close)
    return _SHARED[os.getpid()]


_IDLE: list[tuple[int, GuardedDecoder]] = []
"""Idle decoders for `decoded_by_a_child`, with the process that started them."""


def decoded_by_a_child(source: str | bytes, where: str) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks (16000, `(samples,)` float32) of a file that only a child may decode; safe to call from any thread."""
    decoder = None
    while decoder is None and _IDLE:
        with contextlib.suppress(IndexError):
            process, idle = _IDLE.pop()
            decoder = idle if process == os.getpid() else None
    if decoder is None:
        decoder = GuardedDecoder()
        atexit.register(decoder.close)
    try:
        for block in decoder.stream_blocks(source, 10.0):
            yield SAMPLE_RATE_HZ, block
    except AudioError as error:
        raise AudioError(error.reason, where, error.detail) from error
    finally:
        _IDLE.append((os.getpid(), decoder))


_child_of_a_guard = False


def become_child() -> None:
    """Mark this process as the child of a guard."""
    global _child_of_a_guard
    _child_of_a_guard = True


def is_child() -> bool:
    """Whether this process is the child of a guard."""
    return _child_of_a_guard
