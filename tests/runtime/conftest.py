"""Bundles that are made in milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bundles import write_tone_bundle
from wakeword.runtime import Bundle, load_bundle


@pytest.fixture(scope="session")
def tone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle with the words alpha and beta; not to be changed."""
    return write_tone_bundle(tmp_path_factory.mktemp("tones") / "bundle")


@pytest.fixture(scope="session")
def tones(tone_folder: Path) -> Bundle:
    """The loaded bundle of `tone_folder`."""
    return load_bundle(tone_folder)
