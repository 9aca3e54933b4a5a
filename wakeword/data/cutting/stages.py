"""The stages of cutting: clips and transcripts to the times of words, planned rows to FLAC files.

Both store their results in files named by a hash of the input; results of an earlier run are reused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wakeword.audio.decoding.guard import shared_decoder
from wakeword.audio.io import AudioError, length_s, read_audio, write_flac
from wakeword.config.cutting import CuttingConfig
from wakeword.config.data import QualityConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.cutting.aligner import Aligner, AlignmentError, load_aligner
from wakeword.data.cutting.borders import CutWord, cut_words
from wakeword.data.cutting.joining import MARGIN_S, join_parts
from wakeword.data.cutting.plan import CUT_SCHEMA
from wakeword.data.manifest import Row
from wakeword.data.quality import check_clip
from wakeword.data.shard_stage import verified_digest
from wakeword.data.words import spoken
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import sha256_of, write_json

ALIGN_VERSION = 1
"""Increased when the same clip, text and aligner would give other times; stored alignments are then made again."""
_NUMBERS = ("start_s", "end_s", "level_db", "before_db", "after_db", "confidence")
_WORD = pa.struct([("place", pa.int64()), ("text", pa.string()), *((name, pa.float64()) for name in _NUMBERS)])
ALIGNED_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("sha256", pa.string()),
        ("words", pa.list_(_WORD)),
        ("gaps_s", pa.list_(pa.float64())),
        ("aligned", pa.bool_()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
"""`words` are the wanted ones (`borders.CutWord`), `gaps_s` the pauses between all neighbours in the transcript;
`aligned` is false where the times are of an earlier run."""


def read_clip(uri: str, quality: QualityConfig, max_s: float) -> np.ndarray:
    """Decode a clip as preparation does, in a child process where `data.quality.guarded` says so.

    Raises:
        AudioError: the clip cannot be decoded or is too long.
    """
    read = shared_decoder().read_audio if quality.guarded else read_audio
    return read(uri, max_s=max_s, timeout_s=quality.decode_timeout_s)


class AlignStage(Stage):
    """Computes the times of words; a clip with stored times is not aligned again.

    Args:
        cutting: aligner and limits.
        quality: how clips are decoded.
        folder: output folder for `alignments/`; every worker must see it.
        wanted: words that are returned.
        device: of a CTC model, `cpu` or `cuda`.
    """

    name = "alignment"
    reads = ("key", "uri", "source", "text", "sha256")
    writes = tuple(ALIGNED_SCHEMA.names)

    def __init__(
        self, cutting: CuttingConfig, quality: QualityConfig, folder: str | Path, wanted: Sequence[str], device: str
    ) -> None:
        self.cutting = cutting
        self.quality = quality
        self.folder = str(folder)
        self.wanted = frozenset(wanted)
        self.device = device
        self.resources = StageResources(cpus=1.0, gpus=1.0 if device == "cuda" else 0.0, batch_size=16, stateful=True)
        self._aligner: Aligner | None = None

    def setup(self) -> None:
        """Load the aligner.

        Raises:
            ConfigError: a model that cannot be used.
            MissingExtraError: the aligner's packages are not installed.
        """
        self._aligner = load_aligner(self.cutting.aligner, self.device)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Align each row's clip; `reason` is empty where that succeeded."""
        return pa.Table.from_pylist([self._aligned(row) for row in table.to_pylist()], schema=ALIGNED_SCHEMA)

    def _aligned(self, row: Row) -> Row:
        try:
            digest = verified_digest(row)
            kept, aligned = self._times(row, digest)
        except AudioError as error:
            return {"key": row["key"], "aligned": False, "reason": error.reason, "detail": error.detail}
        gaps_s = [max(0.0, round(b["start_s"] - a["end_s"], 4)) for a, b in pairwise(kept["words"])]
        words = [word for word in kept["words"] if word["text"] in self.wanted]
        return {**kept, "key": row["key"], "sha256": digest, "words": words, "gaps_s": gaps_s, "aligned": aligned}

    def _times(self, row: Row, digest: str) -> tuple[dict[str, Any], bool]:
        """All words of the clip or the reason of a failure, and whether they were computed in this run."""
        assert self._aligner is not None, "setup() was not called"
        words = spoken(row["text"])
        parts = [digest, " ".join(words), self._aligner.identity, str(ALIGN_VERSION)]
        name = hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]
        path = Path(self.folder) / "alignments" / name[:2] / f"{name}.json"
        kept = _read(path)
        if kept is not None:
            return kept, False
        audio = read_clip(row["uri"], self.quality, self.cutting.max_source_s)
        made: dict[str, Any] = {"words": [], "reason": "", "detail": ""}
        try:
            found = cut_words(audio, words, self._aligner.align(audio, words))
            made["words"] = [asdict(word) for word in found]
        except AlignmentError as error:
            made |= {"reason": error.reason, "detail": str(error)}
        write_json(path, made)
        return made, True


def _read(path: Path) -> dict[str, Any] | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        # A file of another shape is written again.
        kept["words"] = [asdict(CutWord(**word)) for word in kept["words"]]
        return {name: kept[name] for name in ("words", "reason", "detail")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


RESULT_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        *((name, pa.float64()) for name in ("duration_s", "word_start_s", "word_end_s")),
        ("sha256", pa.string()),
        ("made", pa.bool_()),
        *((name, pa.string()) for name in ("reason", "detail")),
    ]
)
"""`made` is false where the file is of an earlier run."""
KEPT_RECORDINGS = 4
"""Decoded recordings in memory for the next rows."""


def clip_path(name: str) -> str:
    """Path of a clip within the output folder."""
    return f"clips/{name[:2]}/{name}.flac"


class CutStage(Stage):
    """Writes the planned clips; a clip of an earlier run is not written again.

    Args:
        cutting: limit of the recordings' length.
        quality: how recordings are decoded, and the checks of clips.
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
        """Write each row's clip; `reason` is empty where that succeeded."""
        self._recordings = {}
        return pa.Table.from_pylist([self._made(row) for row in table.to_pylist()], schema=RESULT_SCHEMA)

    def _made(self, row: Row) -> Row:
        path = Path(self.folder) / clip_path(row["name"])
        duration_s = length_s(path)
        made = duration_s is None
        if duration_s is None:
            try:
                parts = [(self._recording(p["uri"]), p["start_s"], p["end_s"]) for p in row["parts"]]
                audio = join_parts(parts, row["gains"], row["gaps_s"], int(row["name"][:8], 16))
                check_clip(audio, row["kind"], self.quality, row["parts"][0]["uri"])
            except AudioError as error:
                return {"name": row["name"], "made": False, "reason": error.reason, "detail": error.detail}
            write_flac(path, audio)
            duration_s = len(audio) / SAMPLE_RATE_HZ
        word_end_s = round(duration_s - MARGIN_S, 4)
        times = {"duration_s": duration_s, "word_start_s": MARGIN_S, "word_end_s": word_end_s}
        return {"name": row["name"], **times, "sha256": sha256_of(path), "made": made, "reason": "", "detail": ""}

    def _recording(self, uri: str) -> np.ndarray:
        if uri not in self._recordings:
            while len(self._recordings) >= KEPT_RECORDINGS:
                del self._recordings[next(iter(self._recordings))]
            self._recordings[uri] = read_clip(uri, self.quality, self.cutting.max_source_s)
        return self._recordings[uri]
