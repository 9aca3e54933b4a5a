"""Dotted keys of the configuration, as overrides and search spaces write them, and their former names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wakeword.config.base import Section

RENAMED: dict[str, str] = {
    "augmentation.noise_room_probability": "augmentation.noise_rir_probability",
    "augmentation.room_probability": "augmentation.rir_probability",
    "augmentation.room_late_db": "augmentation.rir_late_db",
    "detector.peak_hold_s": "detector.nms_window_s",
}
"""Former keys to their present names. A former key in a recipe, an override, a run's config or a bundle is an error
that names the present one."""


def renamed_key(tree: Any, model: type[BaseModel], renamed: Mapping[str, str] = RENAMED) -> str:
    """Find the first former key in a plain tree: `old is now new`, or empty.

    Args:
        tree: content of a YAML or JSON file, before validation.
        model: section that the tree is validated against; a key that it still has is not reported.
        renamed: former dotted keys to present ones.
    """
    for old, new in renamed.items():
        if not key_fault(model, old):
            continue
        if _holds(tree, old.split(".")):
            return f"{old} is now {new}"
        space = _at(tree, ["tuning", "space"])
        for key in space if isinstance(space, Mapping) else ():
            if str(key) == old or str(key).startswith(f"{old}."):
                return f"tuning.space.{key}: {old} is now {new}"
    return ""


def _holds(tree: Any, parts: list[str]) -> bool:
    parent = _at(tree, parts[:-1])
    return isinstance(parent, Mapping) and parts[-1] in parent


def _at(tree: Any, parts: list[str]) -> Any:
    for part in parts:
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def key_fault(model: type[BaseModel], key: str) -> str:
    """Explain why a dotted key is not a value of a section; empty where it is.

    Args:
        model: the section that the key starts in.
        key: such as `training.learning_rate`; a number is an index of a list, and a mapping accepts any name.
    """
    annotation: Any = model
    parts = key.split(".")
    for place, part in enumerate(parts):
        section = _section(annotation)
        if section is not None:
            fields = fields_of(section)
            if part not in fields:
                return f"there is no {part!r} in {'.'.join(parts[:place]) or 'the configuration'}; {hint(fields, part)}"
            annotation = fields[part].annotation
        elif _takes(annotation, part):
            annotation = get_args(annotation)[0 if get_origin(annotation) in (tuple, list) else -1]
        else:
            return f"{'.'.join(parts[:place])} is a value that has no {part!r}"
    if (section := _section(annotation)) is not None:
        return f"it is a section: name a key in it, such as {key}.{next(iter(section.model_fields))}"
    return ""


def hint(known: Iterable[str], part: str) -> str:
    """Suggest the nearest of the known keys, `did you mean 'epochs'?`, or list all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(part, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"allowed here: {', '.join(names)}"


def fields_of(section: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a section by name, those of all its kinds where it has several."""
    kinds = section.kinds() if issubclass(section, Section) else (section,)
    return {name: field for kind in reversed(kinds) for name, field in kind.model_fields.items()}


def _section(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *(get_args(annotation) if get_origin(annotation) not in (tuple, list, dict) else ()))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _takes(annotation: Any, part: str) -> bool:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (tuple, list):
        # (float, float) has two places, (float, ...) any number.
        return part.isdigit() and (... in args or origin is list or int(part) < len(args))
    return origin is not None and isinstance(origin, type) and issubclass(origin, Mapping)
