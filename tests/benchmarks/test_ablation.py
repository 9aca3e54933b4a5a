"""Scores from embeddings equal those of the detector, and the tables of `benchmarks.ablation` equal the cells."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import ablation
from benchmarks.harness import ROOT
from benchmarks.synthetic import kept
from benchmarks.synthetic.judging import CONDITIONS, DISTANCES
from wakeword.config import SAMPLE_RATE_HZ, load_config
from wakeword.models.streaming import StreamingModel


def test_embeddings_of_a_track_give_the_scores_that_streaming_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "BLOCK_S", 2.0)
    torch.manual_seed(3)
    config = load_config(ROOT / "configs" / "demo.yaml", ["model.heads=2"])
    model = StreamingModel(config, config.labels).eval()
    # 5.1 s: three blocks, the last one neither full nor a whole number of steps.
    audio = np.random.default_rng(4).normal(0, 0.1, round(5.1 * SAMPLE_RATE_HZ)).astype(np.float32)
    track: Any = SimpleNamespace(blocks=lambda size: (audio[at : at + size] for at in range(0, len(audio), size)))
    rows = torch.cat(list(kept._embedded(model, track)))
    steps = len(audio) // model.step_samples
    with torch.no_grad():
        streamed = model(torch.from_numpy(audio[: steps * model.step_samples])[None], model.settled_state(1))[0][
            0, :, 0
        ]
    scores = kept.Embedded([], [rows]).scores(model)[0]
    assert scores.shape == (steps, 1 + 2)
    np.testing.assert_allclose(scores[:, 0], streamed.numpy(), atol=1e-4)
    logits = np.log(scores / (1 - scores))
    np.testing.assert_allclose(logits[:, 0], logits[:, 1:].mean(1), atol=1e-3)


def _cell(word: str, stage: str, missed: float, heads: float) -> dict[str, Any]:
    def judged(value: float) -> dict[str, Any]:
        at = {"threshold": 0.5, "missed": dict.fromkeys(CONDITIONS, value), "fired": dict.fromkeys(DISTANCES, 0.25)}
        return {**{str(count): at for count in ablation.ALARMS}, "limited": at}

    return {
        "word": word,
        "stage": stage,
        "seed": 0,
        "seconds": 1.0,
        "together": judged(missed),
        "heads": [judged(heads)],
    }


def test_a_setting_is_chosen_without_the_word_that_confirms_it() -> None:
    found = [
        _cell("alexa", "words", 0.10, 0.20), _cell("computer", "words", 0.10, 0.20),
        _cell("alexa", "no-rir", 0.05, 0.15), _cell("computer", "no-rir", 0.30, 0.40),
    ]  # fmt: skip
    frame = ablation.figures(found)
    assert ablation.mean_misses(frame, stage="no-rir", rule="together") == pytest.approx(0.175)
    assert ablation.mean_misses(frame, stage="words", rule="one head") == pytest.approx(0.2)
    assert ablation.costs(frame, "no-rir") == pytest.approx({"alexa": -5.0, "computer": 20.0})
    *_, claim = ablation.bars(frame)
    assert (claim.value, claim.ok) == (pytest.approx(20.0), True)
    assert not ablation.bars(ablation.figures(found[::2]))[-1].ok
    assert ablation.confirmed(frame) == [
        "chosen without alexa: words; it misses 10.0 % of alexa, words 10.0 %",
        "chosen without computer: no-rir; it misses 30.0 % of computer, words 10.0 %",
    ]
    head, _, base, other = ablation.table(frame, ["words", "no-rir"]).splitlines()
    assert len(head.split("|")) == len(base.split("|"))
    assert base.startswith("| words | 10.0 / 10.0 / 10.0 % |")
    assert "| 17.5 % | 27.5 % | 5.0 % | 30.0 % | 25 / 25 / 25 % |" in other
    assert ablation.line(found[0]).startswith("alexa words seed 0: 0 alarms 10.0 / 10.0 / 10.0 %")


def test_windows_are_embedded_once_and_the_heads_train(tmp_path: Path) -> None:
    from tests.training.synthetic import make_prepared

    config = load_config(
        ROOT / "configs" / "demo.yaml",
        ["words=[{label: nova, phrase: nova}]", "model.heads=2", "training.batch_size=8", "training.replay_batch=8",
         "training.replay_windows=64"],
    )  # fmt: skip
    lab = kept.Lab.open(config, make_prepared(tmp_path, words=6))
    lab.fill(2)
    replay = lab.step.replay
    assert replay is not None
    before = replay.draw(16, torch.Generator().manual_seed(0)).content
    start = lab.step.model.network.heads[0].classify.weight.detach().clone()
    model = lab.learn(3)
    assert replay.added == 16
    assert torch.equal(before, replay.draw(16, torch.Generator().manual_seed(0)).content)
    assert not torch.equal(start, lab.step.model.network.heads[0].classify.weight)
    assert lab.average.updates == 3
    assert not model.training
