"""Statistics of a replica: streams, chunk latency, memory."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import psutil

_KEPT_LATENCIES = 8192


class Statistics:
    """Counters of one replica; only its event loop writes them."""

    def __init__(self) -> None:
        self.streams = 0
        self.streams_total = 0
        self.streams_refused = 0
        self.detections = 0
        self.audio_s = 0.0
        self.engine_calls = 0
        self._latencies_ms: deque[float] = deque(maxlen=_KEPT_LATENCIES)
        self._process = psutil.Process()

    def add_latency(self, seconds: float) -> None:
        """Record the time from a chunk's arrival to the end of its scoring."""
        self._latencies_ms.append(seconds * 1000)

    def snapshot(self) -> dict[str, Any]:
        """Plain values for `/v1/stats`; latencies are of the last 8192 chunks, None before the first."""
        latencies = np.asarray(self._latencies_ms, dtype=np.float64)
        p50, p99 = np.percentile(latencies, [50, 99]) if latencies.size else (None, None)
        return {
            "streams": self.streams,
            "streams_total": self.streams_total,
            "streams_refused": self.streams_refused,
            "detections": self.detections,
            "audio_s": round(self.audio_s, 3),
            "batches": self.engine_calls,
            "chunk_latency_p50_ms": None if p50 is None else round(float(p50), 3),
            "chunk_latency_p99_ms": None if p99 is None else round(float(p99), 3),
            "rss_mib": round(self._process.memory_info().rss / 2**20, 1),
        }
