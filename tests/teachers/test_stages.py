"""Memory that runs out: halves, and a sentence where not even one piece fits."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from tests.training.synthetic import make_prepared, tiny_config
from wakeword.errors import RunError
from wakeword.teachers import speech, targets
from wakeword.teachers.stages import Memory
from wakeword.teachers.targets import make_targets
from wakeword.training.targets import read_part, target_parts


def _limited(rows: int, error: Exception, seen: list[int] | None = None):  # type: ignore[no-untyped-def]
    def model(audio: torch.Tensor) -> torch.Tensor:
        if seen is not None:
            seen.append(len(audio))
        if len(audio) > rows:
            raise error
        return audio * 2

    return model


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried …"),
        MemoryError(),
    ],
)
def test_batches_are_halved_until_they_fit(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    memory, seen = Memory(), []
    audio = torch.arange(30.0).reshape(10, 3)
    with caplog.at_level(logging.WARNING):
        assert torch.equal(memory.run(_limited(3, error, seen), audio), audio * 2)
    assert seen == [10, 5, 2, 2, 2, 2, 2]
    assert memory.limit == 2
    assert "ran out of memory with 5 pieces at a time: it goes on with 2" in caplog.text
    seen.clear()
    memory.run(_limited(3, error, seen), audio[:4])
    assert seen == [2, 2], "the next batch starts with what fitted"


def test_not_even_one_piece_fits() -> None:
    with pytest.raises(RunError, match=r"too little memory for one piece of 2\.0 s"):
        Memory().run(_limited(0, torch.OutOfMemoryError("no")), torch.zeros(4, 32_000))


def test_other_errors_are_not_taken_for_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"):
        Memory().run(_limited(0, RuntimeError("shapes differ")), torch.zeros(4, 10))


def test_halved_targets_are_complete_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepared = make_prepared(tmp_path / "prepared", words=4)
    config = tiny_config(distillation={"teacher": "speech_embedding"})
    whole = make_targets(config, prepared, tmp_path / "whole", runner="local")
    real = speech.EmbeddingTeacher.features

    def narrow(self: speech.EmbeddingTeacher, audio: torch.Tensor) -> torch.Tensor:
        if len(audio) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, audio)

    monkeypatch.setattr(speech.EmbeddingTeacher, "features", narrow)
    with caplog.at_level(logging.WARNING):
        halved = make_targets(config, prepared, tmp_path / "halved", runner="local")
    assert "lower distillation.batch_s (now 32)" in caplog.text
    for first, second in zip(target_parts(whole.folder), target_parts(halved.folder), strict=True):
        columns = [read_part(path).select(["clip_id", "frames"]).to_pylist() for path in (first, second)]
        assert columns[0] == columns[1]


def test_parts_hold_each_audible_clip_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wakeword.batching.material import AUDIBLE
    from wakeword.data.shards import ShardSet

    shards = ShardSet.open(make_prepared(tmp_path, words=5))
    kinds = shards.table("train").column("kind").to_pylist()
    monkeypatch.setattr(targets, "_PART_S", 5.0)
    rows = [row for part in targets._feature_parts(shards) for row in part]
    assert rows == [row for row, kind in enumerate(kinds) if kind in AUDIBLE]
    assert "rir" in kinds
