"""Jinja2 templates to HTML text: everything is escaped, an absent value is an error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PLOT_OPTIONS = {"displayModeBar": False, "responsive": True}


def render(template: str, **values: Any) -> str:
    """The HTML text of a page.

    Args:
        template: name of a file in `wakeword/pages/templates`, such as `sweep.html.j2`.
        values: what the template lays out: text and numbers (escaped there), lists, dictionaries, dataclasses, and
            plotly figures for its `plot` macro.

    Raises:
        jinja2.TemplateNotFound: there is no such template.
        jinja2.UndefinedError: the template needs a value that is not given.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("wakeword.pages"),
        autoescape=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plotly"] = _plotly
    environment.globals["plotly_script"] = _plotly_script
    return environment


def _plotly(figure: go.Figure) -> Markup:
    """A figure as HTML; plotly escapes the texts in it."""
    return Markup(
        figure.to_html(full_html=False, include_plotlyjs=False, config=_PLOT_OPTIONS, default_width="100%").strip()
    )


def _plotly_script() -> Markup:
    """Plotly's own script, 4 MB: the base template puts it into a page once."""
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())
