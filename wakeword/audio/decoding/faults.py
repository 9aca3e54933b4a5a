"""What a file that cannot be used says: a reason code for the quarantine table, and a sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wakeword.errors import DataError

Warn = Callable[[str], None]
"""Takes a sentence about an oddity of a file that is read all the same."""
_LOG = logging.getLogger(__name__)


class AudioError(DataError):
    """A file that cannot be used; `reason` is its code in the quarantine table, `detail` says more."""

    def __init__(self, reason: str, where: str, detail: str) -> None:
        super().__init__(f"cannot read {where}: {detail} ({reason})")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process borders in Ray: the default would call __init__ with the message alone.
        return (_restore, (self.reason, self.detail, str(self)))


def _restore(reason: str, detail: str, message: str) -> AudioError:
    error = AudioError(reason, "", detail)
    error.args = (message,)
    return error


def logged(where: str) -> Warn:
    """A `tell` that logs a warning about the file `where`."""
    return lambda text: _LOG.warning("%s: %s", where, text)


def silent(text: str) -> None:
    """A `tell` for a file that was told about when it was first read."""


def name_of(source: str | Path | bytes) -> str:
    """What messages call it."""
    return f"{len(source)} bytes of audio" if isinstance(source, bytes) else str(source)
