"""The configuration: `load_config(path, overrides) -> Config`, one pydantic tree for all stages.

Names are imported on first use, since building the tree takes 12 MiB and a device that runs a bundle needs only the
sample rate.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from wakeword.config.frontend import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from wakeword.config.loading import (
        config_hash,
        config_schema,
        config_yaml,
        load_config,
        save_config,
        validate_config,
    )
    from wakeword.config.schema import Config, WordConfig

_HOMES = {"Config": "schema", "WordConfig": "schema"}

__all__ = [
    "SAMPLE_RATE_HZ",
    "Config",
    "WordConfig",
    "config_hash",
    "config_schema",
    "config_yaml",
    "load_config",
    "save_config",
    "validate_config",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'loading')}"), name)
