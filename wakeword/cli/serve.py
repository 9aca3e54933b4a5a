"""`wakeword serve BUNDLE` and `wakeword dashboard [BUNDLE]`."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from wakeword.cli.options import Bundle, Overrides, path, path_argument, read_config, value
from wakeword.system.endpoint import served

_CONFIG = "YAML recipe, of which runs_dir and the sections serving, compute and tracking are used"
RecipeOption = Annotated[str | None, path("CONFIG", _CONFIG)]
Host = Annotated[str | None, value("HOST", "address to listen on, same as serving.host=HOST")]


def serve(
    bundle: Bundle,
    overrides: Overrides,
    config: RecipeOption = None,
    host: Host = None,
    port: Annotated[int | None, value("PORT", "same as serving.port=PORT")] = None,
    dashboard: Annotated[bool, Option("--dashboard", help="serve the dashboard too, at /ui")] = False,
) -> None:
    """Serve a bundle over WebSocket (/v1/stream) on Ray Serve, until Ctrl-C."""
    from wakeword.runtime.bundle import load_bundle

    labels = load_bundle(bundle).labels
    # A config without words is invalid: use those of the bundle.
    words = [] if config else ["words=[" + ", ".join(f"{{label: {label}}}" for label in labels) + "]"]
    mounted = ["serving.dashboard=true"] if dashboard else []
    settings = [*overrides, *words, *_overrides(host=host, port=port), *mounted]
    served("app").run(read_config(config, settings), bundle)


def dashboard(
    *,
    bundle: Annotated[str | None, path_argument("BUNDLE", "added to the bundles of the runs")] = None,
    overrides: Overrides,
    config: RecipeOption = None,
    host: Host = None,
    port: Annotated[int | None, value("PORT", "same as serving.dashboard_port=PORT")] = None,
) -> None:
    """Show runs, reports and live detection in the browser, in one process without Ray."""
    from wakeword.runtime.bundle import load_bundle

    if bundle:
        load_bundle(bundle)  # raises BundleError for a damaged bundle
    # A config without words is invalid; the dashboard uses those of each run and bundle.
    words = [] if config else ["words=[{label: any}]"]
    settings = [*overrides, *words, *_overrides(host=host, dashboard_port=port)]
    served("dashboard.launch").run_dashboard(read_config(config, settings), bundle)


def _overrides(**values: str | int | None) -> list[str]:
    return [f"serving.{name}={value}" for name, value in values.items() if value is not None]
