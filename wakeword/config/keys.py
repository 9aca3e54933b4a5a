"""Dotted keys of the configuration, as overrides and search spaces write them: which exist, and what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel


def key_fault(model: type[BaseModel], key: str) -> str:
    """Why a dotted key names no value of a section; empty where it does.

    Args:
        model: the section that the key starts in.
        key: such as `training.learning_rate`; a number is a place in a list, and a mapping takes any name.
    """
    annotation: Any = model
    parts = key.split(".")
    for place, part in enumerate(parts):
        section = _section(annotation)
        if section is not None:
            if part not in section.model_fields:
                return (
                    f"there is no {part!r} in {'.'.join(parts[:place]) or 'the configuration'}; {hint(section, part)}"
                )
            annotation = section.model_fields[part].annotation
        elif _takes(annotation, part):
            annotation = get_args(annotation)[0 if get_origin(annotation) in (tuple, list) else -1]
        else:
            return f"{'.'.join(parts[:place])} is a value that has no {part!r}"
    if (section := _section(annotation)) is not None:
        return f"it is a section: name a key in it, such as {key}.{next(iter(section.model_fields))}"
    return ""


def hint(section: type[BaseModel], part: str) -> str:
    """What was meant by a key that a section has not: `did you mean 'epochs'?`, or all its keys."""
    known = sorted(section.model_fields)
    close = difflib.get_close_matches(part, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"allowed here: {', '.join(known)}"


def _section(annotation: Any) -> type[BaseModel] | None:
    candidates = (annotation, *(get_args(annotation) if get_origin(annotation) not in (tuple, list, dict) else ()))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _takes(annotation: Any, part: str) -> bool:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (tuple, list):
        # (float, float) has two places, (float, ...) any number.
        return part.isdigit() and (... in args or origin is list or int(part) < len(args))
    return origin is not None and isinstance(origin, type) and issubclass(origin, Mapping)
