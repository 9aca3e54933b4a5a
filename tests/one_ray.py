"""Plugin of pytest: the Ray that the first test starts serves all tests of the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wakeword.stages.ray_session import kept_ray


@pytest.fixture(scope="session", autouse=True)
def one_ray() -> Iterator[None]:
    """Keep Ray until the last test has ended."""
    with kept_ray():
        yield
