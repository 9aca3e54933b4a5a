"""Text that runs as a script in a page that does not escape it."""

from __future__ import annotations

HOSTILE = "<script>hacked()</script><img src=x onerror='hacked()'>"
"""Run, either half is an error of the page: there is no such function."""
ESCAPED = "&lt;script&gt;hacked()&lt;/script&gt;&lt;img src=x onerror=&#39;hacked()&#39;&gt;"


def assert_escaped(page: str) -> None:
    """`HOSTILE` is in the page, as text alone."""
    assert "<script>hacked" not in page
    assert "<img src=x" not in page
    assert ESCAPED in page
