"""The verifier of an exported bundle: the real recogniser, as ONNX, on real recordings."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from tests.bundles import write_tone_bundle
from tests.export.conftest import small_config
from tests.export.test_bundle import METRICS, POINTS, finished_run
from tests.verified_bundle import write_verified_bundle
from wakeword.audio.io import read_audio
from wakeword.config import save_config
from wakeword.errors import BundleError, ConfigError, MissingExtraError, RunError
from wakeword.export.bundle import export_bundle, set_operating_points
from wakeword.export.readiness import readiness_lines
from wakeword.export.verifier import make_verifier, verify_verifier
from wakeword.phonetics.fusion import shipped_fusion
from wakeword.runtime import Bundle, load_bundle
from wakeword.runtime.manifest import ProbabilityMap
from wakeword.runtime.verifier import Verifier

pytestmark = pytest.mark.slow
"""An export of the real recogniser takes a minute; `tests/runtime/test_verifier.py` holds the contract in seconds."""

PHRASES = {"hey_nova": "alexa", "stop": "jarvis"}
"""The labels are those of `small_bundle`, whose graph is taken: tracing it once more would take long."""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = [{"label": label, "phrase": phrase} for label, phrase in PHRASES.items()]
    return finished_run(tmp_path_factory.mktemp("verified") / "run", words=words, export={"verifier": "phonetic"})


@pytest.fixture(autouse=True)
def _one_graph(small_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wakeword.export.onnx.export_onnx", lambda *_: (small_bundle / "model.onnx").read_bytes())


@pytest.fixture(scope="module")
def exported(run_folder: Path, small_bundle: Path) -> Bundle:
    """A bundle with the real recogniser; the export itself checks that it equals the original."""
    pytest.importorskip("hama", reason="the phoneme recogniser is in the extra [phonetics]")
    with mock.patch("wakeword.export.onnx.export_onnx", return_value=(small_bundle / "model.onnx").read_bytes()):
        return load_bundle(export_bundle(run_folder))


def test_what_the_bundle_holds(exported: Bundle) -> None:
    part = exported.manifest.verifier
    assert part is not None
    assert (part.kind, part.recogniser, part.rate_hz, part.tokens) == ("phonetic", "hama", 50.0, 191)
    assert (part.before_s, part.after_s) == (1.8, 0.3)
    assert part.fusion == shipped_fusion()
    assert [word.label for word in part.words] == list(PHRASES)
    assert [word.trigger_threshold for word in part.words] == pytest.approx([1 / (1 + np.exp(2.5))] * 2, abs=1e-6)
    size = sum(entry.bytes for entry in exported.manifest.files.values())
    assert size <= 8_000_000
    card = (exported.path / "MODEL_CARD.md").read_text()
    for expected in ("`hama`", "Apache-2.0", "MIT", "its training data is not published", shipped_fusion().made):
        assert expected in card
    lines = list(readiness_lines(exported))
    assert lines[0].startswith("verifier.onnx: ")
    assert lines[1:] == [f"{label}: not evaluated, its threshold is a default" for label in exported.labels]


def heard(recordings: Path, label: str, count: int) -> np.ndarray:
    """Windows `(count, 33600)` that end with the recordings of a word."""
    files = sorted((recordings / "positive" / label).glob("*.flac"))[::7][:count]
    clips = [read_audio(file)[-33_600:] for file in files]
    return np.stack([np.pad(clip, (33_600 - len(clip), 0)) for clip in clips])


def test_the_exported_recogniser_tells_real_words_apart_as_the_original_does(
    exported: Bundle, recordings: Path
) -> None:
    verifier = Verifier(exported)
    assert verifier.before_samples + verifier.after_samples == 33_600
    for label, phrase in PHRASES.items():
        log_probs = verifier.log_probs(heard(recordings, phrase, 8))
        means = {one: verifier.measure(one, log_probs).mean for one in PHRASES}
        other = next(one for one in PHRASES if one != label)
        assert (means[label] > means[other]).mean() >= 0.8
    from wakeword.phonetics.recogniser import open_recogniser

    windows = [*heard(recordings, "alexa", 4), *heard(recordings, "jarvis", 4)]
    recogniser = open_recogniser()
    assert 0 < verify_verifier(exported, recogniser, 1e-4, windows) < 1e-4
    with pytest.raises(RunError, match=r"differs from the original by .*parity_tolerance=1e-09"):
        verify_verifier(exported, recogniser, 1e-9, windows)


def test_a_trigger_costs_at_most_30_ms(exported: Bundle, recordings: Path) -> None:
    verifier = Verifier(exported)
    costs = []
    for window in heard(recordings, "alexa", 8):
        began = time.process_time()
        verifier.fused("stop", [0.5], verifier.measure("stop", verifier.log_probs(window[None])))
        costs.append(time.process_time() - began)
    assert np.median(costs) <= 0.03


def test_it_runs_without_torch_and_without_hama(exported: Bundle) -> None:
    program = (
        "import sys, numpy as np\n"
        "for name in ('torch', 'ray', 'tensorflow', 'scipy', 'onnx', 'hama', 'pyarrow', 'soundfile', 'pandas'):\n"
        "    sys.modules[name] = None\n"
        "from wakeword.runtime import Detector, load_bundle\n"
        f"detector = Detector(load_bundle({str(exported.path)!r}), threshold=0.0)\n"
        "noise = 0.1 * np.random.default_rng(0).standard_normal(48_000).astype(np.float32)\n"
        "found = detector.process(noise) + detector.flush()\n"
        "print(len(found), detector.verification.measured)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    events, measured = map(int, done.stdout.split())
    assert events >= 1, done.stderr
    assert measured >= events


def test_the_recogniser_that_differs_is_not_exported(
    run_folder: Path, exported: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The weights of the graph are not those of the original."""
    import torch

    from wakeword.phonetics import recogniser as recognisers

    opened = recognisers.open_recogniser()
    with torch.no_grad():
        opened.network.head.bias[:20] += 0.01
    monkeypatch.setattr(recognisers, "open_recogniser", lambda: opened)
    with pytest.raises(RunError, match="no bundle was written"):
        export_bundle(run_folder, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_the_export_says_what_to_install(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "hama", None)
    with pytest.raises(MissingExtraError, match=r"wakeword\[phonetics\]"):
        export_bundle(run_folder, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_users_pronunciation_is_among_those_of_the_word(exported: Bundle) -> None:
    plain = exported.manifest.verifier
    assert plain is not None
    words = [{"label": "alexa", "phonemes": "bˈiː"}, {"label": "jarvis"}]
    made = make_verifier(small_config(words=words)).part["words"]
    before = {len(one.tokens) for one in plain.words[0].pronunciations}
    assert len("bi") in {len(one["tokens"]) for one in made[0]["pronunciations"]} - before
    with pytest.raises(ConfigError):
        make_verifier(small_config(words=[{"label": "silence", "phrase": "..."}]))


def test_operating_points_of_the_verifier(tmp_path: Path) -> None:
    folder = write_verified_bundle(tmp_path / "bundle")
    recogniser = (folder / "verifier.onnx").read_bytes()
    fused = {
        "alpha": [{"fah_target": 0.5, "threshold": 0.21, "ready": True}, {"fah_target": 0.1, "threshold": 0.9}],
        "beta": [{"fah_target": 0.5, "threshold": 0.33, "ready": False, "near_miss_share": 0.1}],
    }
    maps = {"alpha": {"slope": 1.5, "offset": -0.25, "prior": 0.4}}
    bundle = set_operating_points(folder, POINTS, METRICS, verifier_points=fused, verifier_maps=maps)
    part = bundle.manifest.verifier
    assert part is not None
    assert bundle.thresholds_for() == [0.61, 0.7]
    assert bundle.thresholds_for(verified=True) == [0.21, 0.33]
    assert bundle.thresholds_for(0.5, verified=True) == [0.21, 0.33]
    assert [word.ready for word in part.words] == [True, False]
    assert [word.probability_map for word in part.words] == [ProbabilityMap(**maps["alpha"]), None]
    assert bundle.manifest.words[0].probability_map is None
    assert (folder / "verifier.onnx").read_bytes() == recogniser
    card = (folder / "MODEL_CARD.md").read_text()
    assert "0.2100 (chosen by evaluation, **ready**)" in card
    assert "near_miss_share" in card
    kept = set_operating_points(folder, POINTS, METRICS)
    assert kept.manifest.verifier == part, "without points to write, the bundle's stay"
    other = set_operating_points(folder, {}, METRICS, default_fah=0.1, verifier_points={"alpha": fused["alpha"]})
    assert other.thresholds_for(verified=True) == [0.9, 0.33]
    before = (folder / "wake.json").read_bytes()
    with pytest.raises(BundleError, match="no word gamma"):
        set_operating_points(folder, {}, {}, verifier_points={"gamma": []})
    with pytest.raises(BundleError, match="threshold"):
        set_operating_points(folder, {}, {}, verifier_points={"beta": [{"fah_target": 0.5, "threshold": 2.0}]})
    assert (folder / "wake.json").read_bytes() == before


def test_a_bundle_without_a_verifier_takes_no_points_of_one(tmp_path: Path) -> None:
    folder = write_tone_bundle(tmp_path / "bundle")
    with pytest.raises(BundleError, match="holds no verifier"):
        set_operating_points(folder, POINTS, METRICS, verifier_points={"alpha": []})
    set_operating_points(folder, POINTS, METRICS)
    assert "verifier" not in json.loads((folder / "wake.json").read_text())


def test_the_field_is_read_from_the_run(tmp_path: Path) -> None:
    """The default is a bundle without a verifier."""
    run = finished_run(tmp_path / "run")
    assert load_bundle(export_bundle(run)).manifest.verifier is None
    save_config(small_config(export={"verifier": "phonetic"}), run / "config.yaml")
    pytest.importorskip("hama", reason="the phoneme recogniser is in the extra [phonetics]")
    assert load_bundle(export_bundle(run)).manifest.verifier is not None
