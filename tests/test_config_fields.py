"""No option without effect: every leaf of the config is named by a test that shows what it changes."""

from __future__ import annotations

import ast
from pathlib import Path

from pydantic import BaseModel

from wakeword.config import Config

TESTS = Path(__file__).resolve().parent


def leaves(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Dotted paths of all fields that hold values; members of lists are written as `list.*.field`."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        annotation = field.annotation
        inner = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found |= leaves(annotation, f"{path}.")
        elif inner:
            found |= leaves(inner[0], f"{path}.*.")
        else:
            found.add(path)
    return found


def marked() -> set[str]:
    """Every string given to `@pytest.mark.field(...)` under tests/."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.field":
                found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


def test_every_config_field_has_a_test_of_its_effect() -> None:
    known, tested = leaves(Config), marked()
    assert not tested - known, f"tests name fields that do not exist: {sorted(tested - known)}"
    assert not known - tested, f"config fields without a test of their effect: {sorted(known - tested)}"
