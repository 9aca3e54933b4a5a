"""The search space: ranges of config keys, their suggestions by Optuna, and the config of a trial."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wakeword.config import Config, validate_config
from wakeword.config.model import ModelConfig
from wakeword.config.tuning import RangeConfig
from wakeword.errors import ConfigError

if TYPE_CHECKING:
    import optuna

Param = str | int | float | bool | None
"""A value as Optuna stores it."""

SEARCHABLE = ("frontend", "model", "augmentation", "training", "distillation")
"""Sections that training reads; a key of another section would have no effect."""

_FIXED = {
    "training.epochs": "all trials need the same number of epochs to be comparable",
    "training.keep_checkpoints": "it does not change the weights",
    **{
        f"distillation.{name}": "the teacher's targets are made once for all trials"
        for name in ("teacher", "views", "layers", "layer_weights", "batch_s", "gpus")
    },
}


@dataclass(frozen=True)
class Dimension:
    """One key of the space."""

    key: str
    range: RangeConfig

    def suggest(self, trial: optuna.Trial) -> Param:
        """Draw this key's value (or read it, in a resumed trial), in the form that the study stores."""
        if self.range.type == "choice":
            return trial.suggest_categorical(self.key, [self.store(value) for value in self.range.values])
        low, high = self._ends()
        if self.range.type == "int":
            return trial.suggest_int(self.key, int(low), int(high))
        return trial.suggest_float(self.key, low, high, log=self.range.type == "loguniform")

    def store(self, value: Any) -> Param:
        """The form of a config value that the study can store: lists become JSON text."""
        return json.dumps(value) if isinstance(value, list | tuple | dict) else value

    def restore(self, param: Param) -> Any:
        """The config value of a stored parameter; the inverse of `store`."""
        if self.range.type != "choice":
            return param
        return next((_plain(value) for value in self.range.values if self.store(value) == param), param)

    def holds(self, value: Any) -> bool:
        """Whether a config value lies in the range."""
        if self.range.type == "choice":
            return self.store(value) in [self.store(allowed) for allowed in self.range.values]
        low, high = self._ends()
        return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

    def extremes(self) -> list[tuple[str, Any]]:
        """(name, value) of both ends or of each choice, all of which must be valid values of the key."""
        if self.range.type == "choice":
            return [(f"values.{index}", _plain(value)) for index, value in enumerate(self.range.values)]
        low, high = self._ends()
        whole = self.range.type == "int"
        return [("low", int(low) if whole else low), ("high", int(high) if whole else high)]

    def _ends(self) -> tuple[float, float]:
        low, high = self.range.low, self.range.high
        assert low is not None, "RangeConfig has checked it"
        assert high is not None, "RangeConfig has checked it"
        return low, high


def build_space(config: Config) -> dict[str, Dimension]:
    """The space of `tuning.space`; every end of every range is validated in the config.

    Raises:
        ConfigError: the space is empty, a key is unknown or does not affect training, or an end of a range is no valid
            value. The message names path and value.
    """
    if not config.tuning.space:
        raise ConfigError(
            "tuning.space is empty: name the keys to search, such as "
            "{training.learning_rate: {type: loguniform, low: 0.0001, high: 0.01}}"
        )
    space = {key: Dimension(key, entry) for key, entry in config.tuning.space.items()}
    for key, dimension in space.items():
        _require_searchable(key)
        for name, value in dimension.extremes():
            apply(config, {key: value}, where=f"tuning.space.{key}.{name} = {value!r}")
    return space


def _require_searchable(key: str) -> None:
    section = key.partition(".")[0]
    if section in Config.model_fields and section not in SEARCHABLE:
        raise ConfigError(
            f"tuning.space.{key} cannot be searched: trials share one set of prepared clips and differ in training "
            f"only; searchable sections: {', '.join(SEARCHABLE)}"
        )
    if key in _FIXED:
        raise ConfigError(f"tuning.space.{key} cannot be searched: {_FIXED[key]}")


def apply(config: Config, sample: Mapping[str, Any], where: str = "sample") -> Config:
    """The config with the sample's values in place of its own, validated as a whole.

    Args:
        config: source of all other values.
        sample: dotted key to config value; a number in a key is an index of a list (`augmentation.speed.0`).
        where: the start of an error message.

    Raises:
        ConfigError: a key is unknown or a value invalid.
    """
    tree = config.model_dump(mode="json")
    if sample.get("model.family", config.model.family) != config.model.family:
        # Keys of the other family are not those of this one.
        tree["model"] = {name: value for name, value in tree["model"].items() if name in ModelConfig.model_fields}
    for key, value in sample.items():
        _place(tree, key, value, where)
    return validate_config(tree, where)


def value_at(config: Config, key: str) -> Any:
    """The config's own value of a dotted key; lists as plain lists.

    Raises:
        ConfigError: there is no such key.
    """
    node: Any = config.model_dump(mode="json")
    for part in key.split("."):
        node = _step(node, part, key, "config")
    return node


def leaf_differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """(dotted key, old value, new value) of every leaf in which two plain config trees differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from leaf_differences(f"{path}.{key}" if path else key, old.get(key), new.get(key))
    elif old != new:
        yield path, old, new


def _place(tree: dict[str, Any], key: str, value: Any, where: str) -> None:
    *parents, leaf = key.split(".")
    node: Any = tree
    for part in parents:
        if isinstance(node, dict):
            # Validation refuses an unknown section and suggests a name.
            node.setdefault(part, {})
        node = _step(node, part, key, where)
    if isinstance(node, dict):
        node[leaf] = value
    else:
        _step(node, leaf, key, where)
        node[int(leaf)] = value


def _step(node: Any, part: str, key: str, where: str) -> Any:
    if isinstance(node, dict) and part in node:
        return node[part]
    if isinstance(node, list) and part.isdigit() and int(part) < len(node):
        return node[int(part)]
    raise ConfigError(f"{where}: {key} is no config field: there is no {part!r} in it")


def _plain(value: Any) -> Any:
    return [_plain(member) for member in value] if isinstance(value, list | tuple) else value
