"""How a test shows that a config field has an effect: change it, run the code that reads it, compare what comes out."""

from __future__ import annotations

import copy
import operator
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin
from unittest import mock

from pydantic import BaseModel

from wakeword.config import Config, config_yaml, validate_config
from wakeword.config.base import Section
from wakeword.errors import WakewordError

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / "wakeword" / "config"
PRODUCT = (ROOT / "wakeword", ROOT / "serve", ROOT / "jobs")
UNSET = object()

Observe = Callable[[Config, Path], Any]
"""Runs the product on a config and returns something that can be compared; the folder is empty and its own."""

differs = operator.ne
rises = operator.lt
"""The value observed after the change is above the one before it."""
falls = operator.gt


@dataclass(frozen=True)
class Effect:
    """One field's effect.

    Attributes:
        observe: runs the code that consumes the field; it must not read the field itself.
        to: the changed value.
        start: the value before the change; the schema's default where it is not given.
        given: other keys that both configs have, dotted; `*` is the first entry of a list or mapping.
        holds: compares what is observed before and after.

    A value may be a function that gives it, for material that is only made when the test runs.
    """

    observe: Observe
    to: Any
    start: Any = UNSET
    given: Mapping[str, Any] = field(default_factory=dict)
    holds: Callable[[Any, Any], bool] = differs


Effects = dict[str, Effect]


def leaves(model: type[BaseModel], prefix: str = "") -> dict[str, tuple[type[BaseModel], ...]]:
    """Dotted keys of all fields that hold values, with the sections on the way; members of lists are `list.*.field`."""
    found: dict[str, tuple[type[BaseModel], ...]] = {}
    for name, info in model.model_fields.items():
        annotation: Any = info.annotation
        inner = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
        if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
            inner, path = [annotation], f"{prefix}{name}."
        else:
            path = f"{prefix}{name}.*."
        if inner:
            for kind in reversed(_kinds(inner[0])):
                found |= {key: (model, *sections) for key, sections in leaves(kind, path).items()}
        else:
            found[f"{prefix}{name}"] = (_owner(model, name),)
    return found


def _kinds(section: type[BaseModel]) -> tuple[type[BaseModel], ...]:
    return section.kinds() if issubclass(section, Section) else (section,)


def _owner(section: type[BaseModel], name: str) -> type[BaseModel]:
    """The most general section that has the field: kinds of a section share those of their parents."""
    return [one for one in section.__mro__ if name in getattr(one, "model_fields", {})][-1]


def config_with(values: Mapping[str, Any]) -> Config:
    """A config of one word with these dotted keys set."""
    tree: dict[str, Any] = {"words": [{"label": "nova"}]}
    for key, value in values.items():
        *parents, leaf = key.split(".")
        node: Any = tree
        for part in parents:
            node = _entry(node, part)
        node[leaf] = copy.deepcopy(value() if callable(value) else value)
    return validate_config(tree, "effect")


def _entry(node: Any, part: str) -> Any:
    if part == "*":
        return node[0] if isinstance(node, list) else next(iter(node.values()))
    return node.setdefault(part, {})


def check(name: str, effect: Effect) -> None:
    """Assert that the field is read by the product, that its change is observed, and that nothing else changes."""
    start = {} if effect.start is UNSET else {name: effect.start}
    before, after = config_with({**effect.given, **start}), config_with({**effect.given, **start, name: effect.to})
    assert before != after, f"{name}: the changed value is the value before"
    first, again = _observed(effect.observe, before), _observed(effect.observe, before, "again")
    assert first == again, f"{name}: the same config was observed twice and differs"
    with readers_of(name) as readers, tempfile.TemporaryDirectory() as folder:
        second = effect.observe(after, Path(folder))
    own = sorted({str(path.relative_to(ROOT)) for path in readers if path.is_relative_to(ROOT / "tests")})
    assert not own, f"{name}: read by the test itself in {', '.join(own)}"
    assert readers, f"{name}: read by no code of the product while it was observed"
    assert effect.holds(first, second), f"{name}: before {first!r}, after {second!r}"


_seen: dict[tuple[Any, ...], Any] = {}


def _observed(observe: Observe, config: Config, turn: str = "") -> Any:
    """What is observed of a config: once for all fields that start from it (`turn` names another observation)."""
    key = (observe, config_yaml(config), turn)
    if key not in _seen:
        with tempfile.TemporaryDirectory() as folder:
            _seen[key] = observe(config, Path(folder))
    return _seen[key]


@contextmanager
def readers_of(name: str) -> Iterator[set[Path]]:
    """Collect the files that read a field inside the block: of the product, or of the tests."""
    sections = leaves(Config)[name]
    owner, leaf = sections[-1], name.rpartition(".")[2]
    found: set[Path] = set()
    plain = Section.__getattribute__

    def watched(self: Section, attribute: str) -> Any:
        dumped = attribute in ("model_dump", "model_dump_json", "model_copy") and issubclass(type(self), sections)
        if dumped or (attribute == leaf and issubclass(type(self), owner)):
            reader = _reader(sys._getframe(1))
            # A test may hand a config on as a plain tree; the product reads the fields of the section it makes of it.
            if reader is not None and not (dumped and reader.is_relative_to(ROOT / "tests")):
                found.add(reader)
        return plain(self, attribute)

    with mock.patch.object(Section, "__getattribute__", watched):
        yield found


def _reader(frame: Any) -> Path | None:
    """The file behind a read: the nearest one of the product or the tests, the config package itself left out."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        ours = any(path.is_relative_to(folder) for folder in (*PRODUCT, ROOT / "tests"))
        if ours and not path.is_relative_to(CONFIG) and path != Path(__file__):
            return path
        frame = frame.f_back
    return None


@cache
def shared_folder(name: str) -> Path:
    """A folder that lives as long as the process, for material that many observations share."""
    holder = tempfile.TemporaryDirectory(prefix=f"effects-{name}-")
    _holders.append(holder)
    return Path(holder.name)


_holders: list[tempfile.TemporaryDirectory[str]] = []


def outcome(run: Callable[[], Any]) -> Any:
    """What a call returns, or the sentence of the product's error that it ends with."""
    try:
        return run()
    except WakewordError as error:
        return f"{type(error).__name__}: {error}"
