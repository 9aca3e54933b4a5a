"""The one rule for `compute.device`, and trees of tensors that move in one copy."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from wakeword.errors import DeviceError
from wakeword.system.device import moved, resolve_device, uploaded
from wakeword.system.device_rule import chosen_device

WAKEWORD = Path(__file__).resolve().parents[2] / "wakeword"
RULE = {"system/device.py", "system/checks.py"}
"""The rule, and the doctor, which tells what there is."""


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_the_rule(wanted: str, present: bool, expected: str) -> None:
    assert chosen_device(wanted, lambda: present, "") == expected


def test_a_demand_that_cannot_be_met_is_one_sentence() -> None:
    with pytest.raises(DeviceError, match=r"^compute\.device is cuda, but there is none: buy one$"):
        chosen_device("cuda", lambda: False, "there is none: buy one")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match=r"compute\.device is cuda, but torch finds no CUDA device here: set"):
            resolve_device("cuda")
        assert resolve_device("auto").type == "cpu"


def test_nothing_else_in_the_package_decides_it() -> None:
    """Only the rule asks torch whether there is a GPU, and only the session asks Ray."""
    asks = []
    for path in sorted(WAKEWORD.rglob("*.py")):
        name = str(path.relative_to(WAKEWORD))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.cuda.is_available" and name not in RULE:
                asks.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.Constant) and node.value == "GPU" and not name.startswith(("stages/", "tuning/")):
                asks.append(f"{name}:{node.lineno}")
    # What a training worker reserves, once the rule has said that it needs one.
    assert [ask for ask in asks if not ask.startswith("training/distributed.py")] == []


def test_on_a_cpu_a_tree_stays_where_it_is() -> None:
    @dataclass(frozen=True)
    class Tree:
        values: torch.Tensor

    tree = Tree(torch.ones(2))
    assert moved(tree, torch.device("cpu")) is tree
    assert uploaded(tree.values, torch.device("cpu")) is tree.values
