"""One line per event: JSON with the run's name, or readable text."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from wakeword.config.tracking import TrackingConfig
from wakeword.system.log import configure_logging, get_logger, log_context


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(False)


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_run_trial_and_values() -> None:
    stream = io.StringIO()
    configure_logging(TrackingConfig(), stream)
    with log_context("tiny", trial="0003"):
        get_logger("wakeword.training").info("epoch done", epoch=3, val_frr=0.25)
        logging.getLogger("wakeword.data").warning("%d clips left out", 2)
    get_logger("wakeword.training").info("after")
    first, second, third = _lines(stream)
    assert first | {"timestamp": ""} == {
        "event": "epoch done",
        "epoch": 3,
        "val_frr": 0.25,
        "run": "tiny",
        "trial": "0003",
        "level": "info",
        "logger": "wakeword.training",
        "timestamp": "",
    }
    assert second["event"] == "2 clips left out"
    assert second["run"] == "tiny"
    assert second["level"] == "warning"
    assert "run" not in third


def test_the_format_follows_the_terminal_unless_it_is_given() -> None:
    def printed(stream: io.StringIO, form: str) -> str:
        configure_logging(TrackingConfig(log_format=form), stream)  # type: ignore[arg-type]
        get_logger("wakeword.x").info("hello", answer=42)
        return stream.getvalue()

    assert printed(io.StringIO(), "auto").startswith("{")
    assert "\x1b[" in printed(_Terminal(), "auto")
    assert printed(_Terminal(), "json").startswith("{")
    human = printed(io.StringIO(), "human")
    assert "hello" in human
    assert "answer=42" in human
    assert not human.startswith("{")


@pytest.mark.parametrize(("level", "events"), [("debug", ["d", "i", "w"]), ("info", ["i", "w"]), ("error", [])])
def test_the_level_decides_what_is_logged(level: str, events: list[str]) -> None:
    stream = io.StringIO()
    configure_logging(TrackingConfig(log_level=level), stream)  # type: ignore[arg-type]
    log = logging.getLogger("wakeword.x")
    log.debug("d")
    log.info("i")
    log.warning("w")
    assert [line["event"] for line in _lines(stream)] == events


def test_third_parties_are_quiet_until_something_breaks() -> None:
    stream = io.StringIO()
    configure_logging(TrackingConfig(), stream)
    logging.getLogger("ray.data").warning("chatter")
    logging.getLogger("matplotlib.font_manager").info("chatter")
    # Not Ray's own logger: once Ray is imported it has a handler of its own.
    logging.getLogger("matplotlib").error("broken")
    assert [line["event"] for line in _lines(stream)] == ["broken"]


def test_setting_up_again_replaces_the_handler() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging(TrackingConfig(), first)
    configure_logging(TrackingConfig(), second)
    logging.getLogger("wakeword").info("once")
    assert first.getvalue() == ""
    assert len(_lines(second)) == 1


def test_exceptions_are_structured() -> None:
    stream = io.StringIO()
    configure_logging(TrackingConfig(), stream)
    try:
        raise ValueError("no tone")
    except ValueError:
        logging.getLogger("wakeword.x").exception("failed")
    assert "no tone" in json.dumps(_lines(stream)[0])
