"""The CTC model of tones, made once."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tone_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the CTC model of `tones`."""
    pytest.importorskip("transformers", reason="the extra [teachers] (transformers) is not installed")
    from tests.data.cutting.tones import write_model

    return write_model(tmp_path_factory.mktemp("model") / "tones")
