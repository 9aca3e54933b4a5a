"""No option without effect: every leaf of the config is in one table of this folder, or in the list of exceptions."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

from tests.config.effects.effect import Effects, leaves
from wakeword.config import Config

ELSEWHERE: dict[str, str] = {
    "compute.data_cpus": "needs a running Ray, whose tasks it limits: tests/data/test_prepare.py and "
    "tests/evaluation/test_evaluate.py look at the limit that Ray Data is given",
}
"""Fields whose effect needs hardware or a cluster, each with the reason and the test that has them."""


def tables() -> dict[str, Effects]:
    """The table of every file of this folder that has one."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))
    modules = {name: importlib.import_module(f"tests.config.effects.{name}") for name in names}
    return {name: module.EFFECTS for name, module in modules.items() if hasattr(module, "EFFECTS")}


def test_every_field_of_the_config_has_a_test_of_its_effect() -> None:
    counted = Counter([name for table in tables().values() for name in table] + list(ELSEWHERE))
    known = set(leaves(Config))
    assert not set(counted) - known, f"tests of fields that do not exist: {sorted(set(counted) - known)}"
    assert not known - set(counted), f"config fields without a test of their effect: {sorted(known - set(counted))}"
    twice = sorted(name for name, times in counted.items() if times > 1)
    assert not twice, f"config fields in two tables: {twice}"


def test_exceptions_are_few_and_name_their_tests() -> None:
    assert len(ELSEWHERE) <= 10
    root = Path(__file__).resolve().parents[3]
    for reason in ELSEWHERE.values():
        named = [word.rstrip(",.") for word in reason.split() if word.startswith("tests/")]
        assert named
        assert all((root / path).is_file() for path in named)
