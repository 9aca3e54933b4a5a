"""Some rows of a batch are changed, a few at a time, and the others stay."""

from __future__ import annotations

import pytest
import torch

from wakeword.audio.augment import pieces
from wakeword.audio.augment.filters import filter_length, filtered, peak_power
from wakeword.audio.augment.pieces import add_to_rows, replace_rows


@pytest.mark.parametrize("length", [None, 40, 53])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 40])
def test_the_chosen_rows_are_changed_and_get_zeros_behind(count: int, length: int | None) -> None:
    generator = torch.Generator().manual_seed(count)
    audio = torch.randn(40, 40, generator=generator)
    before = audio.clone()
    rows = torch.randperm(40, generator=generator)[:count]
    factor = torch.randn(count, generator=generator)
    seen = []

    def scaled(taken: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
        seen.append(len(taken))
        assert taken.shape[1] == (length or 40)
        assert not taken[:, 40:].any()
        # What a transform may do: it is a copy.
        return taken[:, :40].mul_(factor[:, None])

    replace_rows(audio, rows, scaled, factor, length=length)
    expected = before.clone()
    expected[rows] = before[rows] * factor[:, None]
    assert torch.equal(audio, expected)
    assert sum(seen) == count
    assert all(size <= pieces.PIECE for size in seen)


@pytest.mark.parametrize("count", [0, 1, 16, 33])
def test_what_is_added_goes_to_the_chosen_rows_alone(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    audio = torch.randn(40, 30, generator=generator)
    before = audio.clone()
    rows = torch.randperm(40, generator=generator)[:count]
    noise, factor = torch.randn(count, 30, generator=generator), torch.randn(count, generator=generator)
    add_to_rows(audio, rows, lambda noise, factor: noise * factor[:, None], noise, factor)
    expected = before.clone()
    expected[rows] += noise * factor[:, None]
    assert torch.equal(audio, expected)


def test_few_counts_of_rows_come_out_of_buckets() -> None:
    counts = {pieces.in_bucket(torch.arange(count)).shape[0] for count in range(1, 513)}
    assert len(counts) < 60
    for count in (1, 7, 17, 410):
        values = torch.randn(count, 3)
        padded = pieces.in_bucket(values)
        assert count <= len(padded) <= 1.13 * count
        assert torch.equal(padded[:count], values)
        assert torch.equal(padded[count:], values[-1:].expand(len(padded) - count, 3))


def test_clips_that_are_padded_already_are_filtered_the_same() -> None:
    audio = torch.randn(3, 5001, generator=torch.Generator().manual_seed(1))
    power = peak_power(torch.tensor([300.0, 1000.0, 5000.0]), torch.full((3,), 9.0), torch.ones(3))
    padded = torch.nn.functional.pad(audio, (0, filter_length(5001) - 5001))
    assert torch.equal(filtered(padded, power, 5001), filtered(audio, power))
