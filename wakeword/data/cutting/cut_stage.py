"""The stage that cuts: planned rows to FLAC files that are named by what they are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from wakeword.audio.io import AudioError, length_s, write_flac
from wakeword.config.cutting import CuttingConfig
from wakeword.config.data import QualityConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.cutting.align_stage import read_clip
from wakeword.data.cutting.joining import MARGIN_S, join_parts
from wakeword.data.cutting.plan import CUT_SCHEMA
from wakeword.data.manifest import Row
from wakeword.data.quality import check_clip
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import sha256_of

RESULT_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("duration_s", pa.float64()),
        ("word_start_s", pa.float64()),
        ("word_end_s", pa.float64()),
        ("sha256", pa.string()),
        ("made", pa.bool_()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""`made` is false where the file was there from an earlier run."""
KEPT_RECORDINGS = 4
"""Decoded recordings that are kept for the rows that follow."""


def clip_path(name: str) -> str:
    """Where a clip lies in the output folder."""
    return f"clips/{name[:2]}/{name}.flac"


class CutStage(Stage):
    """Plans to clips; a clip that is there is not made again.

    Args:
        cutting: limit of the recordings' length.
        quality: how recordings are decoded, and what makes a clip unfit.
        folder: output folder; every worker must see it.
    """

    name = "cut"
    reads = tuple(CUT_SCHEMA.names)
    writes = tuple(RESULT_SCHEMA.names)
    resources = StageResources(cpus=1.0, batch_size=32)

    def __init__(self, cutting: CuttingConfig, quality: QualityConfig, folder: str | Path) -> None:
        self.cutting = cutting
        self.quality = quality
        self.folder = str(folder)
        self._recordings: dict[str, np.ndarray] = {}

    def __call__(self, table: pa.Table) -> pa.Table:
        """Make each row's clip; `reason` is empty where it went well."""
        self._recordings = {}
        return pa.Table.from_pylist([self._made(row) for row in table.to_pylist()], schema=RESULT_SCHEMA)

    def _made(self, row: Row) -> Row:
        path = Path(self.folder) / clip_path(row["name"])
        duration_s = length_s(path)
        made = duration_s is None
        empty = dict.fromkeys(("duration_s", "word_start_s", "word_end_s"))
        if duration_s is None:
            try:
                parts = [(self._recording(p["uri"]), p["start_s"], p["end_s"]) for p in row["parts"]]
                audio, _, _ = join_parts(parts, row["gains"], row["gaps_s"], int(row["name"][:8], 16))
                check_clip(audio, row["kind"], self.quality, row["parts"][0]["uri"])
            except AudioError as error:
                reason = {"reason": error.reason, "detail": error.detail}
                return {"name": row["name"], **empty, "sha256": "", "made": False, **reason}
            write_flac(path, audio)
            duration_s = len(audio) / SAMPLE_RATE_HZ
        times = {"word_start_s": MARGIN_S, "word_end_s": round(duration_s - MARGIN_S, 4)}
        return {
            "name": row["name"],
            "duration_s": duration_s,
            **times,
            "sha256": sha256_of(path),
            "made": made,
            "reason": "",
            "detail": "",
        }

    def _recording(self, uri: str) -> np.ndarray:
        if uri not in self._recordings:
            while len(self._recordings) >= KEPT_RECORDINGS:
                del self._recordings[next(iter(self._recordings))]
            self._recordings[uri] = read_clip(uri, self.quality, self.cutting.max_source_s)
        return self._recordings[uri]
