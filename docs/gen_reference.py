"""Reference pages made from the code while the site is built: a hook of mkdocs, see `hooks` in mkdocs.yml.

`reference/cli.md` comes from the commands, `reference/config.md` from the configuration's schema, `reference/api/*.md`
from the docstrings. None of them is stored in the repository.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

ROOT = Path(__file__).resolve().parent.parent
# Modules below `docs/` are found by mkdocs; the package itself may be that of another checkout.
sys.path.insert(0, str(ROOT))

API: dict[str, tuple[str, ...]] = {
    "runtime": (
        "wakeword.runtime.bundle",
        "wakeword.runtime.manifest",
        "wakeword.runtime.detector",
        "wakeword.runtime.verifier",
        "wakeword.runtime.fusion",
        "wakeword.runtime.slots",
    ),
    "configuration": ("wakeword.config.loading", "wakeword.errors"),
    "pipeline": ("wakeword.pipeline",),
    "audio": ("wakeword.audio.io", "wakeword.audio.frontend", "wakeword.audio.augment.augmenter"),
    "data": (
        "wakeword.data.prepare",
        "wakeword.data.shards",
        "wakeword.data.manifest",
        "wakeword.data.sources.registry",
        "wakeword.data.sources.listing",
        "wakeword.data.synthesis",
        "wakeword.data.synthesis.engine",
        "wakeword.stages.stage",
    ),
    "models": (
        "wakeword.models.registry",
        "wakeword.models.families",
        "wakeword.models.blocks",
        "wakeword.models.sequence.recurrence",
        "wakeword.models.sequence.attention",
        "wakeword.models.streaming",
        "wakeword.models.cost",
    ),
    "training": ("wakeword.training.loop", "wakeword.training.checkpoint", "wakeword.tuning.search"),
    "evaluation": (
        "wakeword.evaluation.evaluate",
        "wakeword.evaluation.analyse",
        "wakeword.evaluation.compare",
        "wakeword.evaluation.results",
    ),
    "export": ("wakeword.export.bundle", "wakeword.export.verify"),
    "serving": ("serve.client",),
}
"""Page of the API reference to the modules that it shows."""


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages (an event of mkdocs)."""
    from mkdocs.structure.files import File

    for uri, text in pages().items():
        files.append(File.generated(config, uri, content=text))
    return files


def pages() -> dict[str, str]:
    """Path below `docs/` to the text of each generated page."""
    made = {"reference/cli.md": cli_page(), "reference/config.md": config_page()}
    for title, modules in API.items():
        made[f"reference/api/{title}.md"] = api_page(title, modules)
    return made


# The command line


def cli_page() -> str:
    """Every command with its arguments, options and defaults."""
    from typer.main import get_command

    from wakeword.cli import main as cli

    parts = [
        "# Command line\n",
        "Generated from the code. `wakeword COMMAND --help` prints the same. Commands that take a recipe also take"
        " overrides, `key=value`, at any place after it: see [configuration](config.md).\n",
    ]
    return "\n".join([*parts, *click_sections(get_command(cli.app), "wakeword")])


def click_sections(command: Any, path: str) -> Iterator[str]:
    """Sections of a Typer command and of all commands below it; those of one help panel follow each other."""
    children = getattr(command, "commands", {})
    if path != "wakeword":
        yield _heading(path)
        yield _prose(command.help or "")
    rows = [_parameter_row(parameter) for parameter in command.params if not parameter.hidden]
    if rows and not children:
        yield _table(("argument", "value", "meaning", "default"), rows)
    for name, child in children.items():
        if not child.hidden:
            yield from click_sections(child, f"{path} {name}")


def _parameter_row(parameter: Any) -> tuple[str, ...]:
    is_option = parameter.param_type_name == "option"
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    name = names if is_option else (parameter.metavar or parameter.name.upper())
    annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    flag = is_option and parameter.is_flag
    value = (parameter.metavar or ("" if flag else _type_text(annotation))) if is_option else ""
    default = getattr(parameter.default, "value", parameter.default)
    told = is_option and default not in (None, "", (), [], False) and not callable(default)
    return f"`{name}`", value, parameter.help or "", f"`{default}`" if told else ""


# The configuration


