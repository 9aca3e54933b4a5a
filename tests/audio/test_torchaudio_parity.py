"""Mel filters, log-mel features, MFCC and resampling against torchaudio's."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchaudio
from scipy.fft import dct
from scipy.signal import chirp

from tests.audio.test_frontend import offline, speechlike
from wakeword.audio.frontend import LOG_CENTRE_DB, LOG_SCALE_DB, Frontend, mel_filters
from wakeword.config.frontend import SAMPLE_RATE_HZ, FrontendConfig
from wakeword.runtime.resampling import StreamResampler

N_FFT = 512
CONFIG = FrontendConfig(window_ms=30.0, hop_ms=10.0, n_mels=40, f_min_hz=60.0, f_max_hz=7600.0)


def mel_arguments(scale: str) -> dict[str, object]:
    """torchaudio's arguments for the frames and filters of `CONFIG`, on the mel scale `scale`."""
    return {
        "n_fft": N_FFT,
        "win_length": 480,
        "hop_length": 160,
        "f_min": CONFIG.f_min_hz,
        "f_max": CONFIG.f_max_hz,
        "n_mels": CONFIG.n_mels,
        "center": False,
        # The front end samples its Hann window between the samples, so that it is symmetric.
        "window_fn": lambda length: torch.cos(torch.pi * (torch.arange(length) - (length - 1) / 2) / length) ** 2,
        "norm": "slaney" if scale == "slaney" else None,
        "mel_scale": scale,
    }


def placed(audio: torch.Tensor) -> torch.Tensor:
    """`audio` with zeros around it: torchaudio's frame `i` then covers the samples of the front end's frame `i`."""
    frontend, surplus = Frontend(CONFIG), (N_FFT - 480) // 2
    # As many decibels as the front end's scale has, in which a full-scale sine has power 1.
    window = np.sin(np.pi * (np.arange(480) + 0.5) / 480) ** 2
    return torch.nn.functional.pad(audio * (2.0 / window.sum()), (frontend.overlap + surplus, surplus))


def decibels(features: torch.Tensor) -> np.ndarray:
    return features.double().numpy() * LOG_SCALE_DB + LOG_CENTRE_DB


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize(("n_fft", "mels", "low", "high"), [(512, 40, 60.0, 7600.0), (1024, 64, 0.0, 8000.0)])
def test_mel_filters(n_fft: int, mels: int, low: float, high: float, scale: str) -> None:
    norm = "slaney" if scale == "slaney" else None
    theirs = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, low, high, mels, SAMPLE_RATE_HZ, norm=norm, mel_scale=scale
    )
    np.testing.assert_allclose(mel_filters(n_fft, mels, low, high, scale), theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_log_mel_features(scale: str) -> None:
    audio = speechlike(2, SAMPLE_RATE_HZ)
    ours = decibels(offline(CONFIG.model_copy(update={"mel_scale": scale}), audio))
    power = torchaudio.transforms.MelSpectrogram(SAMPLE_RATE_HZ, **mel_arguments(scale))(placed(audio))
    # The front end adds its floor, -80 dB, to the power of each band.
    theirs = 10 * np.log10(power.double().numpy().swapaxes(1, 2) + 1e-8)
    assert theirs.shape == ours.shape == (2, 100, 40)
    np.testing.assert_allclose(ours, theirs, atol=0.01)


def test_mfcc() -> None:
    """torchaudio's MFCC are an orthonormal cosine transform of the log-mel features in decibels."""
    audio = 0.1 * torch.randn(1, SAMPLE_RATE_HZ, generator=torch.Generator().manual_seed(0))
    # torchaudio has no floor to add; this one is far below the noise.
    config = CONFIG.model_copy(update={"floor_db": -120.0})
    frontend = Frontend(config)
    features = frontend(audio, frontend.initial_state(1))[0]
    ours = dct(decibels(features)[0], type=2, norm="ortho", axis=1)[:, :20]
    transform = torchaudio.transforms.MFCC(SAMPLE_RATE_HZ, n_mfcc=20, melkwargs=mel_arguments("htk"))
    theirs = transform(placed(audio))[0].T.numpy()
    np.testing.assert_allclose(ours, theirs, atol=0.02)
    assert np.abs(ours).max() > 100


@pytest.mark.parametrize("rate_hz", [8_000, 22_050, 44_100, 48_000])
def test_resampling(rate_hz: int) -> None:
    """A sweep in the band that both filters pass comes out the same, sample for sample."""
    time_s = np.arange(rate_hz) / rate_hz
    top_hz = 0.8 * min(rate_hz, SAMPLE_RATE_HZ) / 2
    audio = torch.from_numpy((0.5 * chirp(time_s, 50.0, 1.0, top_hz)).astype(np.float32))[None]
    resampler = StreamResampler(rate_hz)
    ours = np.concatenate([resampler.push(audio.numpy()), resampler.finish()], axis=1)[0]
    theirs = torchaudio.functional.resample(
        audio, rate_hz, SAMPLE_RATE_HZ, lowpass_filter_width=64, rolloff=0.95,
        resampling_method="sinc_interp_kaiser", beta=14.77,
    )[0].numpy()  # fmt: skip
    assert len(ours) == pytest.approx(SAMPLE_RATE_HZ, abs=1)
    inside = slice(200, -200)
    error = np.sqrt(np.mean((ours[:16_000][inside] - theirs[:16_000][inside]) ** 2))
    assert error < 1e-4 * 0.5 / np.sqrt(2)  # 80 dB below the sweep


def extension_loads() -> bool:
    return bool(importlib.import_module("torchaudio._extension")._IS_TORCHAUDIO_EXT_AVAILABLE)


GUARD = "from wakeword.system.torchaudio_guard import guard_torchaudio as guard; guard(); guard(); "


def test_with_the_guard_it_is_imported_beside_any_torch() -> None:
    """In a process of its own, as a Ray worker has it: transformers' audio code imports torchaudio."""
    code = GUARD + "from transformers.audio_utils import load_audio; import sys; print('torchaudio' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "True", answer.stderr[-500:]


def test_the_guard_imports_nothing() -> None:
    code = (
        f"import sys; {GUARD}print(sorted({{name.partition('.')[0] for name in sys.modules}} & {{'torch', 'numpy'}}))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_what_needs_the_extension_says_so() -> None:
    if extension_loads():
        pytest.skip("torchaudio's extension loads beside this torch: nothing is missing")
    with pytest.raises(RuntimeError, match=r"forced_align this needs torchaudio's compiled extension"):
        torchaudio.functional.forced_align(torch.zeros(1, 5, 3).log_softmax(-1), torch.ones(1, 2, dtype=torch.int32))
