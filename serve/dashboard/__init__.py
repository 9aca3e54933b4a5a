"""The Gradio dashboard: one file per tab; the contents are computed in modules without a user interface."""

from __future__ import annotations

import os

# Gradio reads this on import; otherwise it reports every launch to its makers.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
