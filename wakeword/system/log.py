"""Logging: readable text on a terminal, JSON lines otherwise; every line has the names of run and trial."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from wakeword.errors import MissingExtraError

if TYPE_CHECKING:
    from wakeword.config.tracking import TrackingConfig

# Packages whose informational lines are of no use to a user of this package.
NOISY = (
    "asyncio",
    "fsspec",
    "gradio",
    "h5py",
    "httpcore",
    "httpx",
    "matplotlib",
    "numba",
    "onnxscript",
    "onnx_ir",
    "optuna",
    "PIL",
    "ray",
    "torch.onnx",
    "tensorboardX",
    "urllib3",
)


_PROGRESS_FIELDS = ("task", "done", "total", "left_s")
"""Fields of `logging`'s `extra` that JSON lines contain; other packages add their own to every record."""


def configure_logging(tracking: TrackingConfig | None = None, stream: TextIO | None = None) -> None:
    """Send all loggers of this process to `stream` (stderr by default) in the configured format and level.

    Without structlog (a core install) the lines are plain text. A second call replaces the first set-up.
    """
    handler: logging.Handler = logging.StreamHandler(stream) if stream else _StderrHandler()
    stream = stream or sys.stderr
    level = (tracking.log_level if tracking else "info").upper()
    style = tracking.log_format if tracking else "auto"
    if style == "auto":
        style = "human" if stream.isatty() else "json"
    handler.setFormatter(_formatter(style, stream))
    root = logging.getLogger()
    for old in [h for h in root.handlers if getattr(h, "wakeword", False)]:
        root.removeHandler(old)
    handler.wakeword = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("wakeword").setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "DEBUG" else logging.ERROR)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.WARNING if level == "DEBUG" else logging.ERROR)


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the current `sys.stderr`, which rich replaces so that lines appear above a progress bar."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass


def _formatter(style: str, stream: TextIO) -> logging.Formatter:
    try:
        import structlog
    except ImportError:
        return logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    if style == "json":
        shared += [structlog.stdlib.ExtraAdder(_PROGRESS_FIELDS), structlog.processors.TimeStamper(fmt="iso", utc=True)]
        last: list[Any] = [
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(sort_keys=True, default=str),
        ]
    else:
        shared.append(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False))
        last = [structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # So that a later call changes existing loggers as well.
        cache_logger_on_first_use=False,
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def get_logger(name: str) -> Any:
    """A structlog logger below `wakeword`: `get_logger(__name__).info("epoch done", epoch=3)`.

    Raises:
        MissingExtraError: structlog is not installed; code of the core install uses `logging`.
    """
    try:
        import structlog
    except ImportError as error:
        raise MissingExtraError("Structured logging", "train", error) from error
    return structlog.stdlib.get_logger(name)


@contextmanager
def log_context(run: str, trial: str = "", **more: Any) -> Iterator[None]:
    """Bind the run's (and, in a sweep, the trial's) name to every line logged inside the block."""
    try:
        import structlog
    except ImportError:
        yield
        return
    bound = {"run": run, **({"trial": trial} if trial else {}), **more}
    with structlog.contextvars.bound_contextvars(**bound):
        yield
