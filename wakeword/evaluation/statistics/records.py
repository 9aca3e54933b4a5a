"""Base classes of the stored results, the rate of false alarms and its tail."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from wakeword.errors import DataError
from wakeword.system.files import write_json


class Record(BaseModel):
    """An immutable record that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StoredRecord(Record):
    """A record with a JSON file of its own; `command` names the command that writes the file."""

    command: ClassVar[str]

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the JSON file. Raises DataError when it is missing or not a file of this version."""
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}): run `{cls.command}` first") from error
        except ValidationError as error:
            raise DataError(f"{path} is damaged or from another version: run `{cls.command}` again") from error


class Rate(Record):
    """False alarms per hour with the exact Poisson interval; `fah` and the bounds are None without audio."""

    false_alarms: int
    hours: float
    fah: float | None
    low: float | None
    high: float | None


class TailCurve(Record):
    """Rate of false alarms per hour on val against the threshold: counted, and estimated by `metrics.tail`."""

    hours: float
    events: int
    """Number of the highest events that the estimate is fitted to."""
    start: float
    """Log odds from which on the rate is estimated rather than counted."""
    confidence: float
    """Of the band from `low` to `high`."""
    level: tuple[float, ...]
    """Rising log odds of the threshold."""
    counted: tuple[float, ...]
    low: tuple[float, ...]
    middle: tuple[float, ...]
    high: tuple[float, ...]
