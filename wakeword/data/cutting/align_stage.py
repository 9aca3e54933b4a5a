"""The stage that aligns: a clip and its transcript to the times of the words that are wanted, kept as a file each."""

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
from wakeword.audio.io import AudioError, read_audio
from wakeword.config.cutting import CuttingConfig
from wakeword.config.data import QualityConfig
from wakeword.data.cutting.aligner import Aligner, AlignmentError, load_aligner
from wakeword.data.cutting.borders import CutWord, cut_words
from wakeword.data.manifest import Row
from wakeword.data.shard_stage import verified_digest
from wakeword.data.words import spoken
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import write_json

ALIGN_VERSION = 1
"""Raised when the same clip, text and aligner would give other times: kept alignments are then made again."""
_WORD = pa.struct(
    [
        ("place", pa.int64()),
        ("text", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("level_db", pa.float64()),
        ("before_db", pa.float64()),
        ("after_db", pa.float64()),
        ("confidence", pa.float64()),
    ]
)
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
`aligned` is false where the times were kept from an earlier run."""


def read_clip(uri: str, quality: QualityConfig, max_s: float) -> np.ndarray:
    """Decode a clip as preparation does, in a child process where `data.quality.guarded` says so.

    Raises:
        AudioError: the clip cannot be decoded or is too long.
    """
    read = shared_decoder().read_audio if quality.guarded else read_audio
    return read(uri, max_s=max_s, timeout_s=quality.decode_timeout_s)


class AlignStage(Stage):
    """Times of words; a clip whose times are kept is not aligned again.

    Args:
        cutting: aligner and limits.
        quality: how clips are decoded.
        folder: alignments go to its `alignments/`; every worker must see it.
        wanted: words that are returned.
        device: where a CTC model runs, `cpu` or `cuda`.
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
        """Align each row's clip; `reason` is empty where it went well."""
        return pa.Table.from_pylist([self._aligned(row) for row in table.to_pylist()], schema=ALIGNED_SCHEMA)

    def _aligned(self, row: Row) -> Row:
        empty: Row = {"key": row["key"], "sha256": "", "words": [], "gaps_s": [], "aligned": False}
        try:
            digest = verified_digest(row)
            kept, aligned = self._times(row, digest)
        except AudioError as error:
            return {**empty, "reason": error.reason, "detail": error.detail}
        if kept["reason"]:
            return {**empty, "sha256": digest, "aligned": aligned, **kept, "words": [], "gaps_s": []}
        words = kept["words"]
        gaps = [round(b["start_s"] - a["end_s"], 4) for a, b in pairwise(words)]
        return {
            "key": row["key"],
            "sha256": digest,
            "words": [word for word in words if word["text"] in self.wanted],
            "gaps_s": [max(0.0, gap) for gap in gaps],
            "aligned": aligned,
            "reason": "",
            "detail": "",
        }

    def _times(self, row: Row, digest: str) -> tuple[dict[str, Any], bool]:
        """All words of the clip, or why there are none, from an earlier run or made now."""
        assert self._aligner is not None, "setup() comes first"
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
        # Shapes too: what cannot be meant is made again.
        kept["words"] = [asdict(CutWord(**word)) for word in kept["words"]]
        return {name: kept[name] for name in ("words", "reason", "detail")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
