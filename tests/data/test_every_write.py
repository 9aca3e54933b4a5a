"""Killed at any write, the same command ends with the same bytes: no shard half-written, none twice."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.data.corpus import config_for, shard_bytes, write_corpus
from wakeword.config import Config
from wakeword.data.prepare import prepare
from wakeword.system import files


def killed_at(write: int, config: Config, out: Path) -> bool:
    """Prepare in a forked process that kills itself before (even) or after (odd) a rename; True if it came so far."""
    child = os.fork()
    if child == 0:
        done = 0
        replace = os.replace

        def counted(source: object, target: object) -> None:
            nonlocal done
            # Even numbers die with the file written but not renamed, odd ones right after the rename.
            if 2 * done == write:
                os.kill(os.getpid(), 9)
            replace(source, target)  # type: ignore[arg-type]
            if 2 * done + 1 == write:
                os.kill(os.getpid(), 9)
            done += 1

        files.os.replace = counted  # type: ignore[attr-defined]
        code = 1
        try:
            prepare(config, out, runner="local", progress=False)
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def test_killed_at_every_write_the_bytes_are_the_same(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus", speakers=4, per_speaker=1)
    config = config_for(manifest, data={"shard_mb": 0.2, "quality": {"guarded": False}})
    prepare(config, tmp_path / "whole", runner="local")
    expected = shard_bytes(tmp_path / "whole")
    index = json.loads((tmp_path / "whole" / "index.json").read_text())
    table = (tmp_path / "whole" / "manifest.parquet").read_bytes()
    write = 0
    while killed_at(write, config, tmp_path / str(write)):
        out = tmp_path / str(write)
        prepare(config, out, runner="local")
        assert shard_bytes(out) == expected
        assert json.loads((out / "index.json").read_text()) == index
        assert (out / "manifest.parquet").read_bytes() == table
        leftovers = [path for path in (out / "shards").iterdir() if path.name.startswith(".")]
        assert not leftovers
        write += 1
    # Fingerprints, each shard and its receipt, quarantine, manifest, index: before and after each rename.
    assert write >= 2 * (1 + 2 * len(expected) + 3)
    # The last kill that can be is after the index: nothing is left to do.
    assert prepare(config, tmp_path / str(write - 1), runner="local").up_to_date
