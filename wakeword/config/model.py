"""The keyword model."""

from __future__ import annotations

from pydantic import Field

from wakeword.config.base import Section


class ModelConfig(Section):
    """Architecture and size of the streaming network."""

    family: str = "tc_resnet"
    """Model family: `tc_resnet`, `bc_resnet`, `ds_tcn`, `speech_embedding` (classifier heads on a frozen, public speech
    embedding), or a family that you registered."""
    width: float = Field(1.0, gt=0, le=16)
    """Factor on the family's channel counts (tau of BC-ResNet): larger is more accurate, smaller is cheaper."""
    frame_stride: int = Field(2, ge=1, le=8)
    """Feature frames per score: 2 gives a score every 20 ms with the default hop. Larger values cost less computation
    and time resolution; `speech_embedding` needs 8."""
    dropout: float = Field(0.1, ge=0, lt=0.9)
    """Dropout probability in training. Raise it when the validation loss rises while the training loss falls."""
    pool_frames: int = Field(8, ge=1, le=200)
    """Output frames that the classifier averages. Raise it for long phrases."""
    heads: int = Field(1, ge=1, le=16)
    """Classifier heads of `speech_embedding`; the score is the mean of their logits. Several heads reduce false alarms
    where each is trained on different windows (`training.replay_windows`), and change little otherwise."""
