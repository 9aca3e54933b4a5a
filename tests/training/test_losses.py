"""Where the loss demands high scores, low scores, or none."""

from __future__ import annotations

import pytest
import torch

from wakeword.training.losses import distillation_loss, peak_scores_of, score_times_s, wake_loss

TIMES = score_times_s(scores=100, context_samples=16_000, step_samples=320, sample_rate_hz=16_000)
END_S = torch.tensor([2.0])


def _loss(logits: torch.Tensor, target: float = 1.0, smoothing: float = 0.0, weight: float = 1.0) -> torch.Tensor:
    return wake_loss(logits, torch.tensor([[target]]), END_S, TIMES, smoothing, weight).total


def _peak_at(seconds: float, height: float = 8.0) -> torch.Tensor:
    logits = torch.full((1, 100, 1), -8.0)
    logits[0, (TIMES - seconds).abs() < 0.05, 0] = height
    return logits


def test_times_count_the_context() -> None:
    assert TIMES[0].item() == pytest.approx(1.0)
    assert TIMES[50].item() == pytest.approx(2.0)


def test_a_peak_at_the_words_end_has_the_lowest_loss() -> None:
    at_end = _loss(_peak_at(2.1))
    assert at_end < 0.01
    assert _loss(torch.full((1, 100, 1), -8.0)) > 5
    assert _loss(_peak_at(1.3)) > 10, "before the word: missed, and a false alarm"
    assert _loss(_peak_at(2.9)) > 5, "too late"


@pytest.mark.parametrize(("seconds", "counts"), [(1.85, False), (1.5, True), (2.6, False), (2.95, False)])
def test_scores_between_the_zones_are_free(seconds: float, counts: bool) -> None:
    logits = _peak_at(2.1).requires_grad_()
    _loss(logits).backward()
    index = int((TIMES - seconds).abs().argmin())
    assert bool(logits.grad is not None and logits.grad[0, index, 0] > 0) is counts


def test_negatives_push_every_score_down_and_the_hardest_most() -> None:
    logits = _peak_at(1.5, height=1.0).requires_grad_()
    _loss(logits, target=0.0).backward()
    gradient = logits.grad
    assert gradient is not None
    assert (gradient > 0).all()
    assert gradient.max() == gradient[0, int(logits.detach()[0, :, 0].argmax()), 0]
    assert gradient.max() > 10 * gradient.median()


def test_the_other_word_of_a_positive_is_a_negative() -> None:
    logits = torch.full((1, 100, 2), -8.0)
    logits[0, 50:55] = 8.0
    both = wake_loss(logits, torch.tensor([[1.0, 0.0]]), END_S, TIMES, 0.0, 1.0)
    assert both.negative > 3
    logits[:, :, 1] = -8.0
    assert wake_loss(logits, torch.tensor([[1.0, 0.0]]), END_S, TIMES, 0.0, 1.0).total < 0.01


def test_one_lone_score_is_no_peak() -> None:
    lone = torch.full((1, 100, 1), -8.0)
    lone[0, 55, 0] = 8.0
    assert _loss(lone) > 1


def test_smoothing_punishes_overconfidence() -> None:
    sure = _peak_at(2.1, height=30.0)
    assert _loss(sure, smoothing=0.05) > _loss(sure, smoothing=0.0) + 1


def test_negative_weight_scales_the_negative_part_only() -> None:
    logits = torch.zeros(1, 100, 1)
    one, three = (wake_loss(logits, torch.tensor([[1.0]]), END_S, TIMES, 0.0, weight) for weight in (1.0, 3.0))
    assert three.total - one.total == pytest.approx(2 * one.negative.item(), rel=1e-5)
    assert three.positive == one.positive


def test_a_word_whose_end_lies_outside_the_scores_costs_nothing_as_a_positive() -> None:
    terms = wake_loss(torch.zeros(1, 100, 1), torch.tensor([[1.0]]), torch.tensor([50.0]), TIMES, 0.0, 1.0)
    assert terms.positive == 0
    assert torch.isfinite(terms.total)


@pytest.mark.parametrize(("step_samples", "scores"), [(160, 8), (320, 4), (1280, 1), (2560, 1)])
def test_the_peak_lasts_as_long_at_any_step(step_samples: int, scores: int) -> None:
    assert peak_scores_of(step_samples, 16_000) == scores
    logits = torch.full((1, 100, 1), -20.0)
    logits[0, 50:54] = torch.tensor([8.0, 4.0, 2.0, 1.0])[:, None]
    loss = [wake_loss(logits, torch.tensor([[1.0]]), END_S, TIMES, 0.0, 0.0, count).total for count in (1, scores)]
    assert bool(loss[1] > loss[0]) is (scores > 1)


def test_equal_logits_have_a_distillation_loss_of_0() -> None:
    teacher = torch.randn(4, 30, 2) * 3
    assert distillation_loss(teacher, teacher, 2.0).item() == pytest.approx(0.0, abs=1e-6)
    assert distillation_loss(teacher + 1, teacher, 2.0) < distillation_loss(teacher + 3, teacher, 2.0)


def test_the_temperature_keeps_the_size_of_gradients() -> None:
    teacher = torch.full((1, 10, 1), 0.5)
    sizes = []
    for temperature in (2.0, 8.0):
        student = torch.zeros(1, 10, 1, requires_grad=True)
        distillation_loss(student, teacher, temperature).backward()
        assert student.grad is not None
        sizes.append(student.grad.abs().sum().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)
