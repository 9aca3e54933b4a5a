"""Teachers of transformers: tiny random models of each class run targets and distillation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers", reason="the extra [teachers] (transformers) is not installed")
from tests.teachers.pretrained_models import BLOCKS, DIMS, KINDS, save_model
from tests.training.synthetic import make_prepared, tiny_config
from wakeword.config import Config
from wakeword.errors import ConfigError
from wakeword.teachers.targets import make_targets
from wakeword.teachers.types import open_teacher, teacher_fingerprint
from wakeword.training.loop import train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {kind: save_model(folder / kind, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prepared(tmp_path_factory.mktemp("prepared"), words=3)


def _config(folder: Path | str, **distillation: object) -> Config:
    training = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 4}
    return tiny_config(training=training, distillation={"teacher": f"transformers:{folder}", **distillation})


@pytest.mark.parametrize("kind", KINDS)
def test_each_class_makes_targets_and_teaches(
    kind: str, models: dict[str, Path], prepared: Path, tmp_path: Path
) -> None:
    config = _config(models[kind])
    teacher = open_teacher(config, CPU)
    assert (teacher.dims, teacher.step_samples, teacher.rate_hz) == (DIMS, 320, 50.0)
    made = make_targets(config, prepared, tmp_path / "targets", runner="local")
    facts = json.loads((made.folder / "index.json").read_text())
    assert (facts["dims"], facts["step_samples"], len(facts["mean"])) == (DIMS, 320, DIMS)
    assert min(facts["deviation"]) > 0
    assert train(config, prepared, tmp_path / "run", targets=made).metrics["loss_features"] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_transformers(kind: str, models: dict[str, Path]) -> None:
    import transformers

    audio = torch.randn(2, 32_000, generator=torch.Generator().manual_seed(0)) * 0.1
    model = transformers.AutoModel.from_pretrained(models[kind]).eval()
    extractor = transformers.AutoFeatureExtractor.from_pretrained(models[kind])
    inputs = extractor(list(audio.numpy()), sampling_rate=16_000, return_tensors="pt")
    encoder = model.encoder if kind == "whisper" else model
    with torch.inference_mode():
        states = encoder(next(iter(inputs.values())), output_hidden_states=True).hidden_states
    last = open_teacher(_config(models[kind]), CPU).features(audio)
    assert torch.allclose(last, states[-1], atol=1e-4)
    first = open_teacher(_config(models[kind], layers=[1]), CPU).features(audio)
    assert torch.allclose(first, states[1], atol=1e-4)
    mixed = open_teacher(_config(models[kind], layers=[-1, 0], layer_weights=[3, 1]), CPU).features(audio)
    assert torch.allclose(mixed, 0.75 * states[-1] + 0.25 * states[0], atol=1e-4)


def test_the_fingerprint_is_that_of_weights_and_layers(models: dict[str, Path], tmp_path: Path) -> None:
    plain = teacher_fingerprint(_config(models["hubert"]))
    assert plain == open_teacher(_config(models["hubert"]), CPU).fingerprint
    assert plain != teacher_fingerprint(_config(models["hubert"], layers=[1]))
    assert plain != teacher_fingerprint(_config(save_model(tmp_path, "hubert", layer_norm_eps=1e-3)))


def test_layers_that_are_not_there(models: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=rf"has the layers 0 to {BLOCKS} .* not 3"):
        open_teacher(_config(models["wavlm"], layers=[3]), CPU)
    with pytest.raises(ConfigError, match="layer_weights has 1 numbers for 2 layers"):
        _config(models["wavlm"], layers=[0, 1], layer_weights=[1])


def test_weights_of_another_size_name_the_first_that_differs(models: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(models["wav2vec2"], tmp_path / "copy"))
    settings = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**settings, "intermediate_size": 24}))
    with pytest.raises(
        ConfigError, match=r"does not fit its config\.json: encoder\.layers\.0\.\S+ is \(16,\) instead of \(24,\)"
    ):
        open_teacher(_config(copy), CPU)
    (copy / "config.json").write_text(json.dumps({**settings, "num_hidden_layers": 3}))
    with pytest.raises(ConfigError, match=r"lacks the weight encoder\.layers\.2\."):
        open_teacher(_config(copy), CPU)


def test_a_pickle_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(models["wav2vec2"], tmp_path / "copy"))
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"holds pytorch_model\.bin and no \.safetensors file: a pickle could run"):
        open_teacher(_config(copy), CPU)


def test_another_sample_rate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes 8000 Hz: use a model for 16000 Hz"):
        open_teacher(_config(save_model(tmp_path, "hubert", rate_hz=8_000)), CPU)


def test_another_type_of_model_is_refused(tmp_path: Path) -> None:
    import transformers

    save_model(tmp_path, "hubert")
    settings = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    transformers.BertModel(transformers.BertConfig(vocab_size=8, **settings)).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="is a model of type bert: use one of wav2vec2, hubert, wavlm, whisper"):
        open_teacher(_config(tmp_path), CPU)


def test_a_damaged_file_is_one_sentence(models: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(models["whisper"], tmp_path / "copy"))
    (copy / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"cannot be loaded .*: the folder needs"):
        open_teacher(_config(copy), CPU)


def test_without_a_network_it_is_said_what_to_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConfigError,
        match=r"download config\.json, preprocessor_config\.json and model\.safetensors of nobody/nothing",
    ):
        open_teacher(_config("nobody/nothing"), CPU)


def test_nan_is_an_error_and_no_target(models: dict[str, Path]) -> None:
    from wakeword.errors import RunError

    teacher = open_teacher(_config(models["wav2vec2"]), CPU)
    with pytest.raises(RunError, match="NaN or infinite"):
        teacher.features(torch.full((1, 16_000), np.nan))
