"""The simulated accelerator itself: it computes, refuses to mix, and counts what makes the host wait."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests.device.accelerator import MixedDevicesError, install, on_sim
from wakeword.system.device import moved, uploaded

SIM = install()


def test_it_computes_and_says_where() -> None:
    with on_sim() as traffic:
        ones = torch.ones(3, device=SIM)
        drawn = torch.arange(3, device="sim") * 2 + ones
        assert drawn.device == SIM
        assert not traffic.reads
        assert drawn.cpu().tolist() == [1.0, 3.0, 5.0]
        assert len(traffic.reads) == 1


def test_it_refuses_to_mix_except_for_numbers() -> None:
    with on_sim():
        here, there = torch.ones(3), torch.ones(3, device=SIM)
        for mixed in (lambda: here + there, lambda: there.add_(here), lambda: here.add_(there), lambda: there[here > 0],
                      lambda: torch.cat([here, there]), lambda: torch.where(there > 0, here, there)):  # fmt: skip
            with pytest.raises(MixedDevicesError):
                mixed()
        assert (there * torch.tensor(2.0)).device == SIM


@pytest.mark.parametrize(
    "question",
    [
        lambda x: x.sum().item(), lambda x: float(x[0]), lambda x: bool((x > 0).all()), lambda x: x.cpu(),
        lambda x: x.to("cpu"), lambda x: x.tolist(), lambda x: (x > 0).nonzero(), lambda x: x[x > 0],
        lambda x: x.masked_select(x > 0), lambda x: x.unique(), lambda x: torch.equal(x, x),
        lambda x: torch.zeros(3).copy_(x), lambda x: x.masked_fill_(x > 0, 1.0)[x > 0], lambda x: torch.allclose(x, x),
        lambda x: torch.repeat_interleave(torch.ones_like(x).long()), lambda x: x.__setitem__(x > 0, 1.0),
    ],
)  # fmt: skip
def test_it_counts_every_question(question) -> None:  # type: ignore[no-untyped-def]
    with on_sim() as traffic:
        values = torch.ones(3, device=SIM)
        traffic.clear()
        question(values)
        assert traffic.reads


def test_what_needs_no_answer_is_not_counted() -> None:
    with on_sim() as traffic:
        values = torch.ones(4, 3, device=SIM)
        rows = torch.arange(2, device=SIM)
        traffic.clear()
        values[rows] = 1.0
        values[rows] *= 2.0
        values[:, 0] = 3.0
        values.masked_fill_(values > 2, 0.0)
        values.index_copy_(0, rows, values[rows]).index_add_(0, rows, values[rows])
        torch.where(values > 0, values, 0.0).sum(1).topk(2)
        assert not traffic.reads
        assert not traffic.blocking


def test_blocking_copies_to_it_are_told_from_others() -> None:
    with on_sim() as traffic:
        torch.tensor([1.0, 2.0], device=SIM)
        torch.as_tensor(np.ones(2), device=SIM)
        torch.ones(2).to(SIM)
        torch.zeros(2, device=SIM).copy_(torch.ones(2))
        assert len(traffic.blocking) == 4
        traffic.clear()
        uploaded(np.ones(2), SIM)
        tree = {"rows": torch.arange(3), "more": (torch.ones(2, 2), [torch.tensor([True])], None, 5)}
        there = moved(tree, SIM)
        assert not traffic.blocking
        assert len(traffic.uploads) == 2
        assert there["rows"].device == SIM
        assert there["rows"].tolist() == [0, 1, 2]
        assert there["more"][0].shape == (2, 2)
        assert there["more"][1][0].tolist() == [True]
        assert there["more"][2:] == (None, 5)


def test_a_small_network_learns_the_same() -> None:
    torch.manual_seed(0)
    here = nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6, 1))
    audio = torch.randn(8, 2, 8)
    weights = []
    with on_sim() as traffic:
        there = copy.deepcopy(here).to(SIM)
        there = copy.deepcopy(there)
        for network, heard in ((here, audio), (there, uploaded(audio, SIM))):
            optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
            traffic.clear()
            for _ in range(3):
                loss = network(heard).square().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 0.1)
                optimizer.step()
            assert not traffic.reads
            weights.append([p.detach().cpu() for p in network.parameters()])
    for mine, others in zip(*weights, strict=True):
        torch.testing.assert_close(mine, others)
