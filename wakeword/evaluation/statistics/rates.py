"""A rate of false alarms as it is stored."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Rate(BaseModel):
    """False alarms in hours of listening, with Garwood's interval; `fah` and the bounds are None without hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    false_alarms: int
    hours: float
    fah: float | None
    low: float | None
    high: float | None
