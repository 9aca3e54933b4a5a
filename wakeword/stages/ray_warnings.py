"""Warnings of Ray that are known to be harmless, kept from standard error by their text; everything else passes.

Ray's C++ core writes them straight to file descriptor 2 of this process; only its log level, which would hide every
other error too, is a setting.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HARMLESS = ("has constructor arguments in the object store and max_restarts > 0",)
"""Ray Data passes its own context to each actor as an object that this process owns: it lives as long as the actors."""

# A process of its own: it still writes what this one wrote last, whatever ends this one.
_FILTER = """
import sys
texts = [text.encode() for text in sys.argv[1:]]
for line in sys.stdin.buffer:
    if not any(text in line for text in texts):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""
_END_S = 5.0


@contextmanager
def hidden_lines(texts: tuple[str, ...] = HARMLESS) -> Iterator[None]:
    """Inside the block, lines with one of `texts` do not reach this process's standard error (descriptor 2)."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    standard_error = os.dup(2)
    command = [sys.executable, "-I", "-S", "-c", _FILTER, *texts]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=standard_error, start_new_session=True)
    assert process.stdin is not None
    os.dup2(process.stdin.fileno(), 2)
    process.stdin.close()
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(standard_error, 2)
        os.close(standard_error)
        # A child of this process that outlives the block may hold the pipe: the filter then ends with it.
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
