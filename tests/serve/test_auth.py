"""The token and the origin check."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve.auth import Token, configured_token, is_loopback, origin_allowed, presented_token, resolve_token
from wakeword.errors import ServingError


def test_a_file_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAKEWORD_TOKEN", "from-environment")
    path = tmp_path / "token"
    path.write_text("from-the-file\n")
    assert resolve_token(str(path)) == Token("from-the-file", "file")
    assert resolve_token("") == Token("from-environment", "environment")
    monkeypatch.delenv("WAKEWORD_TOKEN")
    assert configured_token("") is None
    made = [resolve_token("") for _ in range(2)]
    assert made[0].origin == "generated"
    assert made[0].value != made[1].value
    assert len(made[0].value) >= 24


@pytest.mark.parametrize("text", ["", "short", "with space inside", "line\nline-two-of-it"])
def test_unusable_tokens(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(ServingError, match="8 to 512"):
        resolve_token(str(path))


def test_an_absent_token_file(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="cannot be read"):
        resolve_token(str(tmp_path / "absent"))


def test_a_token_does_not_show_itself() -> None:
    token = Token("very-secret-value", "file")
    assert "very-secret" not in repr(token)
    assert token.matches("very-secret-value")
    assert not token.matches("very-secret-valu")
    assert not token.matches("")
    assert not token.matches(None)


def test_where_a_client_shows_its_token() -> None:
    assert presented_token("Bearer abc") == "abc"
    assert presented_token("bearer abc") == "abc"
    assert presented_token("Basic abc", ["bearer.def"]) is None
    assert presented_token(None, ["wakeword.v1", "bearer.def"]) == "def"
    assert presented_token(None, ["wakeword.v1"]) is None


def test_origins() -> None:
    assert origin_allowed({"host": "localhost:8000"}, ())
    assert origin_allowed({"host": "localhost:8000", "origin": "http://localhost:8000"}, ())
    assert not origin_allowed({"host": "localhost:8000", "origin": "http://localhost:9000"}, ())
    assert not origin_allowed({"host": "localhost:8000", "origin": "null"}, ())
    assert not origin_allowed({"host": "", "origin": "null"}, ())
    assert origin_allowed({"host": "localhost:8000", "origin": "https://a.example"}, ("https://a.example/",))


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "127.0.1.1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org")))
