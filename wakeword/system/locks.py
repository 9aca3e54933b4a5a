"""The one lock of this package: a second process is kept out of a folder, and told who is in it."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wakeword.errors import MissingExtraError, RunError

log = logging.getLogger(__name__)

POLL_S = 0.2


@contextmanager
def lock_folder(
    folder: Path,
    name: str,
    wait_s: float = 0.0,
    work: str = "works on",
    advice: str = "wait for it, end it, or choose another name=…",
) -> Iterator[None]:
    """Hold the lock file `folder/name`, which keeps the process id of its holder.

    The operating system frees the lock when the process ends, however it ends; the file stays.

    Args:
        folder: made where it is absent.
        name: the lock's file in it.
        wait_s: seconds to wait for another holder; `math.inf` waits until it has ended.
        work: the verb of the message about the other process.
        advice: what the message tells the user to do.

    Raises:
        RunError: another process still holds the lock after `wait_s`.
        MissingExtraError: filelock is not installed.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise MissingExtraError("Locking a folder", "train", error) from error
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    lock = FileLock(path, poll_interval=POLL_S)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        try:
            if wait_s:
                log.info("waiting for %s, which %s %s", _holder(path), work, folder)
            lock.acquire(timeout=-1 if wait_s == math.inf else wait_s)
        except Timeout:
            raise RunError(f"{_holder(path)} {work} {folder}: {advice}") from None
    try:
        path.write_text(f"{os.getpid()}\n", encoding="ascii")
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    """`another process (process id 123)`; a file of an earlier version, or one just made, holds no id."""
    found = path.read_text(encoding="ascii", errors="replace").strip()
    return f"another process (process id {found})" if found.isdigit() else "another process"
