"""The distillation part of a student's loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def distillation_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cross-entropy of the student's softened frame scores against the teacher's (Hinton et al. 2015, section 2).

    Both are logits `(batch, scores, words)`. They are divided by the temperature, and the loss is multiplied by its
    square, so that the gradients keep their size. The teacher's entropy is subtracted: equal scores cost 0.
    """
    student = student.float() / temperature
    soft = torch.sigmoid(teacher.float() / temperature)
    cross = F.binary_cross_entropy_with_logits(student, soft)
    entropy = F.binary_cross_entropy(soft, soft)
    return (cross - entropy) * temperature**2
