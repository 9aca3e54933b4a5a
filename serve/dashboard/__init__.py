"""The Gradio dashboard: one file per tab; what a tab shows is computed in modules without a user interface."""

from __future__ import annotations

import os

# Gradio reads it when it is imported, and would report every launch to its makers.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
