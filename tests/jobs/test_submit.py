"""`ray job submit` to a local head with token auth: the whole pipeline, and access without the token is refused."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.tiny import tiny_tree, write_corpus, write_recipe

ROOT = Path(__file__).resolve().parents[2]
RAY = str(Path(sys.executable).parent / "ray")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]


@dataclass
class Head:
    """A running head: its address and token."""

    address: str
    token_path: Path
    process: subprocess.Popen
    log: Path

    def submit(self, command: list[str], token_path: Path | None, limit_s: float = 120) -> subprocess.CompletedProcess:
        """`ray job submit` from the checkout; repeated while the head is starting."""
        deadline = time.monotonic() + limit_s
        submit = [RAY, "job", "submit", "--address", self.address, "--working-dir", ".", "--", *command]
        while True:
            answer = subprocess.run(
                submit, cwd=ROOT, env=_environment(token_path), capture_output=True, text=True, timeout=600, check=False
            )
            assert self.process.poll() is None, f"the head ended by itself: {self.log.read_text()}"
            if "No available agent" not in answer.stdout + answer.stderr or time.monotonic() > deadline:
                return answer
            time.sleep(2)


def _environment(token_path: Path | None) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "RAY_USAGE_STATS_ENABLED": "0"}
    env |= {"OMP_NUM_THREADS": "1", "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "240"}
    if token_path is None:
        # Neither the variable nor a file of this user's home.
        return env | {"RAY_AUTH_MODE": "disabled"}
    return env | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_path)}


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _token_file(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(secrets.token_hex(32))
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    token_path = _token_file(tmp_path_factory.mktemp("token"), "token")
    for attempt in range(4):
        with tempfile.TemporaryDirectory(prefix="ww-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            started = _start(Path(folder), token_path)
            try:
                if _came_up(started):
                    yield started
                    return
            finally:
                _end(started.process)
            # Ray gives its raylet 30 s; a busy machine takes longer. Anything else is a failure.
            text = started.log.read_text()
            assert "timed out during startup" in text, text
            print(f"attempt {attempt + 1}: the head did not come up in time")
    pytest.fail("the head did not come up in 4 attempts: the machine is overloaded")


def _start(folder: Path, token_path: Path) -> Head:
    port, dashboard, agent, client = _free_ports(4)
    options = {
        "--temp-dir": folder,
        "--node-ip-address": "127.0.0.1",
        "--port": port,
        "--dashboard-host": "127.0.0.1",
        "--dashboard-port": dashboard,
        "--dashboard-agent-listen-port": agent,
        "--ray-client-server-port": client,
        "--num-cpus": 4,
        "--object-store-memory": 200 * 2**20,
    }
    command = [RAY, "start", "--head", "--block", *(str(part) for pair in options.items() for part in pair)]
    log = folder / "head.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, env=_environment(token_path), stdout=stream, stderr=stream, start_new_session=True
        )
    return Head(f"http://127.0.0.1:{dashboard}", token_path, process, log)


def _came_up(head: Head, limit_s: float = 300) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and head.process.poll() is None:
        if "Ray runtime started" in head.log.read_text():
            return True
        time.sleep(0.5)
    assert head.process.poll() is not None, f"no head within {limit_s} s: {head.log.read_text()}"
    return False


def _end(process: subprocess.Popen) -> None:
    """End this head and what it started, nothing else on the machine."""
    family = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    # Daemons of a start that failed have lost their parent; they still belong to the session that was opened here.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
    process.wait()


def test_access_without_the_right_token_is_refused(head: Head, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    command = ["touch", str(marker)]
    for token_path in (None, _token_file(tmp_path, "wrong")):
        answer = head.submit(command, token_path)
        text = answer.stdout + answer.stderr
        assert answer.returncode != 0
        assert any(word in text for word in ("Unauthorized", "Forbidden", "401", "403", "authentication")), text
    assert not marker.exists()
    answer = head.submit(command, head.token_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert marker.exists(), "the token's owner gets in: the refusals above were about the token"


def test_a_relative_runs_folder_is_refused_inside_a_job(head: Head, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", tiny_tree(tmp_path / "manifest.csv", Path("runs")))
    answer = head.submit(["python", "jobs/prepare.py", "--config", str(recipe)], head.token_path)
    assert answer.returncode != 0
    assert "give an absolute path on storage that all nodes share" in answer.stdout + answer.stderr


@pytest.mark.slow
def test_the_whole_pipeline_runs_as_a_job(head: Head, tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path)
    tree = tiny_tree(manifest, tmp_path / "runs", compute__workers=1, compute__ray_address="auto")
    recipe = write_recipe(tmp_path / "recipe.yaml", tree)
    answer = head.submit(["python", "jobs/pipeline.py", "--config", str(recipe), "training.epochs=1"], head.token_path)
    text = answer.stdout + answer.stderr
    assert answer.returncode == 0, text[-4000:]
    run_dir = tmp_path / "runs" / "tiny"
    for name in ("bundle/wake.json", "evaluation/report.json", "config.yaml", "run.json"):
        assert (run_dir / name).is_file(), text[-4000:]
    assert "peak memory" in text
    assert "wakeword detect" in text
