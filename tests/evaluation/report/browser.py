"""A report as a real Chromium shows it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

_PLAYS = """async () => Promise.all([...document.querySelectorAll('audio')].map(async (player) => {
  player.muted = true;
  await player.play();
  for (let waits = 0; waits < 100 && player.currentTime === 0; waits++)
    await new Promise((done) => setTimeout(done, 100));
  return player.currentTime > 0 ? player.duration : 0;
}))"""


@dataclass(frozen=True)
class Look:
    """What the browser found: script errors, drawn plots, page width, bars of the first plot, seconds of each player,
    pixels of each picture, requests that left the file."""

    faults: list[str]
    plots: int
    width: int
    bars: int
    played_s: list[float]
    pictures: list[int]
    fetched: list[str]


def look_at(page: Path, width: int = 1100, screenshot: Path | None = None) -> Look:
    """Open a report, wait until every plot is drawn, play every example; skips where no Chromium is installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed: this test looks at the report in one")
    from playwright.sync_api import sync_playwright

    faults: list[str] = []
    fetched: list[str] = []
    arguments = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        view = browser.new_page(viewport={"width": width, "height": 800})
        view.on("pageerror", lambda error: faults.append(str(error)))
        view.on("request", lambda request: fetched.append(request.url))
        view.goto(page.as_uri(), timeout=150_000)
        view.wait_for_function(
            "[...document.querySelectorAll('.plotly-graph-div')].every((plot) => plot.querySelector('.main-svg'))",
            timeout=120_000,
        )
        found = Look(
            faults=faults,
            plots=view.evaluate("document.querySelectorAll('.js-plotly-plot .main-svg').length"),
            width=view.evaluate("document.documentElement.scrollWidth"),
            bars=view.evaluate("document.querySelectorAll('.js-plotly-plot')[0].querySelectorAll('.point').length"),
            played_s=view.evaluate(_PLAYS),
            pictures=view.evaluate("[...document.querySelectorAll('img')].map((picture) => picture.naturalWidth)"),
            fetched=[url for url in fetched if not url.startswith(("file:", "data:", "blob:"))],
        )
        if screenshot is not None:
            view.screenshot(path=screenshot)
        browser.close()
    return found
