"""Traced calls: Weave's own client against a server on loopback, and what happens without one."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from wakeword.errors import MissingExtraError
from wakeword.system.tracing import traced

CHILD = """
from wakeword.system.tracing import traced

@traced(
    project=lambda call: call["project"],
    inputs=lambda call: {"clips": len(call["audio"]), "gain": call["gain"]},
    output=lambda rates: {"frr": rates[0]},
)
def measure(project, audio, gain=2.0):
    if not audio:
        raise ValueError("no audio")
    return [gain / 8, object()]

assert measure("someone/nova", [1, 2, 3])[0] == 0.25
try:
    measure("someone/nova", [])
except ValueError as error:
    print("raised:", error)
assert measure("", [1])[0] == 0.25
"""

WITHOUT_A_SERVER = """
import os
from wakeword.errors import RunError
from wakeword.system.tracing import traced

def must_not_run():
    print("it ran")

for key in ("", "0" * 40):
    os.environ["WANDB_API_KEY"] = key
    try:
        traced(project=lambda call: "someone/nova", inputs=dict, output=dict)(must_not_run)()
    except RunError as error:
        print(error)
"""


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """URL of a server with the project someone/nova, and what it was sent: `(path, body)`."""
    sent: list[tuple[str, bytes]] = []
    answers = {
        "/server_info": {"min_required_weave_python_version": "0.0.1", "trace_server_version": "999.0.0"},
        "/graphql": {"data": {"project": {"name": "nova", "entityName": "someone"}, "viewer": {"username": "someone"}}},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            sent.append((self.path, gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body))
            answer = json.dumps(answers.get(self.path, {"digest": "0" * 43})).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listener.server_port}", sent
    listener.shutdown()
    listener.server_close()


def run_child(code: str, url: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`code` in a process of its own: Weave changes the process that it is used in."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "WEAVE_", "WF_"))}
    clean |= {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    clean |= {"HOME": str(home), "WF_TRACE_SERVER_URL": url, "WANDB_BASE_URL": url, "WANDB_ERROR_REPORTING": "false"}
    clean |= environment
    script = home / "child.py"
    script.write_text(code, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env=clean, cwd=home, timeout=120
    )


def test_a_call_and_its_error_reach_the_server(server: tuple[str, list[tuple[str, bytes]]], tmp_path: Path) -> None:
    url, sent = server
    answer = run_child(CHILD, url, tmp_path, WANDB_API_KEY="0" * 40)
    assert answer.returncode == 0, answer.stderr[-1000:]
    assert answer.stdout.endswith("raised: no audio\n")
    bodies = [json.loads(body)["batch"] for path, body in sent if path == "/v2/someone/nova/calls/complete"]
    first, second = [call for batch in bodies for call in batch]
    assert "/op/measure:" in first["op_name"]
    assert first["inputs"] == {"clips": 3, "gain": 2.0}
    assert first["output"] == {"frr": 0.25}
    assert first["ended_at"] > first["started_at"]
    assert "ValueError" in second["exception"]
    assert not [body for _, body in sent if b"def measure" in body], "the source code was sent"


@traced(project=lambda call: call["project"], inputs=dict, output=lambda value: {"value": value})
def double(value: int, project: str = "") -> int:
    return 2 * value


@pytest.mark.parametrize(("variable", "value"), [("WANDB_MODE", "offline"), ("WEAVE_DISABLED", "true")])
def test_offline_the_call_runs_untraced_and_says_so(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, "weave", None)
    with caplog.at_level(logging.WARNING):
        assert double(2, project="nova") == 4
    assert f"{variable}={value}: nothing is traced to the Weave project nova" in caplog.text


def test_without_a_project_weave_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weave", None)
    assert double(2) == 4
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(MissingExtraError, match=r"\[tracking\]"):
        double(2, project="nova")


def test_a_project_that_cannot_be_opened_is_an_error_before_the_call(tmp_path: Path) -> None:
    """Nothing listens on port 9."""
    answer = run_child(WITHOUT_A_SERVER, "http://127.0.0.1:9", tmp_path, WEAVE_RETRY_MAX_ATTEMPTS="1")
    no_key, no_server = answer.stdout.splitlines()
    assert "tracking.weave_project = someone/nova: no key for Weights & Biases: run `wandb login`" in no_key
    assert "tracking.weave_project = someone/nova cannot be opened (" in no_server
    assert "set WANDB_MODE=offline" in no_key
    assert "set WANDB_MODE=offline" in no_server
