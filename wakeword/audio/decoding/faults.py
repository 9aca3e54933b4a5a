"""What a file that cannot be used says: a reason code for the quarantine table, and a sentence."""

from __future__ import annotations

from typing import Any

from wakeword.errors import DataError


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
