"""Recipes and overrides: refusals, their messages, and results."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from wakeword.config import config_hash, config_schema, config_yaml, load_config, save_config, validate_config
from wakeword.config.loading import apply_override
from wakeword.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "configs").rglob("*.yaml"))
WORDS = "words=[{label: hey_nova}]"


def _tree(**sections: object) -> dict[str, object]:
    return {"words": [{"label": "hey_nova"}], **sections}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_valid(path: Path) -> None:
    config = load_config(path)
    assert config.words
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), config_schema())


def test_there_are_recipes() -> None:
    assert {"demo", "student", "distill", "serve"} <= {path.stem for path in RECIPES}


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        (_tree(trainig={}), "unknown key trainig = {}; did you mean 'training'?"),
        (_tree(training={"epoch": 3}), "unknown key training.epoch = 3; did you mean 'epochs'?"),
        (_tree(frontend={"pcen": {"zzz": 1}}), "unknown key frontend.pcen.zzz = 1; allowed here: bias, gain"),
        (_tree(training={"epochs": 0}), "training.epochs = 0: input should be greater than or equal to 1"),
        (_tree(training={"epochs": "many"}), "training.epochs = 'many': input should be a valid integer"),
        (_tree(compute={"device": "tpu"}), "compute.device = 'tpu': input should be 'auto', 'cpu' or 'cuda'"),
        (_tree(data={"splits": {"val": 0.6, "test": 0.5}}), "leaves nothing to train on"),
        (_tree(data={"sources": [{"type": "csv"}]}), "data.sources.0.uri is required"),
        (_tree(data={"sources": [{"type": "csv", "uri": "x", "kid": 1}]}), "unknown key data.sources.0.kid = 1"),
        (_tree(frontend={"f_min_hz": 7600}), "f_min_hz (7600.0) must lie below f_max_hz (7600.0)"),
        (_tree(name="a/b"), "name = 'a/b': string should match pattern"),
        ({"words": []}, "words = []: tuple should have at least 1 item"),
        ({}, "words is required"),
        ({"words": [{"label": "Hey Nova"}]}, "a label is made of lower-case letters, digits and underscores"),
        ({"words": [{"label": "a"}, {"label": "a"}]}, "two words share a label"),
        ({"words": [{"label": "hey_nova"}, {"label": "nova", "phrase": "Hey, Nova!"}]}, "two words share a phrase"),
    ],
)
def test_impossible_configs_are_named_by_path_and_value(tree: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate_config(tree, "recipe.yaml")
    assert str(caught.value).startswith("recipe.yaml: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_in_one_message() -> None:
    with pytest.raises(ConfigError) as caught:
        validate_config(_tree(training={"epochs": 0, "batch_size": 1}))
    assert "training.epochs = 0" in str(caught.value)
    assert "training.batch_size = 1" in str(caught.value)


def test_a_config_never_changes() -> None:
    config = validate_config(_tree())
    with pytest.raises(ValueError, match="frozen"):
        config.training.epochs = 5  # type: ignore[misc]


def test_overrides_reach_sections_lists_and_new_keys(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("words: [{label: hey_nova}]\ndata: {sources: [{type: csv, uri: a.csv}]}\n")
    overrides = [
        "training.epochs=5",
        "training.learning_rate=1e-3",
        "data.sources.0.limit=7",
        "evaluation.snr_db=[5, 0]",
        "words.0.phrase=hey there, nova",
        "compute.device=cpu",
        "training.amp=true",
        "tracking.wandb_project=",
    ]
    config = load_config(path, overrides)
    assert config.training.epochs == 5
    assert config.training.learning_rate == 1e-3
    assert config.training.amp is True
    assert config.data.sources[0].limit == 7
    assert config.data.sources[0].uri == "a.csv"
    assert config.evaluation.snr_db == (5.0, 0.0)
    assert config.words[0].text == "hey there, nova"
    assert config.tracking.wandb_project == ""
    assert load_config(path).training.epochs != 5


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("training.epochs", "must look like section.key=value"),
        ("=3", "must look like section.key=value"),
        ("training.epochs=[1", "the value is not valid YAML"),
        ("name.first=a", "name is a value, not a section"),
        ("words.3.label=a", "'3' is no index of a list with 1 entries"),
        ("words.first.label=a", "'first' is no index of a list"),
        ("training.epoch=3", "unknown key training.epoch = 3; did you mean 'epochs'?"),
    ],
)
def test_overrides_that_cannot_be_meant(tmp_path: Path, override: str, sentence: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("name: run\nwords: [{label: hey_nova}]\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, [override])
    assert sentence in str(caught.value)


def test_an_override_works_on_a_plain_tree() -> None:
    tree: dict[str, object] = {}
    apply_override(tree, "a.b=[1, {c: 2}]")
    apply_override(tree, "a.b.1.c=x")
    assert tree == {"a": {"b": [1, {"c": "x"}]}}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not exist: give the path of a YAML recipe"),
        (b"words: [", "is not valid YAML"),
        (b"\xff\xfe\x00", "is not valid YAML"),
        (b"- a\n- b\n", "must be a mapping of sections, found list"),
        (b"", "must be a mapping of sections, found NoneType"),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "recipe.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


def test_a_saved_config_comes_back_the_same(tmp_path: Path) -> None:
    config = load_config(None, [WORDS, "training.epochs=3", "data.sources=[{type: folder, uri: été}]"])
    save_config(config, tmp_path / "config.yaml")
    assert load_config(tmp_path / "config.yaml") == config
    assert "été" in config_yaml(config)


def test_the_hash_follows_the_values_alone() -> None:
    one, other = validate_config(_tree()), validate_config(_tree(training={"epochs": 31}))
    assert config_hash(one.training) != config_hash(other.training)
    assert config_hash(one.model) == config_hash(other.model)
    assert config_hash(one.training, one.model) != config_hash(one.model, one.training)


def test_the_schema_describes_every_section() -> None:
    schema = config_schema()
    assert set(schema["properties"]) >= {"words", "training", "compute", "tracking"}
    assert "epochs" in json.dumps(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_tree(training={"epochs": 0}), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_tree(trainig={}), schema)


def test_a_home_folder_in_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "r.yaml"
    path.write_text("words: [{label: nova}]\ndata: {sources: [{type: folder, uri: ~/clips}]}\nruns_dir: ~/runs\n")
    recording = "evaluation.recordings=[{uri: ~/long.wav, truth: ~/long.csv}]"
    more = [
        "synthesis.cache_dir=~/cache",
        "synthesis.sentences=~/sentences.txt",
        "serving.token_file=~/token",
        "distillation.teacher=~/run",
        recording,
    ]
    config = load_config(str(path), more)
    assert config.data.sources[0].uri == f"{tmp_path}/clips"
    assert config.runs_dir == f"{tmp_path}/runs"
    assert config.synthesis.cache_dir == f"{tmp_path}/cache"
    assert config.synthesis.sentences == f"{tmp_path}/sentences.txt"
    assert config.serving.token_file == f"{tmp_path}/token"
    assert config.distillation.teacher == f"{tmp_path}/run"
    assert (config.evaluation.recordings[0].uri, config.evaluation.recordings[0].truth) == (
        f"{tmp_path}/long.wav",
        f"{tmp_path}/long.csv",
    )
    assert load_config(str(path), ["data.sources.0.uri=s3://bucket/~x"]).data.sources[0].uri == "s3://bucket/~x"
