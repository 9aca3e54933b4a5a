"""Teachers of features: their frames, the targets made of them, and students that learn to predict them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.synthetic import make_prepared, tiny_config
from wakeword.config import Config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError
from wakeword.stages.ray_session import ray_session
from wakeword.teachers import targets
from wakeword.teachers.pieces import cut_pieces
from wakeword.teachers.stages import FeatureStage
from wakeword.teachers.targets import make_targets
from wakeword.teachers.types import open_teacher, teacher_fingerprint, teacher_kind
from wakeword.training.checkpoint import epoch_folder
from wakeword.training.loop import train
from wakeword.training.targets import TeacherTargets, read_part, target_parts

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prepared(tmp_path_factory.mktemp("prepared"), words=6)


def _config(teacher: str, **distillation: object) -> Config:
    training = {"epochs": 1, "steps_per_epoch": 3, "batch_size": 8}
    return tiny_config(training=training, distillation={"teacher": teacher, **distillation})


@pytest.fixture(params=["hama", "speech_embedding"])
def offline(request: pytest.FixtureRequest) -> str:
    """A teacher that needs no download."""
    if request.param == "hama":
        pytest.importorskip("hama", reason="the extra [phonetics] (hama) is not installed")
    return str(request.param)


def test_frames_cover_the_audio_at_the_rate_that_is_told(offline: str) -> None:
    teacher = open_teacher(_config(offline), CPU)
    for samples in (1_000, 16_000, 33_333):
        found = teacher.features(torch.randn(2, samples) * 0.1)
        assert found.shape[0] == 2
        assert found.shape[2] == teacher.dims
        assert found.shape[1] >= math.ceil(samples / teacher.step_samples)
    assert teacher.rate_hz == 16_000 / teacher.step_samples
    assert teacher.fingerprint == teacher_fingerprint(_config(offline))
    assert teacher_kind(_config(offline)) == "features"


def test_frames_lie_where_the_teacher_says(offline: str) -> None:
    """A click in silence changes the frames around the one whose middle it is at."""
    teacher = open_teacher(_config(offline), CPU)
    quiet = torch.zeros(1, 48_000)
    for place in (24_000, 31_000):
        click = quiet.clone()
        click[0, place - 40 : place + 40] = 0.5 * torch.sin(torch.arange(80) * 0.7)
        change = (teacher.features(click) - teacher.features(quiet))[0].norm(dim=1)
        # Attention lets the click be heard everywhere, convolutions within their reach alone.
        heard = change.argmax()[None] if offline == "hama" else (change > 1e-3 * change.max()).nonzero()[:, 0]
        assert float(heard[0] + heard[-1]) / 2 == pytest.approx(
            (place - teacher.first_sample) / teacher.step_samples, abs=2
        )


def test_phonetic_teachers_have_an_inventory() -> None:
    pytest.importorskip("hama", reason="the extra [phonetics] (hama) is not installed")
    teacher = open_teacher(_config("hama"), CPU)
    found = teacher.log_probs(torch.randn(2, 8_000) * 0.1)
    assert found.shape[2] == len(teacher.tokens)
    assert torch.allclose(found.exp().sum(-1), torch.ones(found.shape[:2]), atol=1e-4)


def test_pieces_hold_every_frame_once() -> None:
    teacher = open_teacher(_config("speech_embedding"), CPU)
    for seconds in (0.01, 0.5, 19.9, 20.5, 61.3):
        samples = round(seconds * 16_000)
        pieces = list(cut_pieces(3, samples, teacher))
        frames = [piece.first_frame + number for piece in pieces for number in range(piece.frames)]
        assert frames == list(range(math.ceil(samples / teacher.step_samples)))
        for piece in pieces:
            assert piece.start + piece.skipped * teacher.step_samples == piece.first_frame * teacher.step_samples
            assert piece.samples % 8_000 == 0


def test_a_long_clip_is_heard_as_if_whole(tmp_path: Path) -> None:
    """The embedding network hears 0.76 s; pieces overlap by more, so that their borders leave no trace."""
    from tests.training.synthetic import babble, clip

    audio = babble(np.random.default_rng(0), 45.0)
    made = make_prepared(tmp_path / "prepared", words=1, more=[clip("train", "speech", "speech", 99, audio)])
    folder = make_targets(_config("speech_embedding"), made, tmp_path / "targets", runner="local").folder
    rows = {row["clip_id"]: row for path in target_parts(folder) for row in read_part(path).to_pylist()}
    found = np.frombuffer(rows["train-speech-speech-99"]["features"], "<f2").reshape(-1, 96).astype(np.float32)
    pcm = (np.clip(audio, -1, 1) * 32767).astype("<i2").astype(np.float32) / 32768
    teacher = open_teacher(_config("speech_embedding"), CPU)
    whole = teacher.features(torch.from_numpy(pcm)[None])[0, : len(found)].numpy()
    assert len(found) == math.ceil(len(pcm) / teacher.step_samples)
    assert np.allclose(found, whole, rtol=2e-3, atol=0.02)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [*target_parts(folder), folder / "index.json"]}


def test_features_are_continued(prepared: Path, offline: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(targets, "_PART_S", 10.0)
    config = _config(offline)
    whole = make_targets(config, prepared, tmp_path / "whole", runner="local")
    real, made = FeatureStage.make, []

    def dying(self: FeatureStage, clips: list[int]) -> object:
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(clips)
        return real(self, clips)

    monkeypatch.setattr(FeatureStage, "make", dying)
    with pytest.raises(KeyboardInterrupt):
        make_targets(config, prepared, tmp_path / "killed", runner="local")
    with pytest.raises(DataError, match="no complete teacher targets"):
        train(config, prepared, tmp_path / "run", targets=TeacherTargets(tmp_path / "killed", whole.fingerprint))
    first = {path.name: path.read_bytes() for path in target_parts(tmp_path / "killed")}
    assert len(first) == 2
    monkeypatch.setattr(FeatureStage, "make", real)
    continued = make_targets(config, prepared, tmp_path / "killed", runner="local")
    assert _bytes(continued.folder) == _bytes(whole.folder)
    # Another seed and another augmentation share them.
    other = _config(offline).model_copy(update={"training": config.training.model_copy(update={"seed": 5})})
    monkeypatch.setattr(FeatureStage, "make", lambda *_: pytest.fail("nothing is left to do"))
    assert make_targets(other, prepared, tmp_path / "killed", runner="local").fingerprint == whole.fingerprint


@pytest.mark.ray
def test_actors_make_the_same_features(prepared: Path, offline: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(targets, "_PART_S", 10.0)
    config = _config(offline)
    here = make_targets(config, prepared, tmp_path / "local", runner="local")
    with ray_session(config):
        spread = make_targets(config, prepared, tmp_path / "ray", runner="ray")
    assert len(target_parts(here.folder)) > 2
    assert _bytes(spread.folder) == _bytes(here.folder)


def test_a_student_learns_to_predict_features(prepared: Path, offline: str, tmp_path: Path) -> None:
    config = tiny_config(
        training={"epochs": 2, "steps_per_epoch": 10, "batch_size": 8, "learning_rate": 1e-2},
        distillation={"teacher": offline, "feature_weight": 1.0},
    )
    made = make_targets(config, prepared, tmp_path / "targets", runner="local")
    result = train(config, prepared, tmp_path / "run", targets=made)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert lines[1]["loss_features"] < 0.97 * lines[0]["loss_features"]
    assert "loss_soft" not in result.metrics


def test_an_interrupted_run_ends_with_the_same_weights(prepared: Path, tmp_path: Path) -> None:
    def config(epochs: int) -> Config:
        training = {"epochs": epochs, "steps_per_epoch": 3, "batch_size": 8, "warmup_share": 0.0}
        return tiny_config(training=training, distillation={"teacher": "speech_embedding"})

    made = make_targets(config(2), prepared, tmp_path / "targets", runner="local")
    train(config(2), prepared, tmp_path / "whole", targets=made)
    import wakeword.training.loop as loop

    class Stopped(Exception):
        pass

    def stop(metrics: dict[str, object]) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        train(config(2), prepared, tmp_path / "parts", loop.TrainContext(report=stop), made)
    train(config(2), prepared, tmp_path / "parts", targets=made)
    for name in ("model.safetensors", "projection.safetensors", "optimizer.safetensors"):
        whole, parts = (epoch_folder(tmp_path / run, 2) / name for run in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), name


def test_the_projection_stays_out_of_the_model(prepared: Path, tmp_path: Path) -> None:
    from wakeword.training.checkpoint import load_trained

    config = _config("speech_embedding")
    made = make_targets(config, prepared, tmp_path / "targets", runner="local")
    train(config, prepared, tmp_path / "run", targets=made)
    model, _ = load_trained(tmp_path / "run")
    plain = tiny_config()
    from wakeword.models.streaming import StreamingModel

    assert set(model.state_dict()) == set(StreamingModel(plain, plain.labels).state_dict())


@pytest.mark.parametrize("family", ["bc_resnet", "ds_tcn", "speech_embedding"])
def test_every_family_can_be_the_student(prepared: Path, tmp_path: Path, family: str) -> None:
    changes = {"model": {"family": family}}
    if family == "speech_embedding":
        changes = {"model": {"family": family, "frame_stride": 8, "heads": 2}, "frontend": {"n_mels": 32}}
    training = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 4}
    config = tiny_config(training=training, distillation={"teacher": "speech_embedding"}, **changes)
    made = make_targets(config, prepared, tmp_path / "targets", runner="local")
    assert 0 < train(config, prepared, tmp_path / "run", targets=made).metrics["loss_features"] < 2


def test_what_does_not_fit_is_one_sentence(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes no argument: write speech_embedding"):
        open_teacher(_config("speech_embedding:x"), CPU)
    with pytest.raises(ConfigError, match=r"distillation\.layers chooses hidden layers of a transformers teacher"):
        open_teacher(_config("speech_embedding", layers=[1]), CPU)
    made = make_targets(_config("speech_embedding"), prepared, tmp_path / "targets", runner="local")
    other = make_prepared(tmp_path / "other", words=5)
    with pytest.raises(DataError, match="another teacher or other clips"):
        train(_config("speech_embedding"), other, tmp_path / "run", targets=made)
    with pytest.raises(DataError, match="another teacher, clips or settings"):
        make_targets(_config("speech_embedding"), other, made.folder, runner="local")
    with pytest.raises(DataError, match="another teacher or other clips"):
        train(
            _config("speech_embedding"), prepared, tmp_path / "run", targets=TeacherTargets(made.folder, "another one")
        )
    replay = tiny_config(
        model={"family": "speech_embedding", "frame_stride": 8},
        frontend={"n_mels": 32},
        training={"replay_windows": 64},
        distillation={"teacher": "speech_embedding"},
    )
    with pytest.raises(ConfigError, match=r"set training\.replay_windows=0"):
        train(replay, prepared, tmp_path / "replay", targets=made)
    assert ShardSet.open(prepared).config_hash != ShardSet.open(other).config_hash
