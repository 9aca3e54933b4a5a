"""`wakeword doctor`: what is installed and works, which GPU there is, which extras are missing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial

from wakeword.cli import checks
from wakeword.cli.console import print_next, print_table

Check = Callable[[], str]

# How a broken package shows itself: it does not import, lacks a name, a library or a file, or computes nonsense.
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


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table; `state` is ok, missing or failed."""

    part: str
    extra: str
    state: str
    version: str
    detail: str
    seconds: float = 0.0


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("doctor", help="what is installed and works, which GPU, which extras are missing")
    parser.add_argument("--json", action="store_true", help="print findings as JSON")
    parser.add_argument(
        "--only", metavar="PART", nargs="+", help="check these parts only, such as torch espeakng-loader"
    )
    parser.set_defaults(func=_doctor)


def examine(extra: str, distribution: str, check: Check) -> Finding:
    """Check one part; what is wrong with it is a finding, not an error of this command."""
    version = checks.version_of(distribution)
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
    """Names and memory of the NVIDIA GPUs that the driver shows."""
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return []
    query = [smi, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    return answer.stdout.strip().splitlines() if answer.returncode == 0 else []


def _doctor(args: argparse.Namespace) -> int:
    from wakeword.errors import ConfigError

    parts = [part for part in PARTS if not args.only or part[1] in args.only]
    unknown = set(args.only or ()) - {part[1] for part in PARTS}
    if unknown:
        known = ", ".join(part[1] for part in PARTS)
        raise ConfigError(f"doctor knows no {', '.join(sorted(unknown))}; choose from {known}")
    findings = [examine(*part) for part in parts]
    gpus = find_gpus()
    if args.json:
        machine = {"python": platform.python_version(), "platform": platform.platform(), "gpus": gpus}
        print(json.dumps({**machine, "parts": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _print(findings, gpus)
    return 1 if any(f.state == "failed" or (f.state == "missing" and not f.extra) for f in findings) else 0


def _print(findings: list[Finding], gpus: list[str]) -> None:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"Python {platform.python_version()} on {platform.platform()}, {cpus} CPUs")
    print("GPU: " + ("; ".join(gpus) if gpus else "none (training and evaluation run on the CPU)"))
    rows = [(f.part, f.extra or "core", f.state, f.version, f.detail, f"{f.seconds:.1f}") for f in findings]
    print_table("parts", ("part", "extra", "state", "version", "check", "s"), rows)
    missing = sorted({f.extra for f in findings if f.state == "missing" and not f.version})
    if missing:
        print_next(f"pip install 'wakeword[{','.join(missing)}]'")
    else:
        print_next("wakeword demo")
