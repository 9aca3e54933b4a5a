"""What commands print: tables, the next command. Plain text where rich is not installed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; numbers are the caller's to format."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            table = Table(title=title, title_justify="left", header_style="bold")
            for column in columns:
                table.add_column(column)
            for row in cells:
                # Text: brackets in paths and reasons are no markup.
                table.add_row(*(Text(cell) for cell in row))
            Console().print(table)
            return
    print(plain_table(title, columns, cells))


def plain_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table as text with aligned columns, for files, pipes and core installs."""
    lines = [list(columns), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([f"\n{title}", *text])


def print_next(*commands: str) -> None:
    """What to type next."""
    print("\nnext:", *(f"  {command}" for command in commands), sep="\n")


def print_peak(gib: float) -> None:
    """The memory that the command needed at most, over all its processes."""
    print(f"\npeak memory {gib:.2f} GiB (all processes of this command)")
