"""`wakeword serve` and `dashboard`: what reaches the endpoint, and what is refused before Ray starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import write_tone_bundle
from wakeword.cli.main import main


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(("command", "field"), [("serve", "port"), ("dashboard", "dashboard_port")])
def test_a_taken_port_is_one_sentence(
    command: str,
    field: str,
    taken: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WAKEWORD_TOKEN", "a-token-of-a-test-0123456789")
    bundle = write_tone_bundle(tmp_path / "bundle")
    assert main([command, str(bundle), "--host", "127.0.0.1", "--port", str(taken)]) == 8
    printed = capsys.readouterr().err
    assert str(taken) in printed
    assert printed.startswith("error: ")
    assert main([command, str(bundle), f"serving.{field}={taken}"]) == 8


def test_the_dashboard_needs_no_bundle(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboard", f"serving.dashboard_port={taken}"]) == 8
    assert str(taken) in capsys.readouterr().err


def test_a_recipe_gives_the_port(taken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_tone_bundle(tmp_path / "bundle")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"words: [{{label: alpha}}]\nserving: {{port: {taken}}}\n")
    assert main(["serve", str(bundle), "--config", str(recipe)]) == 8
    assert str(taken) in capsys.readouterr().err


def test_a_damaged_bundle_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_tone_bundle(tmp_path / "bundle")
    model = bundle / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(bytes(data))
    assert main(["serve", str(bundle)]) == 4
    assert "model.onnx" in capsys.readouterr().err


def test_overrides_are_validated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_tone_bundle(tmp_path / "bundle")
    assert main(["serve", str(bundle), "serving.prot=1"]) == 2
    assert "did you mean 'port'?" in capsys.readouterr().err
    assert main(["serve", str(bundle), "--port", "70000"]) == 2
    assert "serving.port = 70000" in capsys.readouterr().err
