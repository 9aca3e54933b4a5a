"""What commands print: tables and the next command. Plain text where the stream is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; numbers are the caller's to format."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        print(plain_table(title, columns, cells))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in cells:
        # Text: brackets in paths and reasons are no markup.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def plain_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table as text with aligned columns, for files and pipes."""
    widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
    lines = [columns, ["-" * width for width in widths], *rows]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([f"\n{title}", *text])


def print_next(*commands: str) -> None:
    """Commands to run next."""
    print("\nnext:", *(f"  {command}" for command in commands), sep="\n")


def overwrite_line(text: str) -> None:
    """A line that takes the place of the one before, on a terminal; nothing elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def print_peak(gib: float) -> None:
    """The memory that the command needed at most, over all its processes."""
    print(f"\npeak memory {gib:.2f} GiB (all processes of this command)")
