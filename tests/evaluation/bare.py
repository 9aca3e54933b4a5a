"""`evaluate` and `evaluate_scores` without figures and page, which take ten times as long as small evaluations."""

from __future__ import annotations

from functools import partial

from wakeword.evaluation import evaluate as whole

evaluate = partial(whole.evaluate, page=False)
evaluate_scores = partial(whole.evaluate_scores, page=False)
