"""All types of teachers, and the one that `distillation.teacher` names."""

from __future__ import annotations

import torch

from wakeword.config import Config
from wakeword.errors import ConfigError
from wakeword.system.files import user_path
from wakeword.teachers import ensemble, pretrained, runs, speech  # noqa: F401  (their types register themselves)
from wakeword.teachers.registry import TYPES, FeatureTeacher, Kind, Teacher, TeacherType


def open_teacher(config: Config, device: torch.device) -> Teacher | FeatureTeacher:
    """Open the teacher that `distillation.teacher` names.

    Raises:
        ConfigError: its type is unknown, or it does not fit: it lacks a word, its weights differ from its settings, it
            takes another sample rate.
        RunError: its run folder holds no trained model.
        MissingExtraError: its package is not installed.
    """
    found, argument = _type_of(config)
    return found.opener(argument, config, device)


def teacher_fingerprint(config: Config) -> str:
    """The fingerprint of the teacher that `distillation.teacher` names; its model is not loaded.

    Raises:
        ConfigError: its type is unknown.
        RunError: its run folder holds no trained model.
    """
    found, argument = _type_of(config)
    return found.fingerprint(argument, config)


def teacher_kind(config: Config) -> Kind:
    """Whether the teacher scores the words or has features of speech. Raises ConfigError for an unknown type."""
    return _type_of(config)[0].kind


def _type_of(config: Config) -> tuple[TeacherType, str]:
    spec = config.distillation.teacher
    name, colon, argument = spec.partition(":")
    if not colon and name not in TYPES:
        name, argument = "run", spec
    if name not in TYPES:
        raise ConfigError(
            f"distillation.teacher = {spec!r}: unknown type {name!r}; known: {', '.join(sorted(TYPES))} "
            "(a path alone is a run folder)"
        )
    settings = config.distillation
    if name != "transformers" and (settings.layers or settings.layer_weights):
        raise ConfigError(
            f"distillation.layers chooses hidden layers of a transformers teacher, and {spec} is none: leave it empty"
        )
    return TYPES[name], user_path(argument)
