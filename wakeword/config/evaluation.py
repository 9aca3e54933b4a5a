"""Evaluation."""

from __future__ import annotations

from pydantic import Field

from wakeword.config.base import Section


class EvaluationConfig(Section):
    """Continuous tracks, events, intervals: see docs/evaluation.md."""

    snr_db: tuple[float, ...] = (20.0, 10.0, 5.0, 0.0)
    """Noisy conditions beside `clean`."""
    far: bool = True
    """Add a far-room condition (needs room responses)."""
    gap_s: tuple[float, float] = (1.0, 3.0)
    """Silence between clips of a track."""
    fah_targets: tuple[float, ...] = (0.05, 0.1, 0.5, 1.0)
    operating_fah: float = Field(0.5, gt=0)
    """False alarms per hour whose threshold the bundle uses by default; chosen on val."""
    hit_before_s: float = Field(0.2, ge=0)
    hit_after_s: float = Field(1.0, gt=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    seed: int = 0