def config_page() -> str:
    """Every key of a recipe with its type, limits, default and meaning."""
    from wakeword.config.schema import Config

    return "\n".join(
        [
            "# Configuration\n",
            "Generated from the schema (`wakeword.config`). A recipe is a YAML file with these keys; what it leaves out"
            " has its default. An override on the command line is a dotted key: `training.epochs=5`,"
            " `data.sources.0.limit=100`. An unknown key is an error that names the nearest known one."
            " `wakeword config show RECIPE` prints a recipe with every default, `wakeword config schema` the JSON"
            " schema for editors.\n",
            *config_sections(Config, ""),
        ]
    )


def config_sections(model: Any, path: str) -> Iterator[str]:
    """A table of the section's keys, one of the keys of each of its kinds, then the sections inside it."""
    yield from _fields(model, path, model.model_fields)
    kinds = model.kinds()[1:] if hasattr(model, "kinds") else ()
    for kind in kinds:
        first = next(iter(kind.model_fields))
        yield _heading(f"{path}, {first}: {kind.model_fields[first].default}")
        yield _prose(inspect.getdoc(kind) or "")
        own = {name: field for name, field in kind.model_fields.items() if name not in model.model_fields}
        yield from _fields(kind, path, own)


def _fields(model: Any, path: str, fields: Mapping[str, Any]) -> Iterator[str]:
    rows, inner = [], []
    for name, field in fields.items():
        key = f"{path}.{name}" if path else name
        found = section_in(field.annotation)
        if found is not None:
            inner.append((f"{key}{found[1]}", found[0]))
            if not found[1]:
                continue
        default = "required" if field.is_required() else f"`{_default(field.get_default(call_default_factory=True))}`"
        rows.append(
            (f"`{name}`", _type_text(field.annotation), _limits(field.metadata), default, field.description or "")
        )
    if rows:
        yield _table(("key", "type", "limits", "default", "meaning"), rows)
    for key, section in inner:
        yield _heading(key)
        yield _prose(inspect.getdoc(section) or "")
        yield from config_sections(section, key)


def section_in(annotation: Any) -> tuple[Any, str] | None:
    """The section that a key holds, and `[]` or `.NAME` where it holds several by number or name."""
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, args = get_origin(annotation), get_args(annotation)
    for part in args:
        if isinstance(part, type) and issubclass(part, BaseModel):
            named = isinstance(origin, type) and issubclass(origin, Mapping)
            return part, ".NAME" if named else "[]"
    return None


def _type_text(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(str(choice.value) for choice in annotation)
    if origin is None:
        return getattr(annotation, "__name__", str(annotation))
    if "Literal" in str(origin):
        return ", ".join(f"`{value}`" for value in args)
    if origin is tuple:
        inner = [part for part in args if part is not ...]
        return f"list of {_type_text(inner[0])}" if ... in args else f"[{', '.join(map(_type_text, inner))}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {_type_text(args[0])} to {_type_text(args[1])}"
    if "Annotated" in str(origin):
        return _type_text(args[0])
    return " or ".join(_type_text(part) for part in args)


def _limits(metadata: list[Any]) -> str:
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "at least", "max_length": "at most"}
    found = [(signs[name], getattr(one, name)) for one in metadata for name in signs if hasattr(one, name)]
    pattern = [str(one.pattern) for one in metadata if getattr(one, "pattern", None)]
    return ", ".join(
        [*(f"{sign} {value:g}" for sign, value in found if value is not None), *(f"`{p}`" for p in pattern)]
    )


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        text = "[" + ", ".join(_default(one) for one in value) + "]"
        return text if len(text) < 90 else f"[{len(value)} entries]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_default(one)}" for key, one in value.items()) + "}"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return '""' if value == "" else str(value)


# The API


def api_page(title: str, modules: tuple[str, ...]) -> str:
    """The docstrings of these modules, those that are there."""
    parts = [f"# API: {title}\n"]
    parts += [f"::: {module}\n" for module in modules if importlib.util.find_spec(module) is not None]
    return "\n".join(parts)


def _heading(title: str) -> str:
    return f"## {title}\n"


def _prose(text: str) -> str:
    return textwrap.dedent(text).strip().replace("<", "&lt;") + "\n"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
