"""Peak memory of preparation with ten times the clips, and of `wakeword detect`.

    python -m benchmarks.memory [--quick] [--runner ray|local] [--json FILE]

Targets: preparing ten times the clips raises the peak of the whole process tree by at most 20 %; `wakeword detect`
needs at most 120 MiB. Each measurement runs in a separate process.

The growth is that of anonymous pages and shared memory (Ray's object store); pages that several processes map count
once. Pages of files are left out: other programs share those of libraries, so that the kernel's count for one process
depends on them. The peak with these pages, as preparation reports it, is printed beside the other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import soundfile

from benchmarks.harness import ROOT, Bar, python, run, untrained_bundle
from benchmarks.serving import WORDS, real_tracks
from wakeword.config import SAMPLE_RATE_HZ, save_config, validate_config

MIB = 1024**2
CLIP_S = 2.0
_SPEAKERS = 20

PREPARE = """
import json, sys
from wakeword.config import load_config
from wakeword.data.prepare import prepare
config, out, runner = sys.argv[1:]
summary = prepare(load_config(config), out, runner, progress=False)
print(json.dumps({"peak_bytes": summary.peak_memory_bytes, "clips": summary.clips(), "shards": summary.shards}))
"""

_COMMAND = """
import sys
from wakeword.cli.main import main
from wakeword.system.resources import peak_rss_mib
code = main(sys.argv[1:])
print(peak_rss_mib())
sys.exit(code)
"""


def write_clips(folder: Path, count: int) -> None:
    """`count` different WAV files of pulsed noise, `CLIP_S` each: half a word, half speech, by `_SPEAKERS` speakers."""
    rng = np.random.default_rng(0)
    time_s = np.arange(round(CLIP_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    for index in range(count):
        label = ("nova", "speech")[index % 2]
        path = folder / label / f"speaker{index // 2 % _SPEAKERS:02d}" / f"{index:06d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        pulse = 0.5 + 0.5 * np.sin(2 * np.pi * (3 + index % 5) * time_s)
        audio = 0.1 * pulse * rng.standard_normal(len(time_s))
        soundfile.write(path, audio.astype(np.float32), SAMPLE_RATE_HZ, subtype="PCM_16")


def own_bytes(pid: int) -> int:
    """Anonymous and shared memory of a process, pages divided by the processes that map them; 0 after its end."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
    return sizes["Pss_Anon"] + sizes["Pss_Shmem"] if sizes else 0


def watched(code: str, arguments: list[str], interval_s: float = 0.05) -> tuple[str, float]:
    """Run Python code in a new process; its output, and the peak of the memory of its process tree in MiB."""
    peak = 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=out, stderr=err)
        root = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, sum(own_bytes(p.pid) for p in [root, *root.children(recursive=True)]))
            time.sleep(interval_s)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"the measured process ended with {process.returncode}:\n{err.read()[-2000:]}")
        return out.read(), peak / MIB


def prepare_peaks_mib(folder: Path, clips: int, shard_mb: float, runner: str) -> tuple[float, float]:
    """Peaks in MiB of the process tree that prepares `clips` clips: without and with pages of files."""
    write_clips(folder / "recordings", clips)
    config = validate_config(
        {
            "words": [{"label": "nova"}],
            "data": {"sources": [{"type": "folder", "uri": str(folder / "recordings")}], "shard_mb": shard_mb},
        }
    )
    save_config(config, folder / "config.yaml")
    output, own = watched(PREPARE, [str(folder / "config.yaml"), str(folder / "prepared"), runner])
    found = json.loads(output.splitlines()[-1])
    if found["clips"] < 0.9 * clips:
        raise SystemExit(f"only {found['clips']} of {clips} clips were prepared: the peaks cannot be compared")
    return own, float(found["peak_bytes"] / MIB)


def detect_peak_mib(folder: Path, given: Path | None, seconds: float) -> float:
    """Peak of `wakeword detect BUNDLE FILE…` in MiB on real recordings, with the given or an untrained bundle."""
    tracks = real_tracks(4, seconds)
    files = []
    for number, track in enumerate(tracks):
        files.append(folder / f"track{number}.wav")
        soundfile.write(files[-1], track, SAMPLE_RATE_HZ, subtype="PCM_16")
    bundle = given or untrained_bundle(folder / "bundle", WORDS, [track[: 10 * SAMPLE_RATE_HZ] for track in tracks])
    return float(python("-c", _COMMAND, "detect", str(bundle), *map(str, files)).splitlines()[-1])


def measure(args: argparse.Namespace) -> list[Bar]:
    """Both targets, and the figures behind them."""
    few, shard_mb = (200, 2.0) if args.quick else (2000, 16.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, small_all = prepare_peaks_mib(folder / "few", few, shard_mb, args.runner)
        large, large_all = prepare_peaks_mib(folder / "many", 10 * few, shard_mb, args.runner)
        detect = detect_peak_mib(folder, args.bundle, 30.0 if args.quick else 600.0)
    return [
        Bar(f"peak of preparing {few} clips", small, "MiB"),
        Bar(f"peak of preparing {few} clips, with pages of files", small_all, "MiB"),
        Bar(f"peak of preparing {10 * few} clips", large, "MiB"),
        Bar(f"peak of preparing {10 * few} clips, with pages of files", large_all, "MiB"),
        Bar("growth of the peak with ten times the clips", 100 * (large / small - 1), "%", 20),
        Bar("peak of `wakeword detect`", detect, "MiB", 120),
    ]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runner", choices=("ray", "local"), default="ray", help="runner of preparation")
    parser.add_argument("--bundle", type=Path, help="bundle for detect; default: an untrained model")


if __name__ == "__main__":
    sys.exit(run("memory", measure, _arguments))
