"""`review.html`: candidates to hear, one of each cluster first; its buttons put the command together that decides."""

from __future__ import annotations

import base64
import html
import io
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
from numpy.typing import NDArray

from wakeword.data.mined import read_candidates, read_decisions
from wakeword.errors import DataError
from wakeword.evaluation.report.example_section import DYNAMIC_RANGE_DB, levels, sound_tag
from wakeword.system.files import write_text
from wakeword.system.html_page import folded, note, page, section, table

PAGE, SUMMARY = "review.html", "mine.json"
SHOWN = 120
"""Candidates with a player: about 0.1 MB each. The others are listed, and their clips lie in `clips`."""
EACH_CLUSTER = 4
PICTURE_HEIGHT = 128
TEXT_SHOWN = 120

_SCRIPT = """
<script>
const folder = %s;
function told() {
  const chosen = {keep: [], discard: []};
  for (const button of document.querySelectorAll('button[aria-pressed="true"]'))
    chosen[button.value].push(button.dataset.id);
  const given = Object.entries(chosen).filter(([, ids]) => ids.length);
  const parts = given.map(([name, ids]) => `--${name} ${ids.join(' ')}`);
  document.getElementById('command').textContent =
    `wakeword mine review ${folder} ${parts.join(' ')}`.trim();
}
document.addEventListener('click', event => {
  const button = event.target.closest('button[data-id]');
  if (!button) return;
  const pressed = button.getAttribute('aria-pressed') === 'true';
  for (const other of button.parentElement.querySelectorAll('button')) other.setAttribute('aria-pressed', 'false');
  button.setAttribute('aria-pressed', String(!pressed));
  told();
});
told();
</script>
<style>
.choice { display: flex; gap: 8px; margin-top: 6px; }
.choice button { font: inherit; font-size: .84rem; padding: 3px 12px; border: 1px solid var(--line);
  border-radius: 99px; background: #fff; cursor: pointer; }
.choice button[aria-pressed="true"] { color: #fff; background: var(--good); border-color: var(--good); }
.choice button[value="discard"][aria-pressed="true"] { background: var(--bad); border-color: var(--bad); }
#command { white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
"""


def write_page(folder: Path, candidates: pa.Table, decisions: Mapping[str, str], summary: Mapping[str, Any]) -> None:
    """Write the page of a mining folder.

    Args:
        folder: the mining folder; its clips are put into the page.
        candidates: `CANDIDATE_SCHEMA`, by cluster and rank.
        decisions: what was decided, by candidate; it is pressed already.
        summary: hours, candidates, clusters and what was left out.
    """
    rows = candidates.to_pylist()
    # The first of every cluster before the second of any: variety is heard early.
    order = sorted((row for row in rows if row["rank"] <= EACH_CLUSTER), key=lambda row: (row["rank"], row["cluster"]))
    players = {row["id"] for row in order[:SHOWN]}
    parts = [_how()]
    silent = []
    for cluster in dict.fromkeys(row["cluster"] for row in rows):
        own = [row for row in rows if row["cluster"] == cluster]
        heard = [row for row in own if row["id"] in players]
        silent += [row for row in own if row["id"] not in players]
        if heard:
            title = f"Cluster {cluster}: {len(own)} candidate{'' if len(own) == 1 else 's'}"
            figures = "".join(_candidate(row, folder, decisions.get(row["id"], "")) for row in heard)
            parts.append(section(title, f'<div class="examples">{figures}</div>'))
    if silent:
        parts.append(section("Not shown", folded(f"{len(silent)} more, in clips/ID.flac", _listed(silent, decisions))))
    if not rows:
        parts.append(section("Nothing found", note("No negative scored as high as the limit.")))
    left_out = summary["left_out"]
    if left_out:
        counted = [(reason, str(count)) for reason, count in left_out.items()]
        parts.append(
            section("Left out", table(("reason", "count"), counted), note("Each with its detail: left_out.parquet"))
        )
    subtitle = f"{summary['hours']:.2f} h of negatives, {len(rows)} candidates in {summary['clusters']} clusters"
    parts.append(_SCRIPT % _quoted(str(folder)))
    write_text(folder / PAGE, page("Mined negatives", "Mined negatives", subtitle, parts, plots=False))


def refresh_page(folder: Path) -> None:
    """Write the page again after decisions.

    Raises:
        DataError: the folder holds no finished mining.
    """
    candidates = read_candidates(folder)
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / SUMMARY} cannot be read ({error}): run `wakeword mine run` again") from error
    write_page(folder, candidates, read_decisions(folder), summary)


def _how() -> str:
    told = (
        "Keep what must not wake the device. Discard a clip in which the word is said after all, and what is only a "
        "fault of the recording. What stays undecided is not used. Then run this where the folder lies:"
    )
    return section("To decide", note(told), '<pre id="command"></pre>')


def _quoted(text: str) -> str:
    """A path as a shell argument, as a string of the script."""
    return json.dumps(shlex.quote(text)).replace("<", "\\u003c")


def _candidate(row: Mapping[str, Any], folder: Path, decision: str) -> str:
    flac = (folder / row["clip"]).read_bytes()
    audio, _ = soundfile.read(io.BytesIO(flac), dtype="float32")
    picture = base64.b64encode(_picture(audio)).decode()
    who = ", ".join(part for part in (row["speaker"] and f"speaker {row['speaker']}", row["source"]) if part)
    caption = (
        f"<strong>{html.escape(row['id'])}</strong> “{html.escape(row['word'])}”, score {row['score']:.3f}<br>"
        f"<small>{html.escape(row['kind'])}: {html.escape(who)}<br>{html.escape(row['recording'])} at "
        f"{row['end_s']:.1f} s{_said(row['text'])}</small>"
    )
    buttons = "".join(
        f'<button type="button" value="{name}" data-id="{html.escape(row["id"])}" '
        f'aria-pressed="{"true" if decision == name else "false"}">{name}</button>'
        for name in ("keep", "discard")
    )
    return (
        f'<figure class="example"><figcaption>{caption}</figcaption>'
        f'<img alt="spectrogram, 0 to 8 kHz" style="height: 96px" src="data:image/png;base64,{picture}">'
        f'{sound_tag(flac)}<div class="choice">{buttons}</div></figure>'
    )


def _said(text: str) -> str:
    """The beginning of the recording's transcript, where there is one."""
    return f"<br>“{html.escape(text[:TEXT_SHOWN])}{'…' if len(text) > TEXT_SHOWN else ''}”" if text else ""


def _picture(audio: NDArray[np.float32]) -> bytes:
    """PNG of the spectrogram without axes: hundreds of figures would take minutes."""
    from matplotlib import colormaps
    from matplotlib.image import imsave

    level_db = levels(audio)[2] if len(audio) >= 400 else np.full((2, 2), -120.0)
    top = float(level_db.max())
    every = max(1, level_db.shape[0] // PICTURE_HEIGHT)
    stream = io.BytesIO()
    imsave(
        stream,
        level_db[::every],
        cmap=colormaps["magma"],
        vmin=top - DYNAMIC_RANGE_DB,
        vmax=top,
        origin="lower",
        format="png",
    )
    return stream.getvalue()


def _listed(rows: list[dict[str, Any]], decisions: Mapping[str, str]) -> str:
    cells = [
        (
            row["id"],
            decisions.get(row["id"], "") or "-",
            str(row["cluster"]),
            row["word"],
            f"{row['score']:.3f}",
            f"{row['recording']} at {row['end_s']:.1f} s",
        )
        for row in rows
    ]
    return table(("id", "decision", "cluster", "word", "score", "where"), cells)
