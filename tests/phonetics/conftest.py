"""The recogniser inside the wheel hama, and real speech."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import soundfile
import torch

from wakeword.phonetics.recogniser import Recogniser, open_recogniser


@pytest.fixture(scope="package")
def recogniser() -> Recogniser:
    torch.set_num_threads(1)
    return open_recogniser("hama")


@pytest.fixture(scope="package")
def speech(recordings: Path) -> list[torch.Tensor]:
    """Six recordings of different people, `(samples,)`."""
    rows = pd.read_csv(recordings / "manifest.csv", low_memory=False)
    rows = rows[(rows.kind == "speech") & (rows.split == "train") & rows.source.str.contains("Common Voice")]
    paths = rows.drop_duplicates("speaker").path[:6]
    return [torch.from_numpy(soundfile.read(recordings / path, dtype="float32")[0]) for path in paths]
