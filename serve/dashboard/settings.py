"""What every tab needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DashboardSettings:
    """Where runs lie, which bundle is being served, and how large a file may be."""

    runs_dir: Path
    served: Path | None = None
    max_upload_mb: float = 20.0
    max_upload_s: float = 600.0
