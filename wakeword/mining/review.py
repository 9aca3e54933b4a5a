"""`review.html`: candidates with players by cluster; its buttons compose the command that decides on them."""

from __future__ import annotations

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
from wakeword.pages.media import DYNAMIC_RANGE_DB, flac_address, png_address, spectrogram_db
from wakeword.pages.page import render
from wakeword.system.files import write_text

PAGE, SUMMARY = "review.html", "mine.json"
PLAYERS = 120
"""Candidates with a player, about 0.1 MB each; the others are listed, and their clips are in `clips`."""
EACH_CLUSTER = 4
MOST_LETTERS = 120
"""Characters of a recording's transcript."""


def write_page(folder: Path, candidates: pa.Table, decisions: Mapping[str, str], summary: Mapping[str, Any]) -> None:
    """Write the page of a mining folder, which embeds the clips.

    Args:
        folder: the mining folder.
        candidates: `CANDIDATE_SCHEMA`, by cluster and rank.
        decisions: `keep`, `discard` or nothing, by candidate.
        summary: hours, clusters and numbers of recordings left out.
    """
    rows = candidates.to_pylist()
    # The first of every cluster comes before the second of any.
    order = sorted((row for row in rows if row["rank"] <= EACH_CLUSTER), key=lambda row: (row["rank"], row["cluster"]))
    players = {row["id"] for row in order[:PLAYERS]}
    clusters = []
    for number in dict.fromkeys(row["cluster"] for row in rows):
        own = [row for row in rows if row["cluster"] == number]
        played = [_candidate(row, folder, decisions.get(row["id"], "")) for row in own if row["id"] in players]
        if played:
            title = f"Cluster {number}: {len(own)} candidate{'' if len(own) == 1 else 's'}"
            clusters.append({"title": title, "candidates": played})
    page = render(
        "mining.html.j2",
        title="Mined negatives",
        heading="Mined negatives",
        subtitle=f"{summary['hours']:.2f} h of negatives, {len(rows)} candidates in {summary['clusters']} clusters",
        command=f"wakeword mine review {shlex.quote(str(folder))}",
        clusters=clusters,
        others=[_listed(row, decisions) for row in rows if row["id"] not in players],
        left_out=list(summary["left_out"].items()),
    )
    write_text(folder / PAGE, page)


def refresh_page(folder: Path) -> None:
    """Write the page again with the current decisions.

    Raises:
        DataError: the folder holds no finished mining.
    """
    candidates = read_candidates(folder)
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / SUMMARY} cannot be read ({error}): run `wakeword mine run` again") from error
    write_page(folder, candidates, read_decisions(folder), summary)


def _candidate(row: Mapping[str, Any], folder: Path, decision: str) -> dict[str, Any]:
    """A candidate with its player."""
    flac = (folder / row["clip"]).read_bytes()
    audio, _ = soundfile.read(io.BytesIO(flac), dtype="float32")
    who = ", ".join(part for part in (row["speaker"] and f"speaker {row['speaker']}", row["source"]) if part)
    text = row["text"]
    lines = [f"{row['kind']}: {who}", _where(row)]
    if text:
        lines.append(f"“{text[:MOST_LETTERS]}{'…' if len(text) > MOST_LETTERS else ''}”")
    return {
        "id": row["id"],
        "word": row["word"],
        "score": f"{row['score']:.3f}",
        "lines": lines,
        "picture": png_address(_picture(audio)),
        "sound": flac_address(flac),
        "decision": decision,
    }


def _picture(audio: NDArray[np.float32]) -> bytes:
    """PNG of the spectrogram without axes, which is much faster than a figure."""
    from matplotlib.image import imsave

    stream = io.BytesIO()
    image = spectrogram_db(audio)[::2]
    imsave(stream, image, cmap="magma", vmin=-DYNAMIC_RANGE_DB, vmax=0, origin="lower", format="png")
    return stream.getvalue()


def _listed(row: Mapping[str, Any], decisions: Mapping[str, str]) -> tuple[str, ...]:
    """A candidate as a row of the table below."""
    decision = decisions.get(row["id"], "") or "-"
    return (row["id"], decision, str(row["cluster"]), row["word"], f"{row['score']:.3f}", _where(row))


def _where(row: Mapping[str, Any]) -> str:
    return f"{row['recording']} at {row['end_s']:.1f} s"
