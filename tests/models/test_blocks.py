"""Caches and layers."""

from __future__ import annotations

import pytest
import torch

from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, SubSpectralNorm, cache_size


def test_sliding_mean_is_the_mean_of_the_last_frames() -> None:
    value = torch.randn(2, 3, 20)
    mean = SlidingMean(3, 5)
    for frame in range(16):
        torch.testing.assert_close(mean(value)[..., frame], value[..., frame : frame + 5].mean(-1))


def test_sub_spectral_norm_normalises_each_band_alone() -> None:
    value = torch.randn(16, 4, 20, 50)
    value[:, :, 4:8] = 10 + 7 * value[:, :, 4:8]
    normed = SubSpectralNorm(4, 5).train()(value)
    for band in range(5):
        part = normed[:, :, band * 4 : band * 4 + 4]
        assert abs(float(part.mean())) < 1e-3
        assert abs(float(part.std()) - 1) < 1e-2


def test_unused_state_is_an_error() -> None:
    conv = StreamConv1d(4, 4, 3, dilation=2, depthwise=True)
    assert cache_size(conv) == 16
    cache = StreamCache(torch.zeros(1, 17))
    conv(torch.randn(1, 4, 5), cache)
    with pytest.raises(RuntimeError, match="17 numbers, the layers used 16"):
        cache.next_state()
