"""Parameters of the simulated telephone line: band, sample rate, and slopes at the edges of the band.

Training and evaluation filter with `band_gain`, resample to `RATE_HZ`, compand by ITU-T G.711 and resample back.
Evaluation codes single clips with libsndfile's A-law and soxr; training codes batches on the device of the tensors
(`wakeword.audio.augment.codecs`). A test compares the two.
"""

from __future__ import annotations

from typing import Any

RATE_HZ = 8_000
BAND_HZ = (300.0, 3_400.0)
"""Band of ITU-T G.712."""
EDGE_HZ = 100.0
"""Width of the slope outside either edge of the band."""


def band_gain(frequency_hz: Any) -> Any:
    """Zero-phase gain at frequencies (numpy array or torch tensor): 1 inside the band, 0 beyond its slopes."""
    low_hz, high_hz = BAND_HZ
    rising = ((frequency_hz - low_hz + EDGE_HZ) / EDGE_HZ).clip(0, 1)
    return rising * ((high_hz + EDGE_HZ - frequency_hz) / EDGE_HZ).clip(0, 1)
