"""Event detection from scores, and the exported bundle."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from wakeword.config.base import Section


class DetectorConfig(Section):
    """Event detection from scores. The bundle stores it for evaluation, command line, server and dashboard."""

    smoothing_s: float = Field(0.06, ge=0, le=2)
    """Length of the moving average over the scores in seconds. Longer windows reduce false alarms and add latency."""
    nms_window_s: float = Field(0.1, ge=0, le=2)
    """Non-maximum suppression: a peak becomes an event when no higher score follows within this many seconds. It adds
    to the latency."""
    refractory_s: float = Field(1.0, ge=0, le=30)
    """Seconds after an event in which the same word cannot fire again."""


class ExportConfig(Section):
    """The exported bundle."""

    chunk_ms: float = Field(80.0, gt=0, le=1000)
    """Chunk length in ms that the bundle recommends to clients, rounded to whole steps. The graph accepts any multiple
    of its step; shorter chunks lower the latency and cost more computation."""
    opset: int = Field(20, ge=18, le=23)
    """ONNX opset of the graph; lower it for an older runtime."""
    int8: bool = False
    """Add `model.int8.onnx` to the bundle, quantised with calibration on val: smaller and faster on small processors,
    less accurate."""
    tflite: bool = False
    """Add `model.tflite` to the bundle (float32, one stream, one step per call). Needs the extra [tflite]."""
    verifier: Literal["none", "phonetic"] = "none"
    """`phonetic` adds a second stage to the bundle, `verifier.onnx`: a phoneme recogniser that hears the audio around
    each trigger of the detector again. Fewer misses at the same false alarms and more alarms at similar phrases, 0.3 s
    later; 5 MB more. Needs the extra [phonetics]."""
    parity_tolerance: float = Field(1e-4, gt=0)
    """Largest allowed difference between scores of the trained model and of the exported graph, between that graph and
    the TFLite model, and between outputs of the verifier's recogniser and of its graph. A larger one fails the
    export."""
