"""Families against the published networks: numbers of weights, and layers of torch with the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models.test_registry import lived_in
from wakeword.config import validate_config
from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.families import build_model
from wakeword.models.mixednet import MixedConv
from wakeword.models.registry import KeywordModel
from wakeword.models.sequence.attention import LeftAttention
from wakeword.models.sequence.recurrence import GRULayer, LSTMLayer, RecurrentLayer, WindowedRecurrence


def built(words: int, mels: int = 40, **model: object) -> KeywordModel:
    return build_model(validate_config({"words": [{"label": "one"}], "model": model}).model, mels, words)


def weights(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


@pytest.mark.parametrize(("blocks", "repeats", "thousands"), [(3, 1, 77), (3, 2, 93), (6, 2, 140)])
def test_matchboxnet_has_the_published_number_of_weights(blocks: int, repeats: int, thousands: int) -> None:
    """Of the paper, for 30 words and 64 mels; it gives 140 thousand for 6x2x64, and its layers have 139."""
    network = built(30, 64, family="matchboxnet", blocks=blocks, repeats=repeats, frame_stride=1)
    assert weights(network) / 1000 == pytest.approx(thousands, abs=1.2)


def test_resnet18_has_the_published_layers() -> None:
    """torchvision's ResNet-18 has 11,689,512 weights for three colours and 1000 classes."""
    assert weights(built(12, family="resnet18")) == 11_689_512 - 2 * 64 * 49 - 513 * 1000 + 513 * 12


def test_mobilenet_v3_has_the_published_layers() -> None:
    """torchvision's MobileNetV3-small has 2,542,856 weights for three colours and 1000 classes."""
    assert weights(built(12, family="mobilenet_v3")) == 2_542_856 - 2 * 16 * 9 - 1025 * 1000 + 1025 * 12


@pytest.mark.parametrize(("layer", "peer"), [(GRULayer, nn.GRU), (LSTMLayer, nn.LSTM)])
@torch.no_grad()
def test_recurrence_equals_that_of_torch_over_each_window(layer: type[RecurrentLayer], peer: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    ours = WindowedRecurrence(layer, 5, 7, layers=2, steps=4, spacing=3, dropout=0.5).eval()
    theirs = peer(5, 7, num_layers=2, batch_first=True)
    for place, part in enumerate(ours.layers):
        for name, conv in (("ih", part.from_inputs), ("hh", part.from_hidden)):
            getattr(theirs, f"weight_{name}_l{place}").copy_(conv.weight[..., 0])
            getattr(theirs, f"bias_{name}_l{place}").copy_(conv.bias.uniform_(-0.5, 0.5))
    value = torch.randn(2, 5, 14)
    found = ours(value)
    assert found.shape == (2, 7, 5)
    for score in range(5):
        window = value[..., score : score + 10 : 3].transpose(1, 2)
        torch.testing.assert_close(found[..., score], theirs(window)[0][:, -1])


@torch.no_grad()
def test_attention_equals_that_of_torch_over_each_window() -> None:
    torch.manual_seed(0)
    ours = LeftAttention(8, 2, 4, 0.5).eval()
    nn.init.normal_(ours.distance)
    value = torch.randn(3, 8, 9)
    found = ours(value)
    assert found.shape == (3, 8, 5)
    for score in range(5):
        window = value[..., score : score + 5]
        query = ours.query(window[..., -1:])
        key, values = ours.key_value(window).chunk(2, dim=1)
        split = [part.unflatten(1, (2, 4)).transpose(-1, -2) for part in (query, key, values)]
        mixed = nn.functional.scaled_dot_product_attention(*split, attn_mask=ours.distance[:, None].expand(2, 1, 5))
        torch.testing.assert_close(found[..., score], ours.mix(mixed.transpose(-1, -2).flatten(1, 2))[..., 0])


@torch.no_grad()
def test_mixed_kernels_end_at_the_same_frame() -> None:
    mixed = MixedConv(5, (3, 7))
    value = torch.randn(2, 5, 12)
    found = mixed(value)
    assert found.shape == (2, 5, 6)
    torch.testing.assert_close(found[:, :3], mixed.convs[0](value[:, :3])[..., -6:])
    torch.testing.assert_close(found[:, 3:], mixed.convs[1](value[:, 3:]))


def test_a_teacher_sized_conformer_streams() -> None:
    torch.manual_seed(0)
    network = lived_in(built(3, family="conformer", width=4, layers=8, left_frames=8, conv_frames=5))
    assert 8e6 < weights(network) < 20e6
    features = torch.randn(1, network.context_frames + 8, 40)
    with torch.no_grad():
        whole = network(features)
        state, parts = network.initial_state(1), []
        for chunk in features.split(24, dim=1):
            logits, state = network.stream(chunk, state)
            parts.append(logits)
    torch.testing.assert_close(torch.cat(parts, dim=1)[:, -5:], whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"family": "transformer", "width": 0.0625, "attention_heads": 8}, "more than the channels"),
        ({"family": "mixednet", "width": 0.125, "kernels": [[3, 5, 7, 9, 11]]}, "5 kernels, more than its 4"),
        ({"family": "gru", "width": 0.01}, "needs at least 0.063"),
    ],
)
def test_values_that_do_not_fit_are_refused(model: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        built(1, **model)


@pytest.mark.parametrize("family", ["ds_cnn", "crnn"])
def test_too_few_mels_are_refused(family: str) -> None:
    with pytest.raises(ConfigError, match="at least 8"):
        build_model(ModelConfig(family=family), 4, 1)
