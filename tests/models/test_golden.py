"""The first steps of every family compared with stored losses: a change of its layers or initial weights shows."""

from __future__ import annotations

import pytest

from tests.models.golden import losses, machine, stored
from tests.models.test_registry import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_are_those_of_before(family: str) -> None:
    record = stored()
    assert family in record["losses"], f"write its losses: python -m tests.models.golden {family}"
    same = record["machine"] == machine()
    found = losses(family)
    assert found == pytest.approx(record["losses"][family], rel=1e-5 if same else 2e-2, abs=1e-7)
    assert sum(found[-5:]) < 0.9 * sum(found[:5])
