"""Load a `Config` from YAML and `key.path=value` overrides, and save it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from wakeword.config.base import Section
from wakeword.config.keys import hint, renamed_key
from wakeword.config.schema import Config
from wakeword.errors import ConfigError, MissingExtraError
from wakeword.system.files import write_text


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("Reading a YAML config", "train", error) from error
    return yaml


def load_config(path: str | Path | None = None, overrides: list[str] | tuple[str, ...] = ()) -> Config:
    """Read a recipe, apply overrides such as `training.epochs=5`, and validate.

    Raises:
        ConfigError: the file is absent or not YAML, a key is unknown or renamed, or a value is not allowed.
    """
    tree: dict[str, Any] = {}
    where = "command line"
    if path is not None:
        where = str(path)
        tree = _read_yaml(Path(path))
        _refuse_renamed(tree, where)
    for override in overrides:
        apply_override(tree, override)
        _refuse_renamed(tree, f"override {override!r}")
    return validate_config(tree, where)


def _read_yaml(path: Path) -> dict[str, Any]:
    yaml = _yaml()
    if not path.is_file():
        raise ConfigError(f"config {path} does not exist: give the path of a YAML recipe, such as configs/demo.yaml")
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"config {path} must be a mapping of sections, found {type(tree).__name__}")
    return tree


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Set `key.path=value` (the value is YAML; list entries by number) in a plain tree, before validation.

    Raises:
        ConfigError: the override has no `=`, treats a value as a section, or has an index outside a list.
    """
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"override {override!r} must look like section.key=value, such as training.epochs=5")
    yaml = _yaml()
    try:
        # `key=` is an empty text, `key=null` no value.
        value = yaml.safe_load(text) if text.strip() else ""
    except yaml.YAMLError as error:
        raise ConfigError(f"override {override!r}: the value is not valid YAML") from error
    if isinstance(value, str):
        value = _number(value)
    node: Any = tree
    *parents, leaf = key.strip().split(".")
    for name in parents:
        node = _child(node, name, override)
    if isinstance(node, list):
        node[_index(node, leaf, override)] = value
    else:
        node[leaf] = value


def _number(text: str) -> Any:
    """Convert texts such as 1e-3, which YAML 1.1 does not read as numbers."""
    try:
        return float(text)
    except ValueError:
        return text


def _child(node: Any, name: str, override: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, name, override)]
    child = node.setdefault(name, {})
    if not isinstance(child, dict | list):
        raise ConfigError(f"override {override!r}: {name} is a value, not a section")
    return child


def _index(node: list[Any], name: str, override: str) -> int:
    if not name.isdigit() or int(name) >= len(node):
        raise ConfigError(f"override {override!r}: {name!r} is no index of a list with {len(node)} entries")
    return int(name)


def validate_config(tree: dict[str, Any], where: str = "config") -> Config:
    """Validate a plain tree.

    Raises:
        ConfigError: a key is unknown or renamed, or a value is not allowed; the message names every fault.
    """
    _refuse_renamed(tree, where)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        faults = "; ".join(_explain(fault, tree) for fault in error.errors())
        raise ConfigError(f"{where}: {faults}") from error


def _refuse_renamed(tree: dict[str, Any], where: str) -> None:
    if renamed := renamed_key(tree, Config):
        raise ConfigError(f"{where}: {renamed}: rename it")


def _explain(fault: Any, tree: dict[str, Any]) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        section = _section_at(fault["loc"][:-1], tree)
        return f"unknown key {path} = {fault['input']!r}; {hint(section.model_fields, str(fault['loc'][-1]))}"
    if fault["type"] == "missing":
        return f"{path} is required"
    message = fault["msg"].removeprefix("Value error, ")
    if not path:
        return message  # without the input, which is the whole tree
    return f"{path} = {fault['input']!r}: {message[:1].lower() + message[1:]}"


def _section_at(location: tuple[Any, ...], tree: Any) -> type[BaseModel]:
    model: Any = Config
    for part in location:
        # Parts that pydantic adds itself, such as the name of a type, are not in the tree.
        tree = dict(enumerate(tree) if isinstance(tree, list | tuple) else tree or {}).get(part)
        if isinstance(part, int) or part not in model.model_fields:
            continue  # an index of a list, or a key of a mapping
        annotation = model.model_fields[part].annotation
        inner = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = inner[0] if inner else annotation
        if isinstance(model, type) and issubclass(model, Section):
            model = model.kind_of(tree)
    return model


def config_yaml(config: Config) -> str:
    """The resolved config as YAML, every default written out."""
    return _yaml().safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


def save_config(config: Config, path: Path) -> None:
    """Write the resolved config atomically."""
    write_text(path, config_yaml(config))


def config_schema() -> dict[str, Any]:
    """JSON schema of the whole tree, for editors."""
    tree = Config.model_json_schema()
    for name, field in Config.model_fields.items():
        section = field.annotation
        kinds = section.kinds() if isinstance(section, type) and issubclass(section, Section) else ()
        if len(kinds) > 1:
            for kind in kinds:
                tree["$defs"][kind.__name__] = kind.model_json_schema()
            tree["properties"][name]["anyOf"] = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]
            tree["properties"][name].pop("$ref", None)
    return tree


def config_hash(*sections: BaseModel) -> str:
    """Hash of resolved sections, for the keys of cached artefacts."""
    text = json.dumps([section.model_dump(mode="json") for section in sections], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
