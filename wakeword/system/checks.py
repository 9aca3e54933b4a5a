"""Checks of installed packages for `wakeword doctor`: each does a small computation and verifies its result."""

from __future__ import annotations

import importlib
import importlib.util
import io
import shutil
import subprocess
import sys
from typing import Any


class CheckFailed(Exception):
    """The part is installed but does not work; the message states the fault."""


class NotHere(Exception):
    """The part needs a system package that is absent; the message names it."""


def check_numpy() -> str:
    """A Fourier transform finds a tone."""
    import numpy as np

    tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    found = int(np.abs(np.fft.rfft(tone)).argmax())
    require(found == 440, f"a 440 Hz tone was found at {found} Hz")
    return "finds a tone at 440 Hz"


def check_pydantic() -> str:
    """A model refuses an unknown key."""
    import pydantic

    model = pydantic.create_model("Recipe", __config__=pydantic.ConfigDict(extra="forbid"), training=(int, 0))
    try:
        model.model_validate({"trainig": 1})
    except pydantic.ValidationError as error:
        require("trainig" in str(error), f"a typo gave: {error}")
        return "a typo in a recipe is named"
    raise CheckFailed("a typo in a recipe was accepted")


def check_onnxruntime() -> str:
    """A graph of three nodes computes correct numbers."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(three_nodes(), options, providers=["CPUExecutionProvider"])
    x = np.array([-1.5, 0.0, 2.0, -4.0], np.float32)
    (y,) = session.run(None, {"x": x})
    require(np.array_equal(y, np.maximum(-(x + x), 0)), f"relu(-(x + x)) of {x} gave {y}")
    return "runs Add, Neg, Relu: " + ", ".join(p.removesuffix("ExecutionProvider") for p in session.get_providers())


def three_nodes() -> bytes:
    """An ONNX model `relu(-(x + x))` of 4 floats, encoded by hand: a core install has no `onnx` package."""

    def field(number: int, value: bytes | int) -> bytes:
        if isinstance(value, int):
            return bytes([number << 3, value])
        return bytes([number << 3 | 2, len(value)]) + value

    def node(kind: bytes, inputs: list[bytes], output: bytes) -> bytes:
        return field(1, b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind))

    def value_info(name: bytes) -> bytes:
        tensor = field(1, 1) + field(2, field(1, field(1, 4)))
        return field(1, name) + field(2, field(1, tensor))

    nodes = node(b"Add", [b"x", b"x"], b"a") + node(b"Neg", [b"a"], b"b") + node(b"Relu", [b"b"], b"y")
    graph = nodes + field(2, b"doctor") + field(11, value_info(b"x")) + field(12, value_info(b"y"))
    return field(1, 8) + field(8, field(2, 13)) + field(7, graph)


def check_torch() -> str:
    """A gradient is correct on the CPU and on the first GPU, if there is one."""
    import torch

    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for device in devices:
        x = torch.linspace(-1, 1, 64, device=device, requires_grad=True)
        (x**3).sum().backward()
        require(x.grad is not None and torch.allclose(x.grad, 3 * x.detach() ** 2), f"a wrong gradient on {device}")
    return "gradients are right on " + " and ".join(devices)


def check_ray() -> str:
    """The compiled part loads and the serialiser works; starting a cluster would take too long."""
    import ray
    import ray.cloudpickle

    answer = ray.cloudpickle.loads(ray.cloudpickle.dumps(lambda x: x + 1))(41)
    require(answer == 42 and not ray.is_initialized(), f"a function came back as {answer}")
    return "imports, carries functions"


def check_pyarrow() -> str:
    """A table survives Arrow IPC."""
    import pyarrow as pa

    table = pa.table({"audio": pa.array([b"\x00\x01", b"\x02\x03"], pa.large_binary())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    require(pa.ipc.open_file(sink.getvalue()).read_all().equals(table), "a table came back changed")
    return "Arrow IPC round trip"


def check_soundfile() -> str:
    """FLAC keeps every sample."""
    import numpy as np
    import soundfile

    audio = (np.random.default_rng(0).normal(size=1600) * 3000).astype(np.int16)
    buffer = io.BytesIO()
    soundfile.write(buffer, audio, 16_000, format="FLAC", subtype="PCM_16")
    buffer.seek(0)
    decoded, rate_hz = soundfile.read(buffer, dtype="int16")
    require(rate_hz == 16_000 and np.array_equal(decoded, audio), "FLAC changed the samples")
    return "FLAC round trip"


def check_soxr() -> str:
    """A tone at 48 kHz is resampled to 16 kHz."""
    import numpy as np
    import soxr

    tone = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000).astype(np.float32)
    low = soxr.resample(tone, 48_000, 16_000)
    require(len(low) == 16_000 and 0.65 < float(np.std(low)) < 0.75, "a resampled tone lost its level")
    return "resamples 48 to 16 kHz"


def check_psutil() -> str:
    """The memory of this process is measured."""
    import psutil

    from wakeword.system.resources import memory_bytes

    size, kind = memory_bytes(psutil.Process())
    require(size > 1 << 20, f"this process would use {size} bytes")
    return f"this process uses {size / 2**20:.0f} MiB ({kind.upper()})"


def check_safetensors() -> str:
    """Weights survive a round trip."""
    import numpy as np
    from safetensors.numpy import load, save

    weights = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}
    require(np.array_equal(load(save(weights))["w"], weights["w"]), "weights came back changed")
    return "weights round trip"


def check_optuna() -> str:
    """Ten trials of a parabola in a study in memory."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(lambda trial: (trial.suggest_float("x", -1, 1) - 0.5) ** 2, n_trials=10)
    require(study.best_value < 0.25, f"best of ten trials: {study.best_value}")
    return "ten trials in memory"


