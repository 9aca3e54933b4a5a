"""`run.json`: the complete stages of a run, the keys of their inputs, and their costs."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from wakeword.errors import RunError
from wakeword.system.files import write_json

RECORD_VERSION = 1
_SOFTWARE = ("wakeword", "torch", "ray", "onnxruntime", "numpy")


class RunRecord:
    """The stages of one run; every change is written atomically.

    Raises:
        RunError: the existing file cannot be read.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = Path(path), name
        self.stages: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            try:
                body = json.loads(self.path.read_text(encoding="utf-8"))
                if body["version"] == RECORD_VERSION:
                    self.stages = dict(body["stages"])
            except (ValueError, KeyError, TypeError) as error:
                raise RunError(f"{path} cannot be read ({error!r}): remove it and run again") from error

    def key(self, stage: str) -> str | None:
        """Key of a complete stage; None for other stages."""
        entry = self.stages.get(stage, {})
        return entry.get("key") if entry.get("state") == "complete" else None

    def put(self, stage: str, **entry: Any) -> None:
        """Record a stage."""
        self.stages[stage] = entry
        self._write()

    def forget(self, stages: Sequence[str]) -> None:
        """Remove stages whose outputs are gone or out of date."""
        known = [stage for stage in stages if stage in self.stages]
        for stage in known:
            del self.stages[stage]
        if known:
            self._write()

    def _write(self) -> None:
        software = {"python": platform.python_version()}
        for package in _SOFTWARE:
            try:
                software[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        write_json(
            self.path,
            {"version": RECORD_VERSION, "name": self.name, "stages": self.stages, "software": software},
        )


def now_text() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")
