"""The keyword model: one configuration class per family, chosen by `model.family`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from wakeword.config.base import Section


class ModelConfig(Section):
    """Architecture and size of the streaming network. These keys are those of all families; some have more."""

    family: str = "tc_resnet"
    """Model family: `tc_resnet`, `bc_resnet`, `ds_tcn`, `mdtc`, `tcn`, `matchboxnet`, `ds_cnn`, `mixednet`,
    `mobilenet_v3`, `resnet18`, `gru`, `lstm`, `crnn`, `transformer`, `conformer`, `speech_embedding` (classifier heads
    on a frozen, public speech embedding), or a family that you registered."""
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

    @classmethod
    def kinds(cls) -> tuple[type[Section], ...]:
        return (cls, *FAMILY_CONFIGS.values()) if cls is ModelConfig else (cls,)

    @classmethod
    def kind_of(cls, values: Any) -> type[Section]:
        family = values.get("family", DEFAULT_FAMILY) if isinstance(values, Mapping) else None
        return FAMILY_CONFIGS.get(family, cls) if isinstance(family, str) else cls

    def of_family(self) -> ModelConfig:
        """The same values as the class of the family, whose own keys have their defaults; a family without a class of
        its own has the keys of all families."""
        kind = FAMILY_CONFIGS.get(self.family, ModelConfig)
        return self if isinstance(self, kind) else kind.model_validate(self.model_dump())


class TCResNetConfig(ModelConfig):
    """`tc_resnet`: convolutions over time behind a small 2-D stem. `width` 1 is 32 channels."""

    family: Literal["tc_resnet"] = "tc_resnet"


class BCResNetConfig(ModelConfig):
    """`bc_resnet`: BC-ResNet-tau, `width` is tau, 1 to 8 as published."""

    family: Literal["bc_resnet"] = "bc_resnet"


class DSTCNConfig(ModelConfig):
    """`ds_tcn`: two stacks of separable dilated convolutions. `width` 1 is 56 channels."""

    family: Literal["ds_tcn"] = "ds_tcn"


class SpeechEmbeddingConfig(ModelConfig):
    """`speech_embedding`: heads on a frozen speech embedding. `width` 1 is 32 channels in a head."""

    family: Literal["speech_embedding"] = "speech_embedding"


class MobileNetV3Config(ModelConfig):
    """`mobilenet_v3`: MobileNetV3-small, whose channels `width` multiplies."""

    family: Literal["mobilenet_v3"] = "mobilenet_v3"


class ResNet18Config(ModelConfig):
    """`resnet18`: ResNet-18. `width` 1 is 64 channels in its first stage."""

    family: Literal["resnet18"] = "resnet18"


class MatchboxNetConfig(ModelConfig):
    """`matchboxnet`: MatchboxNet-BxRxC. `width` 1 is C = 64."""

    family: Literal["matchboxnet"] = "matchboxnet"
    blocks: int = Field(3, ge=1, le=6)
    """B: residual blocks. Each has a longer kernel than the one before."""
    repeats: int = Field(1, ge=1, le=4)
    """R: separable convolutions in each residual block."""


class MDTCConfig(ModelConfig):
    """`mdtc`: the sum of stacks of separable dilated convolutions. `width` 1 is 32 channels."""

    family: Literal["mdtc"] = "mdtc"
    stacks: int = Field(2, ge=1, le=6)
    """Stacks whose outputs are added; each looks further back than the one before."""
    stack_blocks: int = Field(4, ge=1, le=6)
    """Blocks of a stack. The dilation doubles from block to block."""


class MixedNetConfig(ModelConfig):
    """`mixednet`: the MixedNet of microWakeWord. `width` 1 is 64 channels."""

    family: Literal["mixednet"] = "mixednet"
    kernels: tuple[tuple[int, ...], ...] = Field(((5,), (7, 11), (9, 15), (23,)), min_length=1, max_length=8)
    """Kernels over time of each block, in frames behind the stem. The kernels of a block share its channels."""

    @field_validator("kernels")
    @classmethod
    def _usable(cls, value: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        if not all(block and all(1 <= kernel <= 64 for kernel in block) for block in value):
            raise ValueError("each block needs kernels of 1 to 64 frames, such as [[5], [7, 11]]")
        return value


class LayeredConfig(ModelConfig):
    """What the families with a number of layers share."""

    layers: int = Field(2, ge=1, le=16)
    """Layers of the network: more are more accurate and cost more. In `tcn`, `ds_cnn`, `transformer` and `conformer`
    each looks further back than the one before."""


class DSCNNConfig(LayeredConfig):
    """`ds_cnn`: 2-D separable convolutions (Hello Edge). `width` 1 is 64 channels."""

    family: Literal["ds_cnn"] = "ds_cnn"
    layers: int = Field(4, ge=1, le=8)


class TCNConfig(LayeredConfig):
    """`tcn`: residual blocks of dilated convolutions. The dilation doubles by layer. `width` 1 is 32 channels."""

    family: Literal["tcn"] = "tcn"
    layers: int = Field(4, ge=1, le=8)


class RecurrentConfig(LayeredConfig):
    """What the recurrent families share: they read a sliding window, so that a score forgets what lies before it."""

    layers: int = Field(1, ge=1, le=4)
    window_steps: int = Field(12, ge=2, le=64)
    """Steps of the recurrence per score. With `step_frames` it sets how far a score looks back: 12 steps of 4 frames of
    20 ms are about a second. The cost grows in proportion."""
    step_frames: int = Field(4, ge=1, le=16)
    """Frames behind the stem from one step of the recurrence to the next; a convolution covers those between."""


class GRUConfig(RecurrentConfig):
    """`gru`: gated recurrent units behind a convolution. `width` 1 is 64 channels."""

    family: Literal["gru"] = "gru"


class LSTMConfig(RecurrentConfig):
    """`lstm`: long short-term memory behind a convolution. `width` 1 is 64 channels."""

    family: Literal["lstm"] = "lstm"


class CRNNConfig(RecurrentConfig):
    """`crnn`: a 2-D convolution, then gated recurrent units. `width` 1 is 16 planes and 64 units."""

    family: Literal["crnn"] = "crnn"


class AttentionConfig(LayeredConfig):
    """What the families with self-attention share: each layer attends to a limited number of frames before."""

    left_frames: int = Field(16, ge=1, le=128)
    """Frames behind the stem before the present one that each layer attends to."""
    attention_heads: int = Field(4, ge=1, le=16)
    """Heads of each self-attention; they divide the channels among them."""


class TransformerConfig(AttentionConfig):
    """`transformer`: a Transformer encoder over frames. `width` 1 is 64 channels."""

    family: Literal["transformer"] = "transformer"
    layers: int = Field(3, ge=1, le=16)


class ConformerConfig(AttentionConfig):
    """`conformer`: self-attention and convolution in each layer. `width` 1 is 64 channels; a teacher has `width` 4 and
    8 layers of 8 frames."""

    family: Literal["conformer"] = "conformer"
    conv_frames: int = Field(9, ge=2, le=64)
    """Kernel over time of the convolution in each layer, in frames behind the stem."""


FAMILY_CONFIGS: dict[str, type[ModelConfig]] = {
    kind.model_fields["family"].default: kind
    for kind in (
        TCResNetConfig,
        BCResNetConfig,
        DSTCNConfig,
        MDTCConfig,
        TCNConfig,
        MatchboxNetConfig,
        DSCNNConfig,
        MixedNetConfig,
        MobileNetV3Config,
        ResNet18Config,
        GRUConfig,
        LSTMConfig,
        CRNNConfig,
        TransformerConfig,
        ConformerConfig,
        SpeechEmbeddingConfig,
    )
}
"""The configuration class of each family that has one. A family without has the keys of `ModelConfig`."""
DEFAULT_FAMILY: str = ModelConfig.model_fields["family"].default
