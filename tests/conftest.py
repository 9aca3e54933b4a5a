"""Shared fixtures: the recordings (skipped with a reason where absent) and small artefacts."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeword.system.torchaudio_guard import guard_torchaudio

# Before any test imports transformers, which imports torchaudio.
guard_torchaudio()

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Folder of the real recordings with `manifest.csv`."""
    if not (RECORDINGS / "manifest.csv").is_file():
        pytest.skip("the real recordings (../shared/data) are absent: this test needs them")
    return RECORDINGS
