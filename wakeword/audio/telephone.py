"""The telephone line, as training and evaluation simulate it: band, sample rate, and the slopes at the band's edges.

Both filter with `band_gain`, go to `RATE_HZ`, compand by ITU-T G.711 and come back. Evaluation codes one clip at a time
with a real codec (libsndfile's A-law) and soxr; training codes whole batches on the device of the tensors, for which
neither exists (`wakeword.audio.augment.codecs`). A test holds the two together.
"""

from __future__ import annotations

from typing import Any

RATE_HZ = 8_000
BAND_HZ = (300.0, 3_400.0)
"""The band of ITU-T G.712."""
EDGE_HZ = 100.0
"""Width of the slope outside either edge of the band."""


def band_gain(frequency_hz: Any) -> Any:
    """Gain of the line at frequencies, a numpy array or a torch tensor: 1 inside the band, 0 beyond its slopes.

    A gain without a phase moves nothing in time.
    """
    low_hz, high_hz = BAND_HZ
    rising = ((frequency_hz - low_hz + EDGE_HZ) / EDGE_HZ).clip(0, 1)
    return rising * ((high_hz + EDGE_HZ - frequency_hz) / EDGE_HZ).clip(0, 1)
