"""Settings of all tabs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DashboardSettings:
    """Folder of runs, path of the served bundle, and limits of an upload."""

    runs_dir: Path
    served: Path | None = None
    max_upload_mb: float = 20.0
    max_upload_s: float = 600.0
