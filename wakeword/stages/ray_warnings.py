"""Filter for known harmless warnings of Ray on standard error.

Ray's C++ core writes them directly to file descriptor 2. Its log level would hide all other errors as well.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HARMLESS = ("has constructor arguments in the object store and max_restarts > 0",)
"""Ray Data passes its context to each actor as an object that this process owns, which lives as long as the actors."""

# A separate process, which still forwards the last lines when this process is killed.
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
    """Inside the block, hide lines with one of `texts` from this process's standard error (descriptor 2)."""
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
        # The filter ends later if a child of this process still holds the pipe.
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
