"""The stage that turns a list of clips into one shard: read, verify, decode, check, cut, write."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wakeword.audio.decoding.guard import shared_decoder
from wakeword.audio.io import AudioError, read_audio, stream_blocks, to_int16
from wakeword.audio.locators import sha256_of_uri
from wakeword.config.data import DataConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.manifest import PLACED, WHOLE, Row, quarantine_row
from wakeword.data.measures import measure
from wakeword.data.quality import check_clip, check_duration, check_snr
from wakeword.data.shards import write_shard
from wakeword.errors import DataError
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import sha256_of, write_json

MAX_RIR_S = 20.0
"""A longer file of kind `rir` is not a room impulse response."""
TIME_SLACK_S = 0.02
"""A rounded word end may lie so much after the clip's end."""


class ShardStage(Stage):
    """Builds the shard of each row; clips are decoded one after another, so memory is that of a record batch.

    Args:
        config: quality limits and the length of pieces.
        out_dir: prepared folder; every worker must see it (a shared file system on a cluster).
    """

    name = "shards"
    reads = ("name", "plan_hash", "clips")
    writes = ("name", "rows", "duration_s", "reason")
    resources = StageResources(cpus=1.0, batch_size=1)

    def __init__(self, config: DataConfig, out_dir: str | Path) -> None:
        self.config = config
        self.out_dir = str(out_dir)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Build each planned shard; `reason` is the most frequent one of its refused clips, or empty."""
        results = [self._build(row["name"], row["plan_hash"], row["clips"]) for row in table.to_pylist()]
        types = (pa.string(), pa.int64(), pa.float64(), pa.string())
        return pa.Table.from_pylist(results, schema=pa.schema(zip(self.writes, types, strict=True)))

    def _build(self, name: str, plan_hash: str, clips: bytes) -> dict[str, Any]:
        path = Path(self.out_dir) / "shards" / f"{name}.arrow"
        planned = pa.ipc.open_stream(clips).read_all().to_pylist()
        quarantined: list[Row] = []
        total = 0.0

        def rows() -> Iterator[Row]:
            nonlocal total
            for clip in planned:
                for row in self._pieces(clip, quarantined):
                    total += row["duration_s"]
                    yield row

        written = write_shard(path, rows())
        # The receipt is written last: a shard without one is made again.
        receipt = {
            "plan_hash": plan_hash,
            "rows": written,
            "duration_s": round(total, 6),
            "bytes": path.stat().st_size if written else 0,
            "sha256": sha256_of(path) if written else "",
            "quarantine": quarantined,
        }
        write_json(receipt_path(self.out_dir, name), receipt)
        reasons = [row["reason"] for row in quarantined]
        reason = max(sorted(set(reasons)), key=reasons.count) if reasons else ""
        return {"name": name, "rows": written, "duration_s": total, "reason": reason}

    def _pieces(self, clip: Row, quarantined: list[Row]) -> Iterator[Row]:
        try:
            clip["sha256"] = verified_digest(clip)
            if clip["kind"] in WHOLE:
                yield self._whole(clip)
            else:
                yield from self._cut(clip)
        except AudioError as error:
            where = (clip["uri"], clip["source"], "decode")
            quarantined.append(quarantine_row(*where, error.reason, error.detail, clip["label"]))

    def _whole(self, clip: Row) -> Row:
        quality = self.config.quality
        longest = MAX_RIR_S if clip["kind"] == "rir" else quality.max_clip_s
        read = shared_decoder().read_audio if quality.guarded else read_audio
        audio = read(clip["uri"], max_s=longest, timeout_s=quality.decode_timeout_s)
        check_duration(len(audio) / SAMPLE_RATE_HZ, clip["duration_s"], quality, clip["uri"])
        row = self._checked(clip, audio)
        if clip["kind"] in PLACED:
            row["word_start_s"], row["word_end_s"] = _word_place(clip, audio)
        return row

    def _cut(self, clip: Row) -> Iterator[Row]:
        """Pieces of a long recording, one in memory at a time; a fault later on keeps the pieces before it."""
        quality = self.config.quality
        kept = 0
        fault: AudioError | None = None
        stream = shared_decoder().stream_blocks if quality.guarded else stream_blocks
        blocks = stream(clip["uri"], self.config.max_kept_s, quality.decode_timeout_s)
        for number, audio in enumerate(blocks):
            if number == 0:
                # The length of a longer recording is known only after its first pieces are written: not checked.
                listed_s = min(clip["duration_s"], self.config.max_kept_s) if clip["duration_s"] else None
                check_duration(len(audio) / SAMPLE_RATE_HZ, listed_s, quality, clip["uri"])
            try:
                row = self._checked(clip, audio)
            except AudioError as error:
                # A long pause or a last piece of a few samples does not refuse the recording.
                fault = error
                continue
            row["clip_id"] = f"{clip['clip_id']}#{number}"
            kept += 1
            yield row
        if not kept and fault:
            raise fault

    def _checked(self, clip: Row, audio: np.ndarray) -> Row:
        level = check_clip(audio, clip["kind"], self.config.quality, clip["uri"])
        measured = measure(audio, clip["kind"])
        check_snr(measured["snr_db"], self.config.quality, clip["uri"])
        return {**_finished(clip, audio, level), **measured}


def receipt_path(out_dir: str | Path, name: str) -> Path:
    """Path of the receipt of a finished shard."""
    return Path(out_dir) / "shards" / f"{name}.json"


def finished_receipt(out_dir: str | Path, name: str, plan_hash: str) -> dict[str, Any] | None:
    """The receipt of a shard that is complete for this plan, or None."""
    try:
        receipt = json.loads(receipt_path(out_dir, name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(receipt, dict) or receipt.get("plan_hash") != plan_hash:
        return None
    path = Path(out_dir) / "shards" / f"{name}.arrow"
    if receipt["rows"] and (not path.is_file() or sha256_of(path) != receipt["sha256"]):
        return None
    return receipt


def verified_digest(clip: Row) -> str:
    """SHA-256 of the file at `uri`, which must equal a `sha256` that is not empty.

    Raises:
        AudioError: `missing_file`, `unreadable` or `wrong_checksum`.
    """
    try:
        digest = sha256_of_uri(clip["uri"])
    except FileNotFoundError as error:
        raise AudioError("missing_file", clip["uri"], "there is no such file") from error
    except OSError as error:
        raise AudioError("unreadable", clip["uri"], error.strerror or str(error)) from error
    except DataError as error:
        raise AudioError("unreadable", clip["uri"], str(error)) from error
    if clip["sha256"] and clip["sha256"] != digest:
        raise AudioError("wrong_checksum", clip["uri"], "the file differs from the one in the manifest")
    return digest


def _word_place(clip: Row, audio: np.ndarray) -> tuple[float, float]:
    """Word times of the source, or the bounds of the one sound in the clip, in seconds."""
    start_s, end_s = clip["word_start_s"], clip["word_end_s"]
    if start_s is None or end_s is None:
        from wakeword.audio.vad import word_bounds

        start_s, end_s = word_bounds(audio, SAMPLE_RATE_HZ)
    elif not 0 <= start_s < end_s <= len(audio) / SAMPLE_RATE_HZ + TIME_SLACK_S:
        length_s = len(audio) / SAMPLE_RATE_HZ
        detail = f"the listed word times are {start_s:.2f} s to {end_s:.2f} s of a clip of {length_s:.2f} s"
        raise AudioError("wrong_word_times", clip["uri"], detail)
    return float(start_s), float(end_s)


def _finished(clip: Row, audio: np.ndarray, level: float) -> Row:
    pcm = to_int16(audio)
    peak = None if math.isinf(level) else level
    return {**clip, "duration_s": len(pcm) / SAMPLE_RATE_HZ, "peak_level_dbfs": peak, "audio": pcm.tobytes()}


def plan_digest(*parts: bytes) -> str:
    """Hash of what a shard is made from."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
