"""The tone bundle with its TFLite twin, converted once a process; needs the extra `tflite`."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from pathlib import Path

import pytest

from tests.bundles import tone_manifest, write_tone_bundle
from wakeword.export.manifest import write_bundle_files
from wakeword.runtime import load_bundle

INSTALLED = importlib.util.find_spec("onnx2tf") is not None and importlib.util.find_spec("ai_edge_litert") is not None
needs_tflite = pytest.mark.skipif(not INSTALLED, reason="the extra tflite is not installed; make test-tflite")


@functools.cache
def tone_tflite() -> bytes:
    """The bytes of the tone model's TFLite file."""
    from wakeword.export.tflite import convert_tflite

    with tempfile.TemporaryDirectory() as name:
        return convert_tflite(load_bundle(write_tone_bundle(Path(name) / "tones")))


def write_twin_bundle(folder: Path, content: bytes | None = None, **changes: object) -> Path:
    """The tone bundle with `content` (default: its own twin) as `model.tflite`; `changes` as in `tone_manifest`."""
    model = load_bundle(write_tone_bundle(folder)).model
    twin = tone_tflite() if content is None else content
    write_bundle_files(folder, model, tone_manifest(["alpha", "beta"], **changes), {"tflite": twin})
    return folder
