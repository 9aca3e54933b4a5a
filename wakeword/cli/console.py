"""Output of commands: tables and next commands, as plain text where the stream is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; the caller formats numbers."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        print(plain_table(title, columns, cells))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in cells:
        table.add_row(*map(Text, row))  # brackets in a plain string would be markup
    Console().print(table)


def plain_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as text with aligned columns, for files and pipes."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    lines = [columns, ["-" * width for width in widths], *rows]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([f"\n{title}", *text])


def print_next(*commands: str) -> None:
    """Print the commands to run next."""
    print("\nnext:", *(f"  {command}" for command in commands), sep="\n")


def overwrite_line(text: str) -> None:
    """Replace the current line of a terminal; print nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
