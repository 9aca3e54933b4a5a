"""The dashboard in a real Chromium: login, every tab, a file and a microphone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.bundles import write_tone_bundle
from tests.serve.conftest import TOKEN, free_port, spoken
from wakeword.config import save_config, validate_config

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
PATIENCE_MS = 120_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
SERVER = """
import sys
from wakeword.config import load_config
from serve.dashboard.launch import run_dashboard
run_dashboard(load_config(sys.argv[1]))
"""


def write_wav(path: Path, audio: np.ndarray, rate_hz: int) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(audio.tobytes())
    return path


def prepare_runs(runs_dir: Path) -> None:
    for name, rate in (("wide", 1e-3), ("narrow", 2e-3)):
        folder = runs_dir / name
        folder.mkdir(parents=True)
        tree = {"name": name, "words": [{"label": "alpha"}], "training": {"learning_rate": rate, "epochs": 3}}
        save_config(validate_config(tree), folder / "config.yaml")
        lines = [{"epoch": e, "step": e, "loss": 1 / e, "val_frr": 0.5 / e} for e in (1, 2, 3)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_tone_bundle(runs_dir / "wide" / "bundle")
    report = runs_dir / "wide" / "evaluation"
    report.mkdir()
    (report / "report.json").write_text("{}")
    script = "document.body.append('drawn by its script')"
    (report / "report.html").write_text(f"<html><body><h1>Findings</h1><script>{script}</script></body></html>")


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of `wakeword dashboard`'s server in a separate process, with a token as login."""
    folder = tmp_path_factory.mktemp("dashboard")
    prepare_runs(folder / "runs")
    port = free_port()
    tree = {"words": [{"label": "alpha"}], "runs_dir": str(folder / "runs"), "serving": {"dashboard_port": port}}
    save_config(validate_config(tree), folder / "config.yaml")
    environment = {**os.environ, "WAKEWORD_TOKEN": TOKEN, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(folder / "config.yaml")], env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 400
    try:
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the dashboard did not start"
            try:
                httpx.get(url, timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        assert process.wait(30) in (0, -15)
    assert TOKEN not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def page(dashboard: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A page of a real headless Chromium whose microphone plays a recording, logged in."""
    if not Path(CHROMIUM).is_file():
        pytest.skip("no chromium on this machine: install it (Debian: apt-get install chromium) to test the dashboard")
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright ([dev])")
    # Chromium repeats the file, so there are tones whenever the recording begins.
    sound = np.repeat(spoken([("alpha", 0.5), ("beta", 1.5)], 2.0), 3)
    microphone = write_wav(tmp_path_factory.mktemp("sound") / "microphone.wav", sound, 48_000)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            headless=True,
            args=[*ARGUMENTS, f"--use-file-for-fake-audio-capture={microphone}"],
        )
        context = browser.new_context(permissions=["microphone"], viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        opened = context.new_page()
        opened.outside = []
        opened.on("request", lambda r: opened.outside.append(r.url) if foreign(r.url, dashboard) else None)
        opened.goto(dashboard)
        opened.get_by_label("username").fill("me")
        opened.get_by_label("password").fill(TOKEN)
        opened.get_by_role("button", name="Login").click()
        opened.get_by_role("tab", name="Runs").wait_for()
        yield opened
        browser.close()


def foreign(url: str, own: str) -> bool:
    return url.startswith(("http:", "https:", "ws:", "wss:")) and own.split("//")[1] not in url


def visible(locator: Any) -> Any:
    """The first visible match: tables measure their columns on hidden copies of the cells."""
    return locator.filter(visible=True).first


def test_without_the_token_there_is_no_access(dashboard: str) -> None:
    answer = httpx.post(f"{dashboard}/login", data={"username": "me", "password": "wrong-password"})
    assert answer.status_code == 400
    assert httpx.get(f"{dashboard}/config").status_code == 401
    assert httpx.post(f"{dashboard}/gradio_api/queue/join", json={"data": [], "fn_index": 0}).status_code == 401


def test_runs_and_their_curves(page: Any) -> None:
    page.get_by_role("tab", name="Runs").click()
    page.locator(".js-plotly-plot").first.wait_for()
    page.locator(".js-plotly-plot .legendtext").first.wait_for()
    names = {text.text_content() for text in page.locator(".js-plotly-plot .legendtext").all()}
    assert names == {"wide", "narrow"}
    visible(page.get_by_text("evaluated")).wait_for()
    visible(page.get_by_text("training.learning_rate")).wait_for()


def test_the_report(page: Any) -> None:
    page.get_by_role("tab", name="Report").click()
    report = page.frame_locator("iframe[title='evaluation report']")
    report.get_by_text("Findings").wait_for()
    report.get_by_text("drawn by its script").wait_for()


def test_an_uploaded_file_is_detected(page: Any, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "upload.wav", spoken([("beta", 1.0)], 2.5), 16_000)
    page.get_by_role("tab", name="Detect").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Click to Upload").click()
    chooser.value.set_files(str(path))
    page.get_by_text("1 detection", exact=True).wait_for()
    table = page.locator("#detections")
    visible(table.get_by_text("beta")).wait_for()
    assert "alpha" not in table.inner_text()
    page.locator(".js-plotly-plot:visible .legendtext").first.wait_for()


def test_the_microphone(page: Any) -> None:
    page.get_by_role("tab", name="Microphone").click()
    # The list of bundles is filled when the page has loaded; without one there is no detector.
    page.wait_for_function(
        "[...document.querySelectorAll('input[aria-label=Bundle]')].some(field => field.offsetParent && field.value)"
    )
    page.get_by_role("button", name="Record").click()
    table = page.locator("#live-detections")
    visible(table.get_by_text("alpha").or_(table.get_by_text("beta"))).wait_for()
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_text("Stopped after").wait_for()


def test_nothing_was_fetched_from_elsewhere(page: Any) -> None:
    assert page.outside == []
