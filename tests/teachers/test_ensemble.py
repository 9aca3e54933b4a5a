"""Ensembles of runs: calibrated by the maps of their bundles, weighted, and refused where a map is absent."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch

from tests.training.synthetic import make_prepared, tiny_config
from wakeword.config import Config
from wakeword.errors import BundleError, ConfigError
from wakeword.export.bundle import export_bundle, set_operating_points
from wakeword.runtime.manifest import ProbabilityMap
from wakeword.teachers.targets import make_targets
from wakeword.teachers.types import open_teacher, teacher_fingerprint, teacher_kind
from wakeword.training.loop import train

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
MAPS = (
    ProbabilityMap(slope=0.5, offset=0.3, prior=0.5),
    ProbabilityMap(slope=2.0, offset=-0.4, prior=0.2),
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prepared(tmp_path_factory.mktemp("prepared"), words=4)


@pytest.fixture(scope="module")
def runs(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two trained and calibrated runs; the second looks further back."""
    folder = tmp_path_factory.mktemp("runs")
    found = []
    for number, (pool, calibration) in enumerate(zip((5, 20), MAPS, strict=True)):
        config = tiny_config(
            model={"pool_frames": pool}, training={"epochs": 1, "steps_per_epoch": 2, "seed": number, "batch_size": 4}
        )
        train(config, prepared, folder / str(number))
        export_bundle(folder / str(number), folder / str(number) / "bundle", prepared_dir=prepared)
        _calibrate(folder / str(number), calibration)
        found.append(folder / str(number))
    return found


def _calibrate(run_dir: Path, calibration: ProbabilityMap) -> None:
    set_operating_points(run_dir / "bundle", {}, {}, probability_maps={"nova": calibration.model_dump()})


def _config(spec: str) -> Config:
    return tiny_config(distillation={"teacher": f"ensemble:{spec}", "views": 1})


def test_the_mean_is_that_of_calibrated_log_odds(runs: list[Path]) -> None:
    config = _config(f"{runs[0]}=3,{runs[1]}=1")
    teacher = open_teacher(config, CPU)
    members = [open_teacher(tiny_config(distillation={"teacher": str(run)}), CPU) for run in runs]
    assert teacher.context_samples == members[1].context_samples > members[0].context_samples
    audio = torch.randn(2, teacher.context_samples + 8_000) * 0.1
    expected = torch.zeros(())
    for member, calibration, weight in zip(members, MAPS, (0.75, 0.25), strict=True):
        logits = member.logits(audio[:, teacher.context_samples - member.context_samples :])
        log_odds = calibration.slope * logits + calibration.offset
        expected = expected + weight * (log_odds - math.log(calibration.prior / (1 - calibration.prior)))
    assert torch.allclose(teacher.logits(audio), expected, atol=1e-5)
    assert teacher_kind(config) == "words"


def test_an_ensemble_teaches(runs: list[Path], prepared: Path, tmp_path: Path) -> None:
    config = _config(f"{runs[0]},{runs[1]}")
    made = make_targets(config, prepared, tmp_path / "targets", runner="local")
    short = config.model_copy(
        update={"training": config.training.model_copy(update={"epochs": 1, "steps_per_epoch": 2})}
    )
    assert train(short, prepared, tmp_path / "run", targets=made).metrics["loss_soft"] > 0


def test_the_fingerprint_holds_weights_and_maps(runs: list[Path], tmp_path: Path) -> None:
    first = teacher_fingerprint(_config(f"{runs[0]},{runs[1]}"))
    assert first == teacher_fingerprint(_config(f"{runs[0]}=2,{runs[1]}=2")), "weights are shares"
    assert first != teacher_fingerprint(_config(f"{runs[0]}=2,{runs[1]}=1"))
    copy = Path(shutil.copytree(runs[1], tmp_path / "copy"))
    assert first == teacher_fingerprint(_config(f"{runs[0]},{copy}"))
    _calibrate(copy, ProbabilityMap(slope=1.0, offset=0.0, prior=0.5))
    assert first != teacher_fingerprint(_config(f"{runs[0]},{copy}"))


def test_what_is_no_ensemble_is_one_sentence(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least two run folders"):
        open_teacher(_config(f"{runs[0]}"), CPU)
    with pytest.raises(ConfigError, match="weights above 0"):
        open_teacher(_config(f"{runs[0]}=0,{runs[1]}"), CPU)
    with pytest.raises(ConfigError, match="'much' is no weight"):
        open_teacher(_config(f"{runs[0]}=much,{runs[1]}"), CPU)
    copy = Path(shutil.copytree(runs[1], tmp_path / "copy"))
    set_operating_points(copy / "bundle", {}, {}, probability_maps={"nova": None})
    with pytest.raises(ConfigError, match="holds no map of nova to probabilities: run `wakeword evaluate`"):
        open_teacher(_config(f"{runs[0]},{copy}"), CPU)
    shutil.rmtree(copy / "bundle")
    with pytest.raises(BundleError):
        open_teacher(_config(f"{runs[0]},{copy}"), CPU)
