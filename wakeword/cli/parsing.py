"""Parsing of command lines: options, arguments and `key=value` overrides in any order; help in groups."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from typer.core import TyperCommand, TyperGroup

OVERRIDE = re.compile(r"[A-Za-z_][\w.]*=")
"""The start of an override of a recipe, such as `training.epochs=5`."""


class Command(TyperCommand):
    """A command with arguments and overrides in any order; arguments may be given by name.

    `wakeword train training.epochs=4 recipe.yaml` equals `wakeword train --config recipe.yaml training.epochs=4`. An
    option whose metavar ends in `…` takes all values up to the next option: `--compare A B`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reorder the command line for Typer and parse it without the overrides."""
        ordered, overrides = self._ordered(ctx, args)
        rest = super().parse_args(ctx, ordered)
        if overrides:
            ctx.params["overrides"] = [*ctx.params["overrides"], *overrides]
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, by their names in the usage line, then options."""
        for heading, kind in (("Arguments", "argument"), ("Options", "option")):
            records = [(p, p.get_help_record(ctx)) for p in self.get_params(ctx) if p.param_type_name == kind]
            if rows := [(p.metavar if kind == "argument" else row[0], row[1]) for p, row in records if row]:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def _ordered(self, ctx: Any, args: list[str]) -> tuple[list[str], list[str]]:
        options = {name: p for p in self.params if p.param_type_name == "option" for name in p.opts}
        single = {p.name: p for p in self.params if p.param_type_name == "argument" and p.nargs == 1}
        overridable = any(p.name == "overrides" for p in self.params if p.param_type_name == "argument")
        first: list[str] = []
        positions: list[str] = []
        overrides: list[str] = []
        named: dict[str, str] = {}
        rest = list(args)
        while rest:
            text = rest.pop(0)
            name, given, value = text.partition("=")
            if text == "--":
                positions += rest
                break
            if name.startswith("--") and name not in options and name[2:] in single:
                if not given and not rest:
                    ctx.fail(f"Option {name!r} requires an argument.")
                named[name[2:]] = value if given else rest.pop(0)
            elif text.startswith("-") and text != "-":
                first.append(text)
                if (option := options.get(name)) and not given:
                    first += _values(option, name, rest)
            elif overridable and OVERRIDE.match(text) and not os.path.exists(text):
                overrides.append(text)
            else:
                positions.append(text)
        lenient = ctx.resilient_parsing or not {"-h", "--help"}.isdisjoint(first)
        placed = _placed(single, named, positions, (lambda text: None) if lenient else ctx.fail)
        return [*first, "--", *placed], overrides


def _placed(
    single: dict[str, Any], named: dict[str, str], positions: list[str], fail: Callable[[str], Any]
) -> list[str]:
    """Arguments in declared order: those given by name, and the others from left to right."""
    free = list(positions)
    placed = []
    for name, argument in single.items():
        if name in named:
            placed.append(named[name])
        elif free:
            placed.append(free.pop(0))
        elif argument.required:
            fail(f"Missing argument {argument.metavar}: give it as it is, or as --{name} {argument.metavar}.")
    return [*placed, *free]


def _values(option: Any, name: str, rest: list[str]) -> list[str]:
    """Remove the values of an option from `rest`; the option's name precedes each further value."""
    if option.is_flag or not rest:
        return []
    taken = [rest.pop(0)]
    while option.metavar and option.metavar.endswith("…") and rest and not rest[0].startswith("-"):
        taken += [name, rest.pop(0)]
    return taken


class Group(TyperGroup):
    """Lists commands by panel in plain text; rich takes 0.2 s to load."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section per panel, in the order of registration."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            if not command.hidden:
                panel = getattr(command, "rich_help_panel", None) or "Commands"
                panels.setdefault(panel, []).append((name, command.get_short_help_str(200)))
        width = max(len(name) for rows in panels.values() for name, _ in rows)
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])
