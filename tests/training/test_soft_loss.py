"""The soft loss: nothing where student and teacher agree, gradients of one size at any temperature."""

from __future__ import annotations

import pytest
import torch

from wakeword.training.soft_loss import distillation_loss


def test_agreement_costs_nothing_and_distance_costs() -> None:
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
