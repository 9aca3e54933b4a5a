"""The main paths work offline: preparing, training, exporting and detecting contact no other machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.training.synthetic import babble, tiny_config, word
from wakeword.config import save_config

ROOT = Path(__file__).resolve().parent.parent

# Python imports `sitecustomize` in every process it starts, including Ray's daemons and workers.
GUARD = """
import os, socket, sys

def _own(host):
    import ipaddress
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host in ("", "localhost", socket.gethostname())
    return address.is_loopback or address.is_unspecified or str(address) in os.environ["GUARD_OWN"].split(",")

def _log(line):
    descriptor = os.open(os.environ["GUARD_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, (line + "\\n").encode())
    os.close(descriptor)

def _hook(event, arguments):
    if event == "socket.connect":
        link, address = arguments
        # A datagram socket is "connected" without a packet, which is how programs find their own address.
        if link.family in (socket.AF_INET, socket.AF_INET6) and link.type != socket.SOCK_DGRAM:
            if not _own(str(address[0])):
                _log(f"connect {address} by {sys.argv}")
    elif event == "socket.sendto":
        address = arguments[1]
        if isinstance(address, tuple) and not _own(str(address[0])):
            _log(f"sendto {address} by {sys.argv}")
    elif event == "socket.getaddrinfo":
        host = arguments[0]
        host = host.decode() if isinstance(host, bytes) else host
        if host is not None and not _own(host):
            _log(f"getaddrinfo {host} by {sys.argv}")

_log(f"guarding {sys.argv[:1]}")
sys.addaudithook(_hook)
"""

STAGES = """
import sys
from pathlib import Path
import numpy as np
from wakeword.config import load_config
from wakeword.data.prepare import prepare
from wakeword.export.bundle import export_bundle
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector
from wakeword.training.loop import train
folder = Path(sys.argv[1])
config = load_config(folder / "config.yaml")
prepare(config, folder / "prepared", "ray", progress=False)
train(config, folder / "prepared", folder / "run")
bundle = export_bundle(folder / "run")
Detector(load_bundle(bundle)).process(np.zeros(32000, np.int16))
print("all stages done")
"""


def own_addresses() -> str:
    psutil = pytest.importorskip("psutil")
    found = [entry.address for entries in psutil.net_if_addrs().values() for entry in entries]
    return ",".join(address.partition("%")[0] for address in found)


def guarded(folder: Path, code: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run `code` under the guard; the process, and the logged connections."""
    (folder / "guard").mkdir(exist_ok=True)
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    log = folder / "guard.log"
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "guard"),
        "GUARD_LOG": str(log),
        "GUARD_OWN": own_addresses(),
        "RAY_AUTH_MODE": "disabled",
    }
    # The environment of a test run may name a cluster elsewhere; this run is local.
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
    )
    return done, log.read_text().splitlines()


def _probes_for_a_cloud(line: str) -> bool:
    """At its start Ray's dashboard process queries the link-local metadata address and one name to detect a cloud
    machine, also with usage statistics off. It sends the answer nowhere, and no setting of Ray disables the query."""
    probe = "169.254.169.254" in line or "getaddrinfo metadata.google.internal" in line
    return probe and "dashboard.py" in line and "UsageStatsHead" in line


@pytest.mark.ray
def test_preparing_training_exporting_and_detecting_contact_no_other_machine(tmp_path: Path) -> None:
    attempt = "import socket\ntry: socket.getaddrinfo('wakeword.invalid', 80)\nexcept OSError: pass"
    _, seen = guarded(tmp_path, attempt)
    assert any("getaddrinfo wakeword.invalid" in line for line in seen), "the guard must see what it is there for"
    (tmp_path / "guard.log").unlink()

    generator = np.random.default_rng(0)
    for index in range(18):
        for label, audio in (("nova", word(generator)), ("speech", babble(generator, 1.5))):
            path = tmp_path / "recordings" / label / f"speaker{index % 6}" / f"{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, audio, 16_000)
    source = {"type": "folder", "uri": str(tmp_path / "recordings")}
    # Pairs of tones have nearly equal fingerprints.
    data = {"sources": [source], "quality": {"duplicates": "equal"}}
    config = tiny_config(data=data, training={"epochs": 1, "steps_per_epoch": 2})
    save_config(config, tmp_path / "config.yaml")
    done, seen = guarded(tmp_path, STAGES, str(tmp_path))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all stages done" in done.stdout
    assert sum(line.startswith("guarding") for line in seen) > 2, "Ray's own processes are watched too"
    assert [line for line in seen if not line.startswith("guarding") and not _probes_for_a_cloud(line)] == []
