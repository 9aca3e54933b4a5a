"""One pydantic tree for every stage: `load_config(path, overrides) -> Config`."""

from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.config.loading import (
    config_hash,
    config_schema,
    config_yaml,
    load_config,
    save_config,
    validate_config,
)
from wakeword.config.schema import Config, WordConfig

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
