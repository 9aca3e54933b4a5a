"""Settings of the C library's allocator for memory that this process frees."""

from __future__ import annotations

import ctypes
import sys

KEPT_BYTES = 1 << 30
"""Freed memory that the process keeps."""
LARGEST_KEPT_BYTES = 1 << 25
"""Larger blocks are returned to the system at once; 32 MiB is the allocator's own upper limit."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt(3)."""


def keep_freed_memory() -> bool:
    """Keep freed blocks of up to 32 MiB, 1 GiB in total, for reuse instead of returning them to the system.

    Training on a CPU allocates and frees the same tensors of a few MiB in each step. glibc returns them to the system,
    which clears each page before reuse; that takes a fifth of the time of augmentation.

    Returns:
        Whether the allocator accepted it; False for other allocators than glibc's (macOS, Windows, musl, jemalloc).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(
        mallopt(name, value) == 1
        for name, value in ((M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES), (M_TRIM_THRESHOLD, KEPT_BYTES))
    )
