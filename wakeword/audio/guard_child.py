"""Child process of `wakeword.audio.decoding.guard`: decodes one file after another within its limits."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import BinaryIO

import numpy as np

from wakeword.audio.decoding import guard
from wakeword.audio.decoding.faults import AudioError
from wakeword.audio.io import stream_blocks


def _allow_cpu(seconds: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds + 1, hard))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress standard error: the decoding libraries print to it for each damaged file."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _send_warning(out: BinaryIO, text: str) -> None:
    _answer(out, b"N", text.encode())


def _answer(out: BinaryIO, kind: bytes, body: bytes) -> None:
    out.write(guard.HEAD.pack(kind, len(body)) + body)
    out.flush()


def serve(memory_bytes: int, cpu_s: int) -> None:
    """Decode the files that the parent requests until it closes the pipe."""
    import soundfile  # noqa: F401  (imported before the limit, so that a low limit does not stop the imports)
    import soxr  # noqa: F401

    guard.become_child()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    orders, out = sys.stdin.buffer, sys.stdout.buffer
    _answer(out, b"R", b"")
    while line := orders.readline():
        order = json.loads(line)
        source: str | bytes = order["uri"] if order["size"] is None else orders.read(order["size"])
        _allow_cpu(cpu_s)
        try:
            with _quiet():
                blocks = stream_blocks(source, order["block_s"], order["timeout_s"], partial(_send_warning, out))
                for block in islice(blocks, order["most"]):
                    _answer(out, b"B", np.ascontiguousarray(block, np.float32).tobytes())
            _answer(out, b"E", b"")
        except AudioError as error:
            _answer(out, b"X", json.dumps({"reason": error.reason, "detail": error.detail}).encode())
        except MemoryError:
            detail = f"decoding needs more than {memory_bytes >> 20} MiB of memory"
            _answer(out, b"X", json.dumps({"reason": "too_large", "detail": detail}).encode())


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
