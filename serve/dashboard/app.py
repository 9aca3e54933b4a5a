"""The dashboard as one Gradio application, alone or beside the endpoint."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr
from fastapi import FastAPI

from ..auth import Token
from .detect_tab import build_detect_tab
from .microphone_tab import build_microphone_tab
from .report_tab import build_report_tab
from .runs_tab import build_runs_tab
from .settings import DashboardSettings

_CSS = """
.gradio-container {width: 100% !important; max-width: 1180px !important; margin: 0 auto !important}
main, .main {width: 100% !important}
#title h1 {margin: 0.2em 0 0; font-size: 1.5rem}
#title p {margin: 0; color: var(--body-text-color-subdued)}
footer {display: none !important}
"""


def build_dashboard(settings: DashboardSettings) -> gr.Blocks:
    """All tabs."""
    with gr.Blocks(title="wakeword", analytics_enabled=False) as page:
        gr.Markdown("# wakeword\nRuns, reports, and live detection.", elem_id="title")
        for title, build in (
            ("Runs", build_runs_tab),
            ("Report", build_report_tab),
            ("Detect", build_detect_tab),
            ("Microphone", build_microphone_tab),
        ):
            with gr.Tab(title):
                build(settings, page)
    return page


def mount_dashboard(settings: DashboardSettings, token: str | None) -> FastAPI:
    """A FastAPI application with the dashboard at its root; a `root_path` that the server sets is honoured.

    Args:
        token: the password of the login, with any user name; None means no login.
    """
    login: Callable[[str, str], bool] | None = None
    if token is not None:
        secret = Token(token, "environment")

        def login(user: str, password: str) -> bool:
            return secret.matches(password)

    return gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        build_dashboard(settings),
        path="/",
        auth=login,
        auth_message="Any user name; the password is the endpoint's token." if login else None,
        allowed_paths=[],
        max_file_size=int(settings.max_upload_mb * 2**20),
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        footer_links=[],
        # Fonts of the system, so that the page loads nothing from other hosts.
        theme=gr.themes.Soft(
            primary_hue="indigo",
            neutral_hue="slate",
            font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ),
        css=_CSS,
    )
