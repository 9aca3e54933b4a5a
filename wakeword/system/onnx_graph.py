"""ONNX graphs as the exporter of torch writes them: fewer nodes, and no warnings about the exporter's own affairs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx_ir.passes.common as passes
import onnxscript.optimizer


def simplify(model: Any) -> None:
    """Fold constants and remove unused nodes, in place.

    The rewrite rules of onnxscript's full optimiser replace `x + 1e-8` by `x`: without the floor under the logarithm,
    digital silence gives NaN. ONNX Runtime fuses convolutions and norms when it loads the graph.
    """
    passes.InlinePass()(model)
    for _ in range(2):
        onnxscript.optimizer.fold_constants(model)
        passes.RemoveUnusedNodesPass()(model)
    for clean in (
        passes.IdentityEliminationPass(),
        passes.RemoveUnusedNodesPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.RemoveUnusedFunctionsPass(),
        passes.RemoveUnusedOpsetsPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    ):
        clean(model)


@contextmanager
def quiet(logger: str | None) -> Iterator[None]:
    """Suppress the warnings of exporters about their internals and missing packages: those of `logger` and Python's."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
