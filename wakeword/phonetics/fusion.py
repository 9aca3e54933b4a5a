"""The fusion map that the package ships: it does not depend on the phrase, so every export takes it."""

from __future__ import annotations

from importlib import resources

from pydantic import ValidationError

from wakeword.errors import DataError
from wakeword.runtime.fusion import FusionMap

SHIPPED = "fusion.json"


def shipped_fusion() -> FusionMap:
    """The map of `fusion.json` in this folder, which states how it was made.

    Raises:
        DataError: the file is damaged.
    """
    file = resources.files(__package__) / SHIPPED
    try:
        return FusionMap.model_validate_json(file.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise DataError(f"{file} is damaged ({key}: {first['msg']}): install wakeword again") from error
