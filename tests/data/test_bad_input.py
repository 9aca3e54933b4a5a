"""What a preparation can meet outside its files: a full disk, addresses that do not answer, phrases nobody can say."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.data.corpus import burst, config_for, shard_bytes, write_corpus
from wakeword.audio.io import write_wav
from wakeword.config import save_config, validate_config
from wakeword.data.prepare import prepare
from wakeword.errors import DataError

CHILD = """
import json, resource, subprocess, sys
from wakeword.config import load_config
from wakeword.data.prepare import prepare
from wakeword.errors import RunError
config, out, grow = load_config(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
if not grow:
    resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, resource.RLIM_INFINITY))
error_text = ""
try:
    prepare(config, out, runner="local", progress=False)
except RunError as error:
    error_text = str(error)
if grow:
    subprocess.run(grow, check=True)
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
import pathlib
left = sorted(path.name for path in pathlib.Path(out).rglob("*") if path.is_file())
summary = prepare(config, out, runner="local", progress=False)
files = {path.name: path.read_bytes().hex() for path in pathlib.Path(out, "shards").glob("*.arrow")}
print(json.dumps({"error_text": error_text, "left": left, "resumed": summary.resumed_shards, "files": files}))
"""


@pytest.mark.parametrize("how", ["a limit on the size of a file", "a disk of 600 kB"])
def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(tmp_path: Path, how: str) -> None:
    manifest = write_corpus(tmp_path / "corpus", speakers=12, per_speaker=2)
    # The last clip by name is the largest, so other shards are complete before the disk is full.
    write_wav(tmp_path / "corpus" / "z.wav", burst(1, 12.0))
    with manifest.open("a") as stream:
        stream.write("z.wav,noise,noise,,train,,,,\n")
    config = config_for(manifest, data={"shard_mb": 0.14, "quality": {"guarded": False}})
    prepare(config, tmp_path / "whole", runner="local")
    save_config(config, tmp_path / "config.yaml")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, "-c", CHILD, str(tmp_path / "config.yaml"), str(disk / "out")]
    if how.startswith("a disk"):
        # A name space of its own: the small disk is seen by this child alone and goes with it.
        probe = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True)
        if probe.returncode:
            pytest.skip("this system lets tests mount nothing (unshare -rm mount -t tmpfs)")
        grow = ["mount", "-o", "remount,size=50m", str(disk)]
        mount = f'mount -t tmpfs -o size=600k tmpfs {disk} && exec "$@"'
        command = ["unshare", "-rm", "sh", "-c", mount, "sh", *command, json.dumps(grow)]
    else:
        command.append("null")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "cannot be written (" in found["error_text"], "the disk must have been full"
    assert "free space there or choose another folder" in found["error_text"]
    assert "\n" not in found["error_text"]
    assert "index.json" not in found["left"]
    assert not [name for name in found["left"] if name.endswith(".part")], "what is half-written takes no space"
    assert found["resumed"] >= 1, "what was complete is kept"
    assert found["files"] == {name: data.hex() for name, data in shard_bytes(tmp_path / "whole").items()}


class _Answers(http.server.BaseHTTPRequestHandler):
    """Status 200 with a sound (half of one below `/half`), or the status that the address ends in."""

    sound = b""

    def do_GET(self) -> None:
        code = int(self.path.rsplit("/", 1)[1].split(".")[0])
        self.send_response(code)
        body = self.sound if code == 200 else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path.startswith("/half") else body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing on the test's output."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    write_wav(tmp_path / "served.wav", burst(5))
    handler = type("Answers", (_Answers,), {"sound": (tmp_path / "served.wav").read_bytes()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


@pytest.mark.parametrize("guarded", [True, False])
def test_addresses_that_give_nothing_cost_their_clips_alone(tmp_path: Path, server: str, guarded: bool) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http with aiohttp, which is not installed")
    manifest = write_corpus(tmp_path / "corpus")
    closed = server.rsplit(":", 1)[0] + ":9"
    uris = {
        f"{server}/200.wav": "",
        f"{server}/403.wav": "unreadable",
        f"{server}/404.wav": "missing_file",
        f"{server}/500.wav": "unreadable",
        f"{server}/half/200.wav": "unreadable",
        f"{closed}/200.wav": "unreadable",
        "nosuch://somewhere/a.wav": "unreadable",
        "memory://nothing/a.wav": "missing_file",
    }
    with manifest.open("a") as stream:
        for number, uri in enumerate(uris):
            stream.write(f"{uri},speech,speech,u{number},train,,,,\n")
    config = config_for(manifest, data={"quality": {"guarded": guarded}})
    summary = prepare(config, tmp_path / "out", runner="local")
    rows = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert {row["uri"]: row["reason"] for row in rows} == {uri: reason for uri, reason in uris.items() if reason}
    assert all(row["detail"] and "\n" not in row["detail"] for row in rows)
    assert summary.clips() == 26 + 1


@pytest.mark.parametrize("uri", ["/403.csv", "/500.csv"])
def test_a_manifest_that_cannot_be_fetched_is_one_sentence(tmp_path: Path, server: str, uri: str) -> None:
    pytest.importorskip("aiohttp", reason="fsspec reads http with aiohttp, which is not installed")
    with pytest.raises(DataError, match="cannot be read") as caught:
        prepare(config_for(server + uri), tmp_path / "out", runner="local")
    assert "\n" not in str(caught.value)


MUTTERS = """
import math, struct, sys, wave
text, out = sys.argv[1:]
level = 0 if "nova" in text.lower() else 9000
tone = [int(level * math.sin(2 * math.pi * 200 * i / 16000)) for i in range(int(1280 * len(text)))]
with wave.open(out, "wb") as sound:
    sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(16000)
    sound.writeframes(struct.pack(f"<{len(tone)}h", *tone))
"""


def test_a_phrase_that_the_engine_cannot_say_is_named(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
    (tmp_path / "mutters.py").write_text(MUTTERS)
    argv = [sys.executable, str(tmp_path / "mutters.py"), "{text}", "{out}"]
    synthesis = {
        "enabled": True, "engines": {"command:mutters": 1.0}, "hold_out": [], "clips_per_word": 4, "speech_clips": 4,
        "near_miss_test_clips": 0, "noises": 1, "rooms": 1, "commands": {"mutters": {"argv": argv}},
    }  # fmt: skip
    config = validate_config(
        {"words": [{"label": "nova"}], "synthesis": synthesis, "data": {"splits": {"val": 0, "test": 0}}}
    )
    with pytest.raises(DataError) as caught:
        prepare(config, tmp_path / "out", runner="local")
    sentence = str(caught.value)
    assert "nova" in sentence
    assert "\n" not in sentence
