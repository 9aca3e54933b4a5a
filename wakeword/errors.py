"""Errors that a user can cause or repair: one sentence that states what, where and what to do.

The command line prints `str(error)` and exits with `error.exit_code`. Exit codes: 0 done, 1 a defect of the program
(with a traceback), 2 configuration or usage, 3 data, 4 bundle, 5 device or hardware, 6 a missing extra, 7 training or a
distributed run, 8 serving, 130 interrupted.
"""

from __future__ import annotations


class WakewordError(Exception):
    """Base of all errors whose message is meant for the user."""

    exit_code = 1


class ConfigError(WakewordError):
    """An invalid configuration or command line."""

    exit_code = 2


class DataError(WakewordError):
    """Recordings, manifests or shards that cannot be used."""

    exit_code = 3


class BundleError(WakewordError):
    """A bundle that is incomplete, modified or incompatible."""

    exit_code = 4


class DeviceError(WakewordError):
    """A requested GPU, microphone or other device that is not available."""

    exit_code = 5


class MissingExtraError(WakewordError):
    """A feature whose packages are not installed."""

    exit_code = 6

    def __init__(self, feature: str, extra: str, cause: ImportError | None = None) -> None:
        detail = f" ({cause})" if cause else ""
        super().__init__(f"{feature} needs the extra [{extra}]{detail}: run `pip install 'wakeword[{extra}]'`")
        self.extra = extra


class RunError(WakewordError):
    """A training, sweep or evaluation run that could not be completed."""

    exit_code = 7


class ServingError(WakewordError):
    """An endpoint that could not be started or reached."""

    exit_code = 8
