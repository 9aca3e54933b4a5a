"""Lines on descriptor 2 of a real process: one text is hidden, all else passes, the last words of a dying one too."""

from __future__ import annotations

import subprocess
import sys

import pytest

WRITER = """
import logging, os, signal, subprocess, sys
from wakeword.stages.ray_warnings import HARMLESS, hidden_lines
warning = f"[2026-01-01 E 1 1] core_worker.cc:2465: Actor 'MapWorker' {HARMLESS[0]}. If ...\\n".encode()
os.write(2, b"before\\n")
with hidden_lines():
    os.write(2, warning)
    os.write(2, b"another error of Ray, max_restarts > 0\\n")
    print("python", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "import os; os.write(2, b'a child\\\\n')"], check=True)
    os.write(2, warning)
    if len(sys.argv) > 1:
        os.write(2, b"last words\\n")
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
os.write(2, b"after\\n")
"""
INSIDE = ["before", "another error of Ray, max_restarts > 0", "python", "a child"]


def written(*arguments: str) -> list[str]:
    command = [sys.executable, "-u", "-c", WRITER, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr.splitlines()


def test_only_the_named_warning_is_hidden() -> None:
    assert written() == [*INSIDE, "after"]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGABRT"])
def test_a_dying_process_keeps_its_last_words(name: str) -> None:
    assert written(name) == [*INSIDE, "last words"]
