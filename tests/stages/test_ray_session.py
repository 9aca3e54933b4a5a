"""A local Ray: guarded by its own token, shared by nested sessions, gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from wakeword.config import Config, validate_config
from wakeword.errors import DeviceError, RunError
from wakeword.stages.ray_session import available_cpus, cluster_address, kept_ray, ray_session
from wakeword.system.resources import ResourceSampler

pytestmark = pytest.mark.timeout(600)


def _config(**compute: Any) -> Config:
    return validate_config({"words": [{"label": "hey_nova"}], "compute": compute})


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of this test alone, with the short path that Ray's sockets need."""
    with tempfile.TemporaryDirectory(prefix="wwt-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_the_config_names_the_cluster_or_the_environment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert cluster_address(_config()) == ""
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert cluster_address(_config()) == "10.0.0.1:6379"
    assert cluster_address(_config(ray_address="10.0.0.2:6379")) == "10.0.0.2:6379"


def test_a_dashboards_address_is_explained() -> None:
    with pytest.raises(RunError, match="ray job submit"), ray_session(_config(ray_address="http://127.0.0.1:8265")):
        pass


def test_a_block_that_needs_no_ray_starts_none() -> None:
    import ray

    with kept_ray():
        assert not ray.is_initialized()


@pytest.mark.ray
def test_a_local_ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short: Path) -> None:
    """One start for all of it: Ray takes long to come up."""
    import ray

    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    # Ray would write its token to the home folder; nothing may appear there.
    monkeypatch.setenv("HOME", str(tmp_path))
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    with kept_ray():
        with ray_session(_config(), min_cpus=5):
            assert os.environ["RAY_AUTH_MODE"] == "token"
            assert ray.cluster_resources()["CPU"] == max(5, available_cpus())
            assert len(list(short.glob("ww-*"))) == 1

            @ray.remote(num_cpus=1)
            def who() -> tuple[int, str | None]:
                return os.getpid(), os.environ.get("OMP_NUM_THREADS")

            monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
            pid, threads = ray.get(who.remote())
            assert threads == "1"
            assert pid in {p.pid for p in psutil.Process().children(recursive=True)}, "its memory would not be counted"
            with ResourceSampler(tmp_path / "r.jsonl") as sampler:
                assert sampler.sample()["processes"] >= 4
        assert ray.is_initialized(), "kept for the next stage"
        with ray_session(_config()):
            assert ray.cluster_resources()["CPU"] == max(5, available_cpus())
        with pytest.raises(DeviceError, match="has 0 and can start 0 more"), ray_session(_config(device="cuda")):
            pass
    assert not ray.is_initialized()
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert "RAY_AUTH_MODE" not in os.environ
    assert not (tmp_path / ".ray").exists()
    assert not list(short.glob("ww-*"))
    left = {child.pid for child in psutil.Process().children(recursive=True)} - children
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in left if psutil.pid_exists(pid)], timeout=20)
    assert not alive
