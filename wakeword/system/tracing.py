"""Traces of calls in Weave: inputs, a summary of the result, duration and error."""

from __future__ import annotations

import functools
import inspect
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from wakeword.errors import MissingExtraError, RunError

P = ParamSpec("P")
R = TypeVar("R")
_LOG = logging.getLogger(__name__)


def traced(
    project: Callable[[Mapping[str, Any]], str],
    inputs: Callable[[Mapping[str, Any]], dict[str, Any]],
    output: Callable[[Any], dict[str, Any]],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: trace the calls of a function to the Weave project that `project` returns.

    Weave has no offline mode: with WANDB_MODE=offline or disabled, or WEAVE_DISABLED=true, the function runs without a
    trace and a warning is logged.

    Args:
        project: returns `project` or `entity/project` from the call's arguments by name, or empty for no trace.
        inputs: returns the JSON-ready inputs of the trace from the arguments.
        output: returns the JSON-ready output of the trace from the result.

    Raises:
        MissingExtraError: (by the call) Weave is not installed.
        RunError: (by the call, before the function runs) the project cannot be opened.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            name = project(bound.arguments)
            if not name or _switched_off(name):
                return function(*args, **kwargs)
            recorded, results = inputs(bound.arguments), []

            def run() -> dict[str, Any]:
                results.append(function(*args, **kwargs))
                return output(results[0])

            with _open_project(name) as weave:
                # Without a copy of the source code.
                weave.op(
                    run, name=function.__name__, enable_code_capture=False, postprocess_inputs=lambda _: recorded
                )()
            return results[0]

        return call

    return decorate


def _switched_off(project: str) -> bool:
    for variable, values in (("WANDB_MODE", ("offline", "dryrun", "disabled")), ("WEAVE_DISABLED", ("true", "1"))):
        value = os.environ.get(variable, "").lower()
        if value in values:
            _LOG.warning("%s=%s: nothing is traced to the Weave project %s", variable, value, project)
            return True
    return False


@contextmanager
def _open_project(project: str) -> Iterator[Any]:
    """Weave with an open project; traces are sent before the block ends."""
    try:
        import weave
        from weave.wandb_interface.context import get_wandb_auth_context
    except ImportError as error:
        raise MissingExtraError("tracking.weave_project", "tracking", error) from error
    repair = "repair that, set WANDB_MODE=offline to run without traces, or leave tracking.weave_project empty"
    # Without a key Weave would prompt for one, even without a terminal.
    if get_wandb_auth_context() is None:
        raise RunError(
            f"tracking.weave_project = {project}: no key for Weights & Biases: run `wandb login`, or {repair}"
        )
    try:
        weave.init(project, settings={"print_call_link": False, "implicitly_patch_integrations": False})
    except Exception as error:
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise RunError(f"tracking.weave_project = {project} cannot be opened ({detail}): {repair}") from error
    try:
        yield weave
    finally:
        weave.finish()
