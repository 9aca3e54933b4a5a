"""One tiny prepared data set for the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.synthetic import make_prepared


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prepared(tmp_path_factory.mktemp("prepared"))
