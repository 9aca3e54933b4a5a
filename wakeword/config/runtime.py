"""Scores to events, and the bundle that carries a detector to where it runs."""

from __future__ import annotations

from pydantic import Field

from wakeword.config.base import Section


class DetectorConfig(Section):
    """Scores to events; stored in the bundle, used by evaluation, command line, server and dashboard alike."""

    smoothing_s: float = Field(0.06, ge=0, le=2)
    """Moving average over the scores."""
    nms_window_s: float = Field(0.1, ge=0, le=2)
    """A peak is an event once nothing higher came for this long."""
    refractory_s: float = Field(1.0, ge=0, le=30)


class ExportConfig(Section):
    """The bundle."""

    chunk_ms: float = Field(80.0, gt=0, le=1000)
    """Chunk that clients are advised to send, rounded to whole steps; the graph takes any multiple of its step."""
    opset: int = Field(20, ge=18, le=23)
    int8: bool = False
    """Add `model.int8.onnx` to the bundle, calibrated on val: smaller and faster on small processors, less exact."""
    tflite: bool = False
    """Add `model.tflite` to the bundle, float32, one stream and one step a call; needs the extra `tflite`."""
    parity_tolerance: float = Field(1e-4, gt=0)
    """Largest difference allowed between a score of the trained model and of the exported graph, and between that
    graph and the TFLite model."""
