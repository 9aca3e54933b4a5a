"""What a phoneme recogniser hears in recordings of any length, in pieces, and its compact form for a cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from wakeword.config.frontend import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from torch import Tensor

Float = NDArray[np.float32]

PIECE_S = 8.0
"""Audio that the recogniser hears at once, besides its context; of pieces of 4 to 30 s it hears about the same."""
CONTEXT_S = 1.0
"""Audio on either side of a piece whose frames are dropped."""
STEPS_PER_NAT = 16.0
"""Resolution of the compact form; log-probabilities below -15.9 become -15.9."""


class Listener(Protocol):
    """The part of a recogniser that is used here."""

    rate_hz: float

    def log_probs(self, audio: Tensor) -> Tensor:
        """Log-probabilities `(batch, frames, tokens)` of audio `(batch, samples)` at 16 kHz."""


def hear(listener: Listener, audio: Float) -> Float:
    """Log-probabilities `(frames, tokens)` of a recording `(samples,)`, a frame per `SAMPLE_RATE_HZ / rate_hz`."""
    return np.concatenate(list(hear_blocks(listener, [audio])))


def hear_blocks(listener: Listener, blocks: Iterable[Float]) -> Iterator[Float]:
    """Log-probabilities `(frames, tokens)` of a recording that comes in blocks `(samples,)`, in bounded memory.

    The result, joined, does not depend on the sizes of the blocks.
    """
    import torch

    hop = round(SAMPLE_RATE_HZ / listener.rate_hz)
    piece, context = (round(span_s * listener.rate_hz) * hop for span_s in (PIECE_S, CONTEXT_S))
    held = np.zeros(0, np.float32)
    before = 0
    for block, is_last in _with_last(blocks):
        held = np.concatenate([held, np.asarray(block, np.float32)])
        while len(held) - before >= piece + context or (is_last and len(held) > before):
            span = min(piece, len(held) - before)
            window = held[: before + span + context]
            short = max(0, 2 * hop - len(window))
            with torch.inference_mode():
                found = listener.log_probs(torch.from_numpy(np.pad(window, (0, short)))[None])[0].float().numpy()
            yield found[before // hop : before // hop + -(-span // hop)]
            keep = max(0, before + span - context)
            held, before = held[keep:], before + span - keep
            if is_last and span < piece:
                return


def _with_last(blocks: Iterable[Float]) -> Iterator[tuple[Float, bool]]:
    """The blocks, and an empty one that is the last."""
    for block in blocks:
        yield block, False
    yield np.zeros(0, np.float32), True


def compact(log_probs: Float) -> NDArray[np.uint8]:
    """A quarter of the size: `log_probs` in steps of 1 / `STEPS_PER_NAT`."""
    return np.clip(np.rint(-STEPS_PER_NAT * log_probs), 0, 255).astype(np.uint8)


def restored(values: NDArray[np.uint8]) -> Float:
    """Log-probabilities of the compact form."""
    return values.astype(np.float32) * np.float32(-1.0 / STEPS_PER_NAT)
