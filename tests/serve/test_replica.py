"""The Serve application and its config file."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve.replica import Detector, build_app, deployment
from wakeword.config.serving import ServingConfig
from wakeword.errors import ServingError

ROOT = Path(__file__).resolve().parents[2]


def test_the_deployment_follows_the_config() -> None:
    config = ServingConfig(replicas=3, cpus_per_replica=0.5, max_streams=7, drain_s=11)
    bound = deployment(config, "a-secret-token", "/bundles/one")._bound_deployment
    assert bound.num_replicas == 3
    assert bound.ray_actor_options["num_cpus"] == 0.5
    assert bound.user_config == {"bundle": "/bundles/one"}
    assert bound._deployment_config.graceful_shutdown_timeout_s > 11
    # A refusal with close code 1013 needs a request.
    assert bound._deployment_config.max_ongoing_requests > 2 * 7


def test_the_builder_needs_a_token_and_known_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAKEWORD_TOKEN", raising=False)
    with pytest.raises(ServingError, match="WAKEWORD_TOKEN"):
        build_app({})
    monkeypatch.setenv("WAKEWORD_TOKEN", "a-secret-token")
    with pytest.raises(ServingError, match="max_stream"):
        build_app({"max_stream": 3})
    assert build_app({"max_streams": 3})._bound_deployment._deployment_config.max_ongoing_requests < 100


def test_the_config_file_is_one_that_serve_accepts() -> None:
    import yaml
    from ray.serve.schema import ServeDeploySchema

    tree = yaml.safe_load((ROOT / "serve" / "serve.yaml").read_text())
    schema = ServeDeploySchema.model_validate(tree)
    application = schema.applications[0]
    ServingConfig.model_validate(application.args)
    assert application.deployments[0].name == Detector.name
    assert application.deployments[0].user_config == {"bundle": "runs/wakeword/bundle"}
    module, _, name = application.import_path.partition(":")
    assert (module, name) == ("serve.replica", build_app.__name__)
