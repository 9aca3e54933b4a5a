"""Sections `detector` and `export`: the bundle that a run becomes, and the events that it gives."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
import pytest
import torch

from tests.bundles import CONTEXT_SAMPLES, STEP_SAMPLES, tone, track, write_tone_bundle
from tests.config.effects.effect import Effect, Effects, check, config_with, falls, outcome, rises, shared_folder
from tests.config.effects.material import prepared
from tests.config.effects.test_training import SMALL, run
from wakeword.config import Config, save_config
from wakeword.export import onnx as onnx_export
from wakeword.export.bundle import export_bundle
from wakeword.export.manifest import build_manifest, graph_metadata
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector
from wakeword.training.checkpoint import load_trained


def events(sound: np.ndarray, config: Config, folder: Path) -> int:
    """Events of a bundle with the detector times of the config."""
    manifest = build_manifest(config, STEP_SAMPLES, CONTEXT_SAMPLES, CONTEXT_SAMPLES, {})
    bundle = write_tone_bundle(folder / "bundle", ("alpha",), detector=manifest["detector"])
    detector = Detector(load_bundle(bundle))
    return len(detector.process(sound) + detector.flush())


def of_two_words(config: Config, folder: Path) -> int:
    return events(track([("alpha", 1.0), ("alpha", 1.9)], 4.0), config, folder)


def of_a_growing_word(config: Config, folder: Path) -> int:
    """Of a tone that becomes louder after a dip."""
    sound = track([("alpha", 1.4)], 3.0)
    sound[16_000:19_200] += 0.3 * tone("alpha", 0.2)
    return events(sound, config, folder)


def of_a_click(config: Config, folder: Path) -> int:
    """Of a tone that just reaches the threshold for a moment."""
    sound = track([], 3.0)
    sound[16_000:19_520] += tone("alpha", 0.22)
    return events(sound, config, folder)


@cache
def trained() -> Path:
    folder = shared_folder("exported") / "run"
    run(config_with({**SMALL, "training.steps_per_epoch": 1}), folder)
    return folder


@cache
def graph() -> bytes:
    """The graph of that run; tracing it takes seconds, so it is done once."""
    model, config = load_trained(trained())
    manifest = build_manifest(config, model.step_samples, model.state_size, model.context_samples, {})
    return onnx_export.export_onnx(model, config.export.opset, graph_metadata(manifest))


def exported(config: Config, folder: Path) -> Any:
    """Forms of the model in the run's bundle, or why there is no bundle; the converter to TFLite is not installed."""
    graph()
    save_config(config, trained() / "config.yaml")
    with (
        mock.patch.object(onnx_export, "export_onnx", return_value=graph()),
        mock.patch.object(importlib.util, "find_spec", return_value=None),
    ):
        made = outcome(lambda: export_bundle(trained(), folder / "bundle", prepared_dir=prepared()))
    return made if isinstance(made, str) else load_bundle(made).variants


def with_verifier(config: Config, folder: Path) -> Any:
    """Whether the bundle holds a verifier, or why there is no bundle; the recogniser's package is not installed."""
    graph()
    save_config(config, trained() / "config.yaml")
    with (
        mock.patch.object(onnx_export, "export_onnx", return_value=graph()),
        mock.patch.dict(sys.modules, {"hama": None}),
    ):
        made = outcome(lambda: export_bundle(trained(), folder / "bundle", prepared_dir=prepared()))
    return made if isinstance(made, str) else load_bundle(made).manifest.verifier is not None


def chunk(config: Config, folder: Path) -> float:
    return build_manifest(config, STEP_SAMPLES, CONTEXT_SAMPLES, CONTEXT_SAMPLES, {})["chunk_ms"]


def opset(config: Config, folder: Path) -> int:
    """The opset that is requested of torch, as the error of a refused export names it."""

    def refuse(*args: Any, opset_version: int, **options: Any) -> None:
        raise RuntimeError(f"refused at {opset_version}")

    save_config(config, trained() / "config.yaml")
    with mock.patch.object(torch.onnx, "export", refuse):
        message = outcome(lambda: export_bundle(trained(), folder / "bundle"))
    return int(message.partition("refused at ")[2].partition(")")[0])


EFFECTS: Effects = {
    "detector.smoothing_s": Effect(of_a_click, 1.0, holds=falls),
    "detector.nms_window_s": Effect(of_a_growing_word, 1.0, given={"detector.refractory_s": 0.1}, holds=falls),
    "detector.refractory_s": Effect(of_two_words, 0.3, holds=rises),
    "export.chunk_ms": Effect(chunk, 160, holds=rises),
    "export.opset": Effect(opset, 18, given=SMALL, holds=falls),
    "export.int8": Effect(exported, True, given=SMALL),
    "export.tflite": Effect(exported, True, given=SMALL),
    "export.verifier": Effect(with_verifier, "phonetic", given=SMALL),
    "export.parity_tolerance": Effect(exported, 1e-12, given=SMALL),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])


def test_the_graph_is_one_of_onnx() -> None:
    onnx.checker.check_model(onnx.load_from_string(graph()))
