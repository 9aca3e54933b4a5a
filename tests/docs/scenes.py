"""What lies in the working folder when a page's examples begin, and the overrides that keep them short."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.docs.pages import ROOT
from tests.tiny import RATE_HZ, tone
from tests.verified_bundle import spoken_track, verifier_part, write_verified_bundle
from wakeword.audio.io import write_wav
from wakeword.config import load_config
from wakeword.pipeline import run_pipeline

OVERRIDES: dict[str, list[str]] = {
    # Tones of one kind are near copies of each other by any fingerprint.
    "TINY": [
        "data.quality.duplicates=equal",
        "model.width=0.5",
        "training.epochs=1",
        "training.steps_per_epoch=2",
        "training.batch_size=8",
        "compute.workers=0",
        "evaluation.snr_db=[10]",
        "evaluation.codecs=[]",
    ],
    "FEW_CLIPS": [
        "synthesis.engines={espeak: 1.0}",
        "synthesis.hold_out=[]",
        "synthesis.clips_per_word=24",
        "synthesis.speech_clips=24",
        "synthesis.negative_hours=0.01",
        "synthesis.near_miss_test_clips=4",
        "synthesis.noises=4",
        "synthesis.rooms=4",
    ],
    "FEW_WINDOWS": ["training.replay_windows=64", "training.replay_batch=16", "model.width=2.0"],
}
"""`<!-- with: TINY … -->` in a page stands for these."""

RECIPE = """\
name: hey_nova
words:
  - label: hey_nova
    phrase: hey nova
data:
  sources:
    - type: folder
      uri: recordings
  quality: {duplicates: equal}
frontend: {n_mels: 16}
model: {width: 0.5, pool_frames: 5}
training: {epochs: 2, steps_per_epoch: 3, batch_size: 8, window_s: 0.8}
evaluation: {snr_db: [10.0], codecs: [], far: false, near: false}
compute: {workers: 0, device: cpu}
"""
"""The recipe that pages with a finished run begin with."""


def write_recordings(folder: Path) -> None:
    """`recordings/LABEL/SPEAKER/N.wav`: two words of rising and falling tones, speech of others, noise, a room."""
    chance = np.random.default_rng(0)
    for number in range(12):
        speaker = f"speaker{number:02d}"
        for take in range(2):
            sounds = {
                "hey_nova": tone(chance, (600, 1500)),
                "stop": tone(chance, (1800, 500)),
                "speech": np.concatenate([tone(chance, tuple(chance.permutation([300, 2500, 900])))] * 2),
            }
            for label, audio in sounds.items():
                path = folder / "recordings" / label / speaker / f"{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_wav(path, audio)
    for number in range(6):
        noise = chance.normal(scale=0.05, size=2 * RATE_HZ).astype(np.float32)
        response = (chance.normal(size=1600) * np.exp(-np.arange(1600) / 200) * 0.1).astype(np.float32)
        response[0] = 0.9
        for label, audio in (("noise", noise), ("rir", response)):
            path = folder / "recordings" / label / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, audio)
    write_wav(folder / "recording.wav", np.concatenate([tone(chance, (600, 1500))] * 4))


def write_finished(folder: Path) -> None:
    """Recordings, `hey_nova.yaml` and its finished run `runs/hey_nova`."""
    write_recordings(folder)
    (folder / "hey_nova.yaml").write_text(RECIPE, encoding="utf-8")
    run_pipeline(load_config("hey_nova.yaml"), runner="local")


def write_verified(folder: Path) -> None:
    """The bundle of a run with a verifier and operating points, and a recording of its word."""
    part = verifier_part(["alpha"])
    points = [{"fah_target": target, "threshold": limit} for target, limit in ((0.1, 0.9), (0.5, 0.4), (1.0, 0.2))]
    part["words"][0]["operating_points"] = points
    write_verified_bundle(folder / "runs" / "hey_nova" / "bundle", ("alpha",), part=part)
    write_wav(folder / "recording.wav", spoken_track([("alpha", 0.5)], [("alpha", 2.0)], 4.0))


def write_checkout(folder: Path) -> None:
    """The files of this checkout that a new module is added to."""
    for name in ("wakeword", "tests", "configs", "jobs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, folder)
    write_recordings(folder)
    (folder / "hey_nova.yaml").write_text(RECIPE, encoding="utf-8")


def write_nothing(folder: Path) -> None:
    """An empty folder with one recording."""
    write_wav(folder / "recording.wav", np.concatenate([tone(np.random.default_rng(0), (600, 1500))] * 4))


@contextmanager
def served() -> Iterator[None]:
    """The endpoint serves `runs/hey_nova/bundle` at WAKEWORD_URL, on its own server without Ray."""
    from tests.serve.conftest import TOKEN, LocalGateway

    gateway = LocalGateway(Path("runs/hey_nova/bundle").absolute())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAKEWORD_TOKEN", TOKEN)
        patch.setenv("WAKEWORD_URL", f"http://127.0.0.1:{gateway.port}")
        yield
    gateway.stop()


@dataclass(frozen=True)
class Scene:
    """How a page's working folder is made, and what runs beside its examples.

    `slow_ray`: its slow commands prepare data or train trials, which needs a Ray.
    """

    make: Callable[[Path], None] = write_nothing
    without: str = ""
    """A file that the page itself writes."""
    slow_ray: bool = False
    beside: Callable[[], AbstractContextManager[None]] = nullcontext


SCENES: dict[str, Scene] = {
    "tutorial/phrase.md": Scene(write_finished, without="hey_nova.yaml", slow_ray=True),
    "tutorial/recordings.md": Scene(write_recordings, slow_ray=True),
    "tutorial/several_words.md": Scene(write_recordings, slow_ray=True),
    "howto/cluster.md": Scene(write_checkout),
    "howto/sweep.md": Scene(write_finished, slow_ray=True),
    "howto/serve.md": Scene(write_finished, beside=served),
    "howto/microphone.md": Scene(write_finished),
    "howto/verify.md": Scene(write_verified),
    "howto/evaluate.md": Scene(write_finished),
    "howto/mine.md": Scene(write_finished),
    "howto/cut.md": Scene(write_recordings),
    "howto/model_family.md": Scene(write_checkout),
    "howto/tts_engine.md": Scene(write_checkout),
    "howto/data_source.md": Scene(write_checkout),
}
"""Page to its scene; a page that is not here begins in a folder with one recording."""
