"""The contract of every registered family."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wakeword.config.model import FAMILY_CONFIGS, ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.families import build_model, families, family_of
from wakeword.models.registry import KeywordModel, register

FAMILIES = families()


TINY: dict[str, dict[str, object]] = {
    "bc_resnet": {"width": 0.75},
    "conformer": {"width": 0.25, "layers": 2, "left_frames": 8},
    "crnn": {"width": 0.5, "window_steps": 6},
    "ds_cnn": {"width": 0.25},
    "gru": {"width": 0.25, "window_steps": 6},
    "lstm": {"width": 0.25, "window_steps": 6},
    "matchboxnet": {"width": 0.25, "blocks": 2},
    "mixednet": {"width": 0.25},
    "mobilenet_v3": {"width": 0.25},
    "resnet18": {"width": 0.125},
    "transformer": {"width": 0.25, "layers": 2, "left_frames": 8},
}
"""Values that keep the larger families cheap to test; the others are small by default."""


def config_of(family: str, **model: object) -> ModelConfig:
    """A small model of the family, whose stride is its own where it takes only one."""
    stride = family_of(family).STRIDE
    small = {"family": family, "width": 1.0, **TINY.get(family, {})}
    kind = ModelConfig.kind_of(small)
    return kind.model_validate({**small, **model, **({"frame_stride": stride} if stride else {})})  # type: ignore[return-value]


def own_fields(kind: type[ModelConfig]) -> list[str]:
    """Fields that not all families have."""
    return [name for name in kind.model_fields if name not in ModelConfig.model_fields]


def mels_of(family: str) -> int:
    return family_of(family).MELS or 40


def lived_in(network: KeywordModel) -> KeywordModel:
    """Norms with statistics and maps away from 0 and 1, and evaluation mode."""
    torch.manual_seed(1)
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3)  # type: ignore[union-attr]
            part.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.uniform_(part.bias, -0.3, 0.3)
    return network.eval()


@cache
def network_of(family: str, stride: int, pool: int) -> KeywordModel:
    torch.manual_seed(0)
    return lived_in(build_model(config_of(family, frame_stride=stride, pool_frames=pool), mels_of(family), 2))


@torch.no_grad()
def streamed(network: KeywordModel, features: torch.Tensor, cuts: list[int]) -> torch.Tensor:
    state, parts, place = network.initial_state(features.shape[0]), [], 0
    for cut in cuts:
        chunk = features[:, place : place + cut * network.frame_stride]
        logits, state = network.stream(chunk, state)
        assert logits.shape == (features.shape[0], cut, network.words)
        assert state.shape == (features.shape[0], network.state_size)
        parts.append(logits)
        place += cut * network.frame_stride
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stride", [1, 3, 8])
def test_forward_is_valid(family: str, stride: int) -> None:
    network, mels = network_of(family, stride, 5), mels_of(family)
    need, stride = network.context_frames, network.frame_stride
    assert need % stride == 0
    for frames in (need, need + 1, need + 2 * stride, need + 17):
        scores = network(torch.randn(2, frames, mels)).shape
        assert scores == (2, (frames - need) // stride + 1, 2)
    with pytest.raises(ValueError, match="fewer"):
        network(torch.randn(2, need - 1, mels))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("stride", "pool"), [(2, 15), (1, 1), (8, 2)])
@settings(max_examples=2, deadline=None)
@given(cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_streaming_equals_offline_at_any_chunking(
    family: str, stride: int, pool: int, cuts: list[int], seed: int
) -> None:
    network = network_of(family, stride, pool)
    stride = network.frame_stride
    first = network.context_frames // stride - 1
    cuts = [*cuts, first + 3]
    features = torch.randn(2, sum(cuts) * stride, mels_of(family), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        whole = network(features)
    assert float(whole.std()) > 1e-4
    torch.testing.assert_close(streamed(network, features, cuts)[:, first:], whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_forgets_what_lies_before_its_context(family: str) -> None:
    """The context is neither too short (parity would fail) nor longer than stated."""
    network = network_of(family, 2, 3)
    frames = network.context_frames + 10 * network.frame_stride
    features = torch.randn(1, frames, mels_of(family)).requires_grad_()
    network(features)[0, -1].sum().backward()
    seen = features.grad.abs().amax(dim=(0, 2)).nonzero()[:, 0]  # type: ignore[union-attr]
    assert int(seen.min()) == frames - network.lookback_frames
    assert int(seen.max()) == frames - 1


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_reaches_every_parameter(family: str) -> None:
    torch.manual_seed(0)
    network = build_model(config_of(family), mels_of(family), 2).train()
    network(torch.randn(4, network.context_frames + 20, mels_of(family))).square().mean().backward()
    trained = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
    idle = [name for name, value in trained if value.grad is None or not value.grad.abs().sum() > 0]
    assert trained
    assert not idle


@pytest.mark.parametrize("family", FAMILIES)
def test_learns_a_pattern_in_few_steps(family: str) -> None:
    """Tell a rising chirp from a falling one with AdamW at the default learning rate."""
    torch.manual_seed(0)
    mels = mels_of(family)
    network = build_model(config_of(family), mels, 1).train()
    optimiser = torch.optim.AdamW([value for value in network.parameters() if value.requires_grad], lr=3e-3)
    ridge = torch.zeros(network.context_frames, mels)
    ridge[torch.arange(-mels, 0), torch.arange(mels)] = 3.0
    label = (torch.arange(16) % 2).float()
    clean = torch.stack([ridge if rising else ridge.flip(1) for rising in label.tolist()])
    for _ in range(20):
        logit = network(clean + 0.5 * torch.randn_like(clean))[:, -1, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logit, label)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    logit = network(clean + 0.5 * torch.randn_like(clean))[:, -1, 0].detach()
    assert bool(((logit > logit.median()) == (label > 0)).all())
    assert float(logit[label > 0].mean() - logit[label == 0].mean()) > 1.0


@pytest.mark.parametrize("family", FAMILIES)
def test_each_field_changes_the_network(family: str) -> None:
    mels = mels_of(family)

    def trained(network: KeywordModel) -> int:
        return sum(value.numel() for value in network.parameters() if value.requires_grad)

    base = build_model(config_of(family), mels, 1)
    wider = config_of(family, width=2 * base.config.width)
    assert trained(build_model(wider, mels, 1)) > 1.5 * trained(base)
    assert build_model(config_of(family, pool_frames=40), mels, 1).lookback_frames > base.lookback_frames
    if family_of(family).STRIDE:
        dense = ModelConfig(family=family, frame_stride=1)
        with pytest.raises(ConfigError, match=r"needs frontend\.n_mels = 32 and model\.frame_stride = 8"):
            build_model(dense, mels, 1)
    else:
        dense = config_of(family, frame_stride=1)
        features = torch.randn(1, 400, mels)
        scores = build_model(dense, mels, 1).eval()(features).shape[1]
        assert scores > 1.5 * base.eval()(features).shape[1]
    others = [build_model(config_of(other), mels_of(other), 1) for other in FAMILIES if other != family]
    assert all(type(other) is not type(base) for other in others)


CHANGED: dict[str, object] = {
    "attention_heads": 2,
    "blocks": 4,
    "conv_frames": 5,
    "kernels": [[5], [3, 7, 9]],
    "layers": 3,
    "left_frames": 20,
    "repeats": 2,
    "stack_blocks": 2,
    "stacks": 3,
    "step_frames": 2,
    "window_steps": 9,
}
"""A value of each field that only some families have."""
OWN = [(family, name) for family, kind in FAMILY_CONFIGS.items() for name in own_fields(kind)]


@pytest.mark.parametrize(("family", "name"), OWN)
def test_each_field_of_the_family_changes_the_network(family: str, name: str) -> None:
    def built(**model: object) -> tuple[int, int, int]:
        network = build_model(config_of(family, **model), mels_of(family), 1)
        weights = sum(value.numel() for value in network.parameters())
        return weights, network.lookback_frames, network.state_size

    assert built() != built(**{name: CHANGED[name]})


def test_every_config_has_its_family() -> None:
    assert set(FAMILY_CONFIGS) <= set(FAMILIES)
    assert all(kind.model_fields["family"].default == family for family, kind in FAMILY_CONFIGS.items())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_weights_and_scores(family: str) -> None:
    networks = []
    for _ in range(2):
        torch.manual_seed(3)
        networks.append(build_model(config_of(family), mels_of(family), 2).eval())
    features = torch.randn(2, networks[0].context_frames + 16, mels_of(family))
    assert torch.equal(*(network(features) for network in networks))


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_are_separate_in_training_and_averaged_afterwards(family: str) -> None:
    if not family_of(family).ENSEMBLE:
        with pytest.raises(ConfigError, match="has one head"):
            build_model(config_of(family, heads=2), mels_of(family), 2)
        return
    torch.manual_seed(0)
    network = build_model(config_of(family, heads=3, dropout=0.0), mels_of(family), 2)
    features = torch.randn(4, network.context_frames + network.frame_stride, mels_of(family))
    assert network.train()(features).shape == (12, 2, 2)
    whole = network.eval()(features)
    assert whole.shape == (4, 2, 2)
    alone = []
    heads = network.heads
    for head in heads:
        network.heads = nn.ModuleList([head])
        alone.append(network(features))
    torch.testing.assert_close(torch.stack(alone).mean(0), whole)
    assert float((alone[0] - alone[1]).abs().max()) > 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_acts_in_training_only(family: str) -> None:
    features = torch.randn(2, 300, mels_of(family))
    for dropout, moves in ((0.3, True), (0.0, False)):
        torch.manual_seed(0)
        network = build_model(config_of(family, dropout=dropout), mels_of(family), 1).train()
        first, second = network(features), network(features)
        assert bool((first - second).abs().max() > 1e-4) is moves
        network.eval()
        assert torch.equal(network(features), network(features))


@pytest.mark.parametrize("family", FAMILIES)
def test_chunk_of_no_whole_step_is_refused(family: str) -> None:
    network = network_of(family, 2, 5)
    with pytest.raises(ValueError, match=f"multiple of {network.frame_stride}"):
        network.stream(torch.randn(1, 3, mels_of(family)), network.initial_state(1))


def test_unknown_family_is_named_with_what_is_known() -> None:
    with pytest.raises(ConfigError, match="did you mean 'bc_resnet'"):
        build_model(ModelConfig(family="bcresnet"), 40, 1)


def test_two_families_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two model families"):
        register("bc_resnet")(KeywordModel)
