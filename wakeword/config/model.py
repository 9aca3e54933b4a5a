"""The student network."""

from __future__ import annotations

from pydantic import Field

from wakeword.config.base import Section


class ModelConfig(Section):
    """Which streaming student, and how large. Families register themselves in `wakeword.models.registry`."""

    family: str = "tc_resnet"
    width: float = Field(1.0, gt=0, le=16)
    """Multiplier of the family's channel counts (tau of BC-ResNet)."""
    frame_stride: int = Field(2, ge=1, le=8)
    """Feature frames per score: 2 gives a score every 20 ms with the default hop. `speech_embedding` needs 8."""
    dropout: float = Field(0.1, ge=0, lt=0.9)
    pool_frames: int = Field(8, ge=1, le=200)
    """Scores' look-back: the classifier sees the mean of this many output frames."""
    heads: int = Field(1, ge=1, le=16)
    """Heads of `speech_embedding` on one body; the score is the mean of their logits. Several make fewer false alarms
    by chance where each learns from windows of its own (`training.replay_windows`), and little difference without."""
