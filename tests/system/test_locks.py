"""The lock on a folder, against real processes."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wakeword.errors import RunError
from wakeword.system.locks import lock_folder


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock `.lock` of the folder."""
    code = (
        "import sys; from pathlib import Path; from wakeword.system.locks import lock_folder\n"
        f"with lock_folder(Path({str(folder)!r}), '.lock'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_the_message_names_the_process_the_folder_and_what_to_do(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        expected = rf"another process \(process id {child.pid}\) works on {tmp_path}: wait for it, end it, or choose"
        with pytest.raises(RunError, match=expected), lock_folder(tmp_path, ".lock"):
            pass
        # Who was turned away leaves the holder's mark alone.
        with (
            pytest.raises(RunError, match=rf"{child.pid}\) trains into"),
            lock_folder(tmp_path, ".lock", 0.3, "trains into"),
        ):
            pass
        with lock_folder(tmp_path, ".other"):
            pass


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as child:
        child.kill()
        child.wait()
        assert (tmp_path / ".lock").read_text() == f"{child.pid}\n"
        with lock_folder(tmp_path, ".lock"):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
    with lock_folder(tmp_path, ".lock"):
        pass


@pytest.mark.parametrize("wait_s", [30.0, math.inf])
def test_the_end_of_another_process_is_waited_for(
    tmp_path: Path, wait_s: float, caplog: pytest.LogCaptureFixture
) -> None:
    with holder(tmp_path) as child, caplog.at_level("INFO"):
        timer = threading.Timer(0.5, child.kill)
        timer.start()
        started_s = time.monotonic()
        with lock_folder(tmp_path, ".lock", wait_s):
            assert 0.4 < time.monotonic() - started_s < 10
        timer.join()
        assert f"waiting for another process (process id {child.pid})" in caplog.text


def test_a_folder_that_is_not_there_is_made_and_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ours"), lock_folder(tmp_path / "new", ".lock"):
        raise ValueError("ours")
    with lock_folder(tmp_path / "new", ".lock"):
        pass