def check_websockets() -> str:
    """A message comes back over a real socket on loopback."""
    import asyncio

    import websockets

    async def echo(socket: Any) -> None:
        async for message in socket:
            await socket.send(message)

    async def run() -> bytes:
        async with websockets.serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with websockets.connect(f"ws://127.0.0.1:{port}", proxy=None) as client:
                await client.send(b"\x01\x02")
                answer = await client.recv()
                return answer if isinstance(answer, bytes) else answer.encode()

    require(asyncio.run(run()) == b"\x01\x02", "a message came back changed")
    return "echo over loopback"


def check_espeak() -> str:
    """The C library speaks a word."""
    import ctypes

    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    # Synchronous mode (2) hands the samples to a callback; flag 0x8000 keeps it from ending this process on errors.
    rate_hz = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0x8000)
    require(rate_hz > 0, f"espeak_Initialize returned {rate_hz}")
    samples_spoken = [0]

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def take(samples: int | None, count: int, events: int | None) -> int:
        samples_spoken[0] += count
        return 0

    library.espeak_SetSynthCallback(take)
    library.espeak_SetVoiceByName(b"en")
    word = b"nova"
    library.espeak_Synth(word, len(word) + 1, 0, 0, 0, 1, None, None)
    library.espeak_Terminate()
    require(samples_spoken[0] > rate_hz // 10, f"it spoke {samples_spoken[0]} samples")
    return f"speaks 'nova' in {samples_spoken[0] / rate_hz:.2f} s of speech"


def check_sounddevice() -> str:
    """PortAudio lists its devices."""
    try:
        import sounddevice
    except OSError as error:
        raise NotHere(f"{error}; on Debian: apt install libportaudio2") from error
    inputs = [device for device in sounddevice.query_devices() if device["max_input_channels"]]
    return f"{len(inputs)} microphone(s)"


def check_av() -> str:
    """A second of AAC in MPEG-4 is written and read back."""
    import av
    import numpy as np

    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        track = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        container.mux([*track.encode(frame), *track.encode(None)])
    sink.seek(0)
    with av.open(sink) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    require(abs(samples - 16_000) <= 2048, f"a second of AAC came back as {samples} samples")
    return f"reads m4a, webm, amr and wma with FFmpeg {av.ffmpeg_version_info}"


def check_plotly() -> str:
    """A figure becomes HTML."""
    import plotly.graph_objects as go

    text = go.Figure(go.Scatter(x=[1, 2], y=[3, 4])).to_html(include_plotlyjs=False, full_html=False)
    require("plotly" in text.lower(), "a figure gave no HTML")
    return "draws a figure"


def check_tensorboardx() -> str:
    """A scalar is written to an event file."""
    import tempfile
    from pathlib import Path

    from tensorboardX import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            writer.add_scalar("loss", 0.5, 1)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    require(size > 50, f"the event file has {size} bytes")
    return "writes an event file"


def check_litert() -> str:
    """The interpreter loads (its import needs the right backports)."""
    from ai_edge_litert.interpreter import Interpreter

    require(callable(Interpreter), "no interpreter")
    return "interpreter loads"


def check_chromium() -> str:
    """A Chromium answers with its version (for tests of the dashboard)."""
    path = chromium_path()
    if path is None:
        raise NotHere("no Chromium on PATH or from `playwright install chromium`; only browser tests need it")
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    require(answer.returncode == 0, f"{path} --version ended with {answer.returncode}")
    return answer.stdout.strip()


def chromium_path() -> str | None:
    """Path of the system's Chromium or Chrome, or of playwright's."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    if importlib.util.find_spec("playwright") is None:
        return None
    from pathlib import Path

    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def check_loads(module: str) -> str:
    """Import a module in a separate process, since some take seconds and hundreds of megabytes."""
    command = [sys.executable, "-c", f"import {module}"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if answer.returncode:
        lines = answer.stderr.strip().splitlines() or ["no message"]
        raise CheckFailed(f"import {module}: {lines[-1]}")
    return "imports"


def require(condition: Any, complaint: str) -> None:
    """Raise `CheckFailed` with the complaint unless the condition holds."""
    if not condition:
        raise CheckFailed(complaint)
