"""Templates: everything is escaped, what is absent is an error, and the page holds plotly's script once."""

from __future__ import annotations

from importlib.resources import files

import jinja2
import plotly.graph_objects as go
import pytest

from tests.pages.hostile import HOSTILE, assert_escaped
from wakeword.pages.page import _environment, render


def of_macros(text: str, **values: object) -> str:
    start = '{% from "macros.html.j2" import section, table, plot, note, items, verdict, folded, player %}'
    return _environment().from_string(start + text).render(**values)


@pytest.mark.parametrize(
    "text",
    [
        "{% call section(bad) %}{{ bad }}{% endcall %}",
        "{{ table([bad], [[bad]]) }}",
        "{{ plot(none, bad) }}",
        "{{ note(bad) }}",
        "{{ items([bad]) }}",
        "{{ verdict(bad, true, bad) }}",
        "{% call folded(bad) %}{{ bad }}{% endcall %}",
    ],
)
def test_every_part_escapes_its_text(text) -> None:
    assert_escaped(of_macros(text, bad=HOSTILE))


def test_a_player_keeps_its_address_in_one_attribute() -> None:
    assert 'src="&#34;onerror=&#34;"' in of_macros("{{ player(bad) }}", bad='"onerror="')


def test_a_figure_cannot_end_its_script() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1], name=HOSTILE))
    page = of_macros("{{ plot(figure, '') }}", figure=figure)
    assert page.count("<script") == page.count("</script>") == 1


def test_long_cells_break_and_marked_rows_stand_out() -> None:
    page = of_macros("{{ table(['a', 'b'], [['x', long], [1, 2.5]], [1]) }}", long="y" * 45)
    assert f'<tr><td>x</td><td class="text">{"y" * 45}</td></tr>' in page
    assert '<tr class="main"><td>1</td><td>2.5</td></tr>' in page


def test_the_base_page_holds_the_script_once_and_names_what_is_absent() -> None:
    page = render("base.html.j2", title=HOSTILE, heading=HOSTILE, subtitle=HOSTILE)
    assert page.startswith("<!doctype html>")
    assert_escaped(page)
    assert page.count("<script>/**\n* plotly.js") == 1
    with pytest.raises(jinja2.UndefinedError, match="subtitle"):
        render("base.html.j2", title="", heading="")
    with pytest.raises(jinja2.TemplateNotFound):
        render("absent.html.j2")


def test_no_template_switches_escaping_off() -> None:
    templates = [path for path in files("wakeword.pages").joinpath("templates").iterdir() if ".j2" in path.name]
    assert {"base.html.j2", "macros.html.j2"} <= {path.name for path in templates}
    for path in templates:
        text = path.read_text(encoding="utf-8")
        assert "safe" not in text, path.name
        assert "autoescape" not in text, path.name
