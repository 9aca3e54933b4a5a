"""Rendering of Jinja2 templates: all values are escaped, and a missing value is an error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

if TYPE_CHECKING:
    import plotly.graph_objects as go

_PLOT_OPTIONS = {"displayModeBar": False, "responsive": True}


def render(template: str, **values: Any) -> str:
    """Render a page as HTML text.

    Args:
        template: name of a file in `wakeword/pages/templates`, such as `sweep.html.j2`.
        values: values of the template's variables: text, numbers, lists, dictionaries, dataclasses, and plotly figures
            for the `plot` macro.

    Raises:
        jinja2.TemplateNotFound: there is no such template.
        jinja2.UndefinedError: the template uses a value that is missing.
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
    """A figure as HTML; plotly escapes its texts."""
    return Markup(
        figure.to_html(full_html=False, include_plotlyjs=False, config=_PLOT_OPTIONS, default_width="100%").strip()
    )


def _plotly_script() -> Markup:
    """Plotly's script, 4 MB, which the base template includes once."""
    from plotly.offline import get_plotlyjs

    return Markup(get_plotlyjs())
