"""The packages of every extra and their checks, for `wakeword doctor`."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from wakeword.system import checks

Check = Callable[[], str]

# Extra, distribution, check. The first group is the core install.
PARTS: tuple[tuple[str, str, Check], ...] = (
    ("", "numpy", checks.check_numpy),
    ("", "pydantic", checks.check_pydantic),
    ("", "onnxruntime", checks.check_onnxruntime),
    ("train", "torch", checks.check_torch),
    ("train", "ray", checks.check_ray),
    ("train", "pyarrow", checks.check_pyarrow),
    ("train", "soundfile", checks.check_soundfile),
    ("train", "soxr", checks.check_soxr),
    ("train", "safetensors", checks.check_safetensors),
    ("train", "psutil", checks.check_psutil),
    ("train", "optuna", checks.check_optuna),
    ("train", "plotly", checks.check_plotly),
    ("train", "tensorboardX", checks.check_tensorboardx),
    ("tts", "espeakng-loader", checks.check_espeak),
    ("tts", "piper-tts", partial(checks.check_loads, "piper")),
    ("tts", "hibari-tts", partial(checks.check_loads, "hibari")),
    ("pico", "ttspico", partial(checks.check_loads, "ttspico")),
    ("serve", "websockets", checks.check_websockets),
    ("serve", "fastapi", partial(checks.check_loads, "fastapi")),
    ("dashboard", "gradio", partial(checks.check_loads, "gradio")),
    ("microphone", "sounddevice", checks.check_sounddevice),
    ("containers", "av", checks.check_av),
    ("litert", "ai-edge-litert", checks.check_litert),
    ("tflite", "onnx2tf", partial(checks.check_loads, "onnx2tf")),
    ("mining", "pocketsphinx", partial(checks.check_loads, "pocketsphinx")),
    ("tracking", "wandb", partial(checks.check_loads, "wandb")),
    ("dev", "playwright", checks.check_chromium),
)

# Errors of a broken package: failed imports, missing names, libraries or files, wrong results.
BROKEN = (
    checks.CheckFailed,
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    subprocess.SubprocessError,
)


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table; `state` is ok, missing or failed."""

    part: str
    extra: str
    state: str
    version: str
    detail: str
    seconds: float = 0.0


def examine(extra: str, distribution: str, check: Callable[[], str]) -> Finding:
    """Check one part; a fault is a finding, not an error."""
    version = version_of(distribution)
    if version is None:
        return Finding(distribution, extra, "missing", "", f"pip install 'wakeword[{extra}]'" if extra else "reinstall")
    started_s = time.monotonic()
    try:
        detail, state = check(), "ok"
    except checks.NotHere as error:
        detail, state = str(error), "missing"
    except BROKEN as error:
        detail, state = " ".join(f"{error or type(error).__name__}".split())[:160], "failed"
    return Finding(distribution, extra, state, version, detail, round(time.monotonic() - started_s, 2))


def find_gpus() -> list[str]:
    """Names, memory and driver versions of the NVIDIA GPUs."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return []
    query = [smi, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    return answer.stdout.strip().splitlines() if answer.returncode == 0 else []


def version_of(distribution: str) -> str | None:
    """Installed version, or None."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
