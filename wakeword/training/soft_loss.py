"""The soft half of a distilled student's loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def distillation_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Cross-entropy of the student's softened frame scores against the teacher's (Hinton et al. 2015, section 2).

    Both `(batch, scores, words)` logits. Divided by the temperature before the sigmoid, and multiplied by its square
    so that the gradients keep their size when the temperature changes. The teacher's own entropy is subtracted: equal
    scores cost 0.
    """
    student = student.float() / temperature
    soft = torch.sigmoid(teacher.float() / temperature)
    cross = F.binary_cross_entropy_with_logits(student, soft)
    entropy = F.binary_cross_entropy(soft, soft)
    return (cross - entropy) * temperature**2
