"""`cluster.yaml` against the launcher's own schema and checks, and what a submitted job uploads."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))


def test_the_launcher_accepts_it(cluster: dict[str, Any]) -> None:
    import ray.autoscaler
    from ray.autoscaler._private.util import prepare_config, validate_config

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(cluster, schema)
    validate_config(prepare_config(cluster))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**cluster, "head_typ": "x"}, schema)


def test_workers_are_spot_and_start_on_demand(cluster: dict[str, Any]) -> None:
    kinds = cluster["available_node_types"]
    workers = {name: kind for name, kind in kinds.items() if name != cluster["head_node_type"]}
    assert any(kind["resources"].get("GPU") for kind in workers.values())
    for kind in workers.values():
        assert kind["min_workers"] == 0
        assert kind["max_workers"] >= 1
        assert kind["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert "InstanceMarketOptions" not in kinds[cluster["head_node_type"]]["node_config"]


def test_every_node_starts_with_the_token(cluster: dict[str, Any]) -> None:
    assert "/home/ray/.ray/auth_token" in cluster["file_mounts"]
    for command in (*cluster["head_start_ray_commands"], *cluster["worker_start_ray_commands"]):
        assert command.startswith("RAY_AUTH_MODE=token ")
    assert any("--autoscaling-config" in command for command in cluster["head_start_ray_commands"])


def test_the_image_is_the_pinned_ray(cluster: dict[str, Any]) -> None:
    (pin,) = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("ray==")]
    assert f"ray:{pin.removeprefix('ray==')}-py311" in cluster["docker"]["image"]
    assert any("-c ~/wakeword/constraints.txt" in command for command in cluster["setup_commands"])


def test_the_upload_leaves_out_environment_runs_and_recordings(tmp_path: Path) -> None:
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    package = tmp_path / "package.zip"
    create_package(str(ROOT), package, include_gitignore=True, excludes=get_runtime_env_default_excludes())
    names = zipfile.ZipFile(package).namelist()
    for needed in ("jobs/pipeline.py", "wakeword/pipeline.py", "configs/demo.yaml", "serve/app.py", "constraints.txt"):
        assert needed in names
    unwanted = (".git/", ".venv/", "runs/", "tests/")
    assert not [name for name in names if name.startswith(unwanted)]
    assert "wakeword/models/weights/speech_embedding.safetensors" in names
    others = [name for name in names if not name.startswith("wakeword/models/weights/")]
    assert not [name for name in others if name.endswith((".wav", ".flac", ".arrow", ".safetensors"))]
    assert package.stat().st_size < 10 * 2**20
