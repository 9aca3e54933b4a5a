"""A file made of parts reads as their bytes joined would."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from wakeword.audio.views import View, size_of_stream

BASE = bytes(range(256)) * 4
stretches = st.tuples(st.integers(0, len(BASE)), st.integers(0, 200)).map(lambda p: (p[0], min(len(BASE), p[0] + p[1])))
parts = st.lists(st.one_of(st.binary(max_size=40), stretches), max_size=8)
moves = st.lists(st.tuples(st.integers(-50, 900), st.integers(0, 2), st.integers(0, 300)), max_size=6)


@given(parts, moves)
def test_it_reads_like_the_joined_bytes(chosen: list, steps: list) -> None:
    joined = b"".join(part if isinstance(part, bytes) else BASE[part[0] : part[1]] for part in chosen)
    view, plain = View(io.BytesIO(BASE), chosen), io.BytesIO(joined)
    assert size_of_stream(view) == view.size == len(joined)
    for offset, whence, count in steps:
        place = max(0, offset + {0: 0, 1: plain.tell(), 2: len(joined)}[whence])
        assert view.seek(offset, whence) == plain.seek(place)
        assert view.read(count) == plain.read(count)
        assert view.tell() == plain.tell()


def test_a_file_that_shrank_meanwhile_ends() -> None:
    assert View(io.BytesIO(b"abc"), [(0, 3), (3, 9)]).read() == b"abc"
