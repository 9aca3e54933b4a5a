"""Front end: against librosa, streaming against offline, each field's effect."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.audio.frontend import Frontend, mel_filters
from wakeword.config.frontend import FrontendConfig, PcenConfig
from wakeword.errors import ConfigError

KINDS = ("log_mel", "pcen")


def speechlike(batch: int, samples: int, seed: int = 0) -> torch.Tensor:
    """Noise whose level swells and fades as syllables do."""
    generator = torch.Generator().manual_seed(seed)
    swell = torch.sin(torch.arange(samples) / 16000 * 2 * torch.pi * 3).clamp(min=0.02)
    return 0.1 * torch.randn(batch, samples, generator=generator) * swell


def offline(config: FrontendConfig, audio: torch.Tensor) -> torch.Tensor:
    frontend = Frontend(config)
    return frontend(audio, frontend.initial_state(audio.shape[0]))[0]


@pytest.mark.parametrize(("n_fft", "mels", "low", "high"), [(512, 40, 60.0, 7600.0), (1024, 64, 0.0, 8000.0)])
def test_filters_are_librosas_htk_filters(n_fft: int, mels: int, low: float, high: float) -> None:
    theirs = librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=mels, fmin=low, fmax=high, htk=True, norm=None)
    np.testing.assert_allclose(mel_filters(n_fft, mels, low, high).T, theirs, atol=1e-5)


@pytest.mark.parametrize(("n_fft", "mels", "low", "high"), [(512, 32, 60.0, 3800.0), (1024, 64, 0.0, 8000.0)])
def test_slaney_filters_are_librosas(n_fft: int, mels: int, low: float, high: float) -> None:
    theirs = librosa.filters.mel(sr=16000, n_fft=n_fft, n_mels=mels, fmin=low, fmax=high)
    np.testing.assert_allclose(mel_filters(n_fft, mels, low, high, "slaney").T, theirs, atol=1e-7)


def test_log_mel_is_the_textbook_formula() -> None:
    """Against an independent computation: numpy's FFT, librosa's filters."""
    config = FrontendConfig()
    audio = speechlike(1, 16000)
    window = np.sin(np.pi * (np.arange(480) + 0.5) / 480) ** 2
    padded = np.concatenate([np.zeros(320), audio[0].double().numpy()])
    frames = np.stack([padded[i * 160 : i * 160 + 480] * window for i in range(100)])
    power = np.abs(np.fft.rfft(frames, 512)) ** 2 * (2 / window.sum()) ** 2
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=40, fmin=60, fmax=7600, htk=True, norm=None, dtype=float)
    expected = (10 * np.log10(power @ filters.T + 1e-8) + 50) / 20
    np.testing.assert_allclose(offline(config, audio)[0].numpy(), expected, atol=2e-4)


def test_pcen_is_the_recursive_formula() -> None:
    config = FrontendConfig(kind="pcen")
    audio = speechlike(1, 16000)
    log_mel = offline(FrontendConfig(), audio)[0].double().numpy()
    energy = 10 ** ((log_mel * 20 - 50) / 10) - 1e-8
    smooth, rows = np.zeros(40), []
    for row in energy:
        smooth = 0.975 * smooth + 0.025 * row
        rows.append((row / (1e-8 + smooth) ** 0.98 + 2.0) ** 0.5 - 2.0**0.5)
    np.testing.assert_allclose(offline(config, audio)[0].numpy() * 0.6 + 0.4, np.stack(rows), atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 30), min_size=1, max_size=6), window=st.sampled_from([10.0, 25.0, 30.0, 32.0]))
def test_streaming_equals_offline_at_any_chunking(kind: str, cuts: list[int], window: float) -> None:
    frontend = Frontend(FrontendConfig(kind=kind, window_ms=window))
    audio = speechlike(2, sum(cuts) * frontend.hop)
    whole, last = frontend(audio, frontend.initial_state(2))
    state, parts, place = frontend.initial_state(2), [], 0
    for cut in cuts:
        features, state = frontend(audio[:, place : place + cut * frontend.hop], state)
        assert features.shape == (2, cut, 40)
        parts.append(features)
        place += cut * frontend.hop
    assert state.shape == (2, frontend.state_size)
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(state, last, atol=1e-5, rtol=1e-5)


def test_frame_i_sees_the_window_that_ends_before_sample_i_plus_one_hops() -> None:
    frontend = Frontend(FrontendConfig())
    quiet = frontend(torch.zeros(1, 1600), frontend.initial_state(1))[0]

    def seen_by(sample: int) -> list[int]:
        audio = torch.zeros(1, 1600)
        audio[0, sample] = 0.9
        loud = frontend(audio, frontend.initial_state(1))[0]
        return (loud - quiet).abs().amax(2)[0].nonzero()[:, 0].tolist()

    # The window's outermost samples weigh next to nothing, so samples a little inside are tested.
    assert seen_by(5 * 160 - 40) == [4, 5, 6]
    assert seen_by(5 * 160 + 40) == [5, 6, 7]


def test_full_scale_sine_is_zero_decibel() -> None:
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]
    decibel = offline(FrontendConfig(), tone)[0, 10:].max() * 20 - 50
    assert abs(float(decibel)) < 1.5


def test_real_speech_lies_in_a_sane_range(recordings) -> None:  # type: ignore[no-untyped-def]
    import soundfile

    clips = [
        soundfile.read(path, dtype="float32")[0] for path in sorted(recordings.glob("speech/**/*.flac"))[::400][:20]
    ]
    joined = np.concatenate(clips)
    audio = torch.from_numpy(joined[: len(joined) // 160 * 160][: 16000 * 20])[None]
    for kind in KINDS:
        features = offline(FrontendConfig(kind=kind), audio)
        assert abs(float(features.mean())) < 1.2
        assert 0.4 < float(features.std()) < 1.6


def test_digital_silence_and_full_scale_are_finite() -> None:
    for kind in KINDS:
        for audio in (torch.zeros(1, 16000), torch.ones(1, 16000), torch.rand(1, 16000) * 2 - 1):
            assert torch.isfinite(offline(FrontendConfig(kind=kind), audio)).all()


FIELDS = [
    ("window_ms", 25.0),
    ("f_min_hz", 100.0),
    ("f_max_hz", 7000.0),
    ("floor_db", -60.0),
    ("kind", "pcen"),
    ("mel_scale", "slaney"),
]


@pytest.mark.parametrize(("name", "value"), FIELDS)
def test_each_field_changes_the_features(name: str, value: object) -> None:
    audio = speechlike(1, 16000)
    before = offline(FrontendConfig(), audio)
    after = offline(FrontendConfig.model_validate({name: value}), audio)
    assert (before - after).abs().mean() > 1e-3


def test_hop_and_mels_shape_the_features() -> None:
    assert offline(FrontendConfig(hop_ms=20.0, n_mels=64), speechlike(1, 16000)).shape == (1, 50, 64)


@pytest.mark.parametrize(("name", "value"), [("smoothing", 0.06), ("gain", 0.7), ("bias", 1.0), ("power", 0.25)])
def test_each_pcen_field_changes_the_features(name: str, value: float) -> None:
    audio = speechlike(1, 16000)
    before = offline(FrontendConfig(kind="pcen"), audio)
    after = offline(FrontendConfig(kind="pcen", pcen=PcenConfig.model_validate({name: value})), audio)
    assert (before - after).abs().mean() > 1e-2


def test_pcen_hardly_hears_the_level() -> None:
    audio = speechlike(1, 32000)
    loud, quiet = (offline(FrontendConfig(kind="pcen"), audio * gain)[:, 100:] for gain in (1.0, 0.1))
    assert (loud - quiet).abs().mean() < 0.15
    loud, quiet = (offline(FrontendConfig(), audio * gain)[:, 100:] for gain in (1.0, 0.1))
    assert (loud - quiet).abs().mean() > 0.7


def test_audio_of_no_whole_hop_is_refused() -> None:
    frontend = Frontend(FrontendConfig())
    with pytest.raises(ValueError, match="multiple of 160"):
        frontend(torch.zeros(1, 100), frontend.initial_state(1))


def test_filters_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_mels"):
        Frontend(FrontendConfig(n_mels=128, f_min_hz=60, f_max_hz=300))


def test_many_mels_take_a_longer_transform() -> None:
    frontend = Frontend(FrontendConfig(n_mels=128))
    assert float(frontend.filters.amax(0).min()) > 0


@pytest.mark.timeout(600)
def test_exported_features_are_the_same_down_to_silence(tmp_path: Path) -> None:
    """The exporter's optimiser removes the addition of constants near 0: quiet audio is what shows it."""
    import onnxruntime

    frontend = Frontend(FrontendConfig())
    streams, frames = torch.export.Dim("streams"), torch.export.Dim("frames")
    program = torch.onnx.export(
        frontend,
        (torch.zeros(3, 640), frontend.initial_state(3)),
        dynamo=True,
        opset_version=20,
        dynamic_shapes=({0: streams, 1: 160 * frames}, {0: streams}),
        input_names=["audio", "state"],
        external_data=False,
        verbose=False,
    )
    assert program is not None
    program.save(str(tmp_path / "frontend.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "frontend.onnx"))
    for gain in (0.0, 1e-4, 1e-2, 1.0):
        audio = gain * speechlike(2, 1600)
        state = frontend.initial_state(2)
        expected, _ = frontend(audio, state)
        features = session.run(None, {"audio": audio.numpy(), "state": state.numpy()})[0]
        np.testing.assert_allclose(features, expected.numpy(), atol=1e-5)
