"""All model families by name. A new family is a module that is imported here."""

from __future__ import annotations

import difflib

from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models import (  # noqa: F401  (importing registers them)
    bc_resnet,
    ds_cnn,
    ds_tcn,
    matchboxnet,
    mdtc,
    mixednet,
    mobilenet_v3,
    resnet18,
    speech_embedding,
    tc_resnet,
    tcn,
)
from wakeword.models.registry import FAMILIES, KeywordModel
from wakeword.models.sequence import conformer, crnn, recurrent, transformer  # noqa: F401  (as above)


def families() -> list[str]:
    """Names of all registered families."""
    return sorted(FAMILIES)


def family_of(name: str) -> type[KeywordModel]:
    """The class of a family.

    Raises:
        ConfigError: the name is unknown.
    """
    known = families()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"model.family = {name!r} is unknown; {hint}known: {', '.join(known)}")
    return FAMILIES[name]


def build_model(config: ModelConfig, n_mels: int, words: int) -> KeywordModel:
    """Build the configured network.

    Raises:
        ConfigError: the family is unknown, or does not support this number of mels, stride or heads.
    """
    family = family_of(config.family)
    if config.heads > 1 and not family.ENSEMBLE:
        raise ConfigError(f"model.heads = {config.heads}: the family {config.family} has one head; leave it at 1")
    return family(config.of_family(), n_mels, words)
