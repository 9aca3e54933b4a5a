"""CPU, memory and GPU use of a command's process tree, sampled by a thread."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from wakeword.errors import MissingExtraError

GIB = 1024**3
MAX_OVERHEAD = 0.03
"""Largest share of one core for sampling; a large process tree is sampled less often than requested."""


def peak_rss_mib() -> float:
    """Peak resident memory of this process in MiB; needs no package.

    It is the kernel's VmHWM where available, since `ru_maxrss` includes the size of the parent process at the start.
    """
    import resource

    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


def memory_bytes(process: Any) -> tuple[int, str]:
    """Memory of one `psutil.Process` in bytes, and the measure: `pss`, or `rss` where PSS is not available.

    PSS divides pages that several processes map (shards, libraries, Ray's object store), so that a sum over processes
    counts them once.
    """
    import psutil

    try:
        with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024, "pss"
    except FileNotFoundError:
        if not process.is_running():
            raise psutil.NoSuchProcess(process.pid) from None
    except ProcessLookupError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    except PermissionError:
        pass
    return process.memory_info().rss, "rss"


class ResourceSampler:
    """Samples from `start` to `stop` (or as a context manager) and appends JSON lines to `path`.

    A line has `elapsed_s`, `stage`, `processes`, `cpu_cores` (average number of busy cores since the last line),
    `memory_gib`, `memory_kind` (`pss` or `rss`), `machine_cpu_percent`, and `gpus` where there are any. The tree is
    this process, its descendants (such as a local Ray) and the processes of a joined Ray session on this machine.
    """

    def __init__(self, path: Path | None = None, interval_s: float = 1.0) -> None:
        try:
            import psutil
        except ImportError as error:
            raise MissingExtraError("Measuring memory and CPU", "train", error) from error
        self._psutil = psutil
        self.path = Path(path) if path else None
        self.interval_s = interval_s
        self.peak_gib = 0.0
        self.samples = 0
        self._stage = ""
        self._stage_peak_gib = 0.0
        self._cpu_s: dict[int, float] = {}
        self._raylets: list[Any] | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._smi = shutil.which("nvidia-smi")

    def __enter__(self) -> ResourceSampler:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Take the first sample and start the thread."""
        self._started_s = self._last_s = time.monotonic()
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self.sample()
        self._thread = threading.Thread(target=self._run, name="wakeword-resources", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end the thread."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
            self._thread = None
        self.sample()

    def begin(self, stage: str) -> None:
        """Begin a named stage and reset `stage_peak_gib`."""
        with self._lock:
            self._stage, self._stage_peak_gib = stage, 0.0
        self.sample()

    @property
    def stage_peak_gib(self) -> float:
        """Peak memory since `begin` in GiB."""
        self.sample()
        return self._stage_peak_gib

    def _run(self) -> None:
        pause_s = self.interval_s
        while not self._stopping.wait(pause_s):
            started_s = time.thread_time()
            self.sample()
            # The kernel needs tens of milliseconds for the PSS of a large tree.
            pause_s = max(self.interval_s, MAX_OVERHEAD**-1 * (time.thread_time() - started_s))

    def sample(self) -> dict[str, Any]:
        """Measure now, write a line and update the peaks."""
        with self._lock:
            line = self._measure()
            self.peak_gib = max(self.peak_gib, line["memory_gib"])
            self._stage_peak_gib = max(self._stage_peak_gib, line["memory_gib"])
            self.samples += 1
            if self.path:
                with self.path.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(line) + "\n")
            return line

    def _measure(self) -> dict[str, Any]:
        total, kinds, busy_s = 0, set(), 0.0
        processes = self._tree()
        for process in processes:
            try:
                size, kind = memory_bytes(process)
                times = process.cpu_times()
            except (self._psutil.NoSuchProcess, self._psutil.AccessDenied):
                continue
            total += size
            kinds.add(kind)
            used = times.user + times.system
            # A process that is new since the last sample counts from zero.
            before = self._cpu_s.get(process.pid, 0.0 if self.samples else used)
            busy_s += max(0.0, used - before)
            self._cpu_s[process.pid] = used
        now = time.monotonic()
        passed_s = max(now - self._last_s, 1e-6)
        self._last_s = now
        line: dict[str, Any] = {
            "elapsed_s": round(now - self._started_s, 3),
            "stage": self._stage,
            "processes": len(processes),
            "cpu_cores": round(busy_s / passed_s, 3) if self.samples else 0.0,
            "memory_gib": round(total / GIB, 4),
            "memory_kind": "rss" if "rss" in kinds else "pss",
            "machine_cpu_percent": self._psutil.cpu_percent(),
        }
        gpus = self._gpus()
        if gpus:
            line["gpus"] = gpus
        return line

    def _tree(self) -> list[Any]:
        me = self._psutil.Process(os.getpid())
        found = {p.pid: p for p in [me, *me.children(recursive=True)]}
        for raylet in self._joined_raylets():
            try:
                found.update({p.pid: p for p in [raylet, *raylet.children(recursive=True)]})
            except self._psutil.NoSuchProcess:
                self._raylets = None
        return list(found.values())

    def _joined_raylets(self) -> list[Any]:
        """This machine's raylets of a joined Ray session, which are not descendants of this process."""
        ray = sys.modules.get("ray")
        if ray is None or not hasattr(ray, "is_initialized") or not ray.is_initialized():
            self._raylets = None
            return []
        if self._raylets is None:
            session = ray.get_runtime_context().get_session_name()
            self._raylets = []
            for process in self._psutil.process_iter(["name", "cmdline"]):
                command = process.info["cmdline"] or []
                if process.info["name"] == "raylet" and any(session in part for part in command):
                    self._raylets.append(process)
        return self._raylets

    def _gpus(self) -> list[dict[str, float]]:
        if not self._smi:
            return []
        query = "index,utilization.gpu,memory.used,memory.total"
        try:
            answer = subprocess.run(
                [self._smi, f"--query-gpu={query}", "--format=csv,noheader,nounits"],
                capture_output=True,
                text=True,
                timeout=5,
                check=True,
            )
        except (subprocess.SubprocessError, OSError):
            self._smi = None
            return []
        return parse_gpus(answer.stdout)


def parse_gpus(text: str) -> list[dict[str, float]]:
    """Parse nvidia-smi's CSV: index, utilisation, used and total memory; unavailable values are left out."""
    names = ("index", "utilization_percent", "memory_mib", "memory_total_mib")
    rows = []
    for line in text.strip().splitlines():
        row = {}
        for name, value in zip(names, line.split(","), strict=False):
            try:
                row[name] = float(value)
            except ValueError:
                continue
        if row:
            rows.append(row)
    return rows
