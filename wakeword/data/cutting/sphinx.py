"""The aligner `pocketsphinx`: a recogniser whose English model lies inside its package (BSD), in word mode.

A word that its dictionary does not hold gets espeak's pronunciation where the extra [tts] is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from wakeword.audio.io import to_int16
from wakeword.data.cutting.aligner import AlignedWord, AlignmentError
from wakeword.errors import MissingExtraError

FRAME_S = 0.01
_FILLERS = ("<", "[", "+")
"""Silence and noises between words."""


class Sphinx:
    """See `wakeword.data.cutting.aligner.Aligner`.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
    """

    def __init__(self) -> None:
        try:
            package = import_module("pocketsphinx")
        except ImportError as error:
            raise MissingExtraError("The aligner pocketsphinx", "mining", error) from error
        self.identity = f"pocketsphinx {version('pocketsphinx')}"
        self._decoder: Any = package.Decoder(lm=None, loglevel="FATAL")

    def align(self, audio: np.ndarray, words: Sequence[str]) -> list[AlignedWord]:
        """See `Aligner.align`."""
        self._add_unknown(words)
        # The front end tracks noise across clips: without a reset, times would depend on the order of the clips.
        self._decoder.reinit_feat()
        try:
            self._decoder.set_align_text(" ".join(words))
            self._decoder.start_utt()
            self._decoder.process_raw(to_int16(audio).tobytes(), full_utt=True)
            self._decoder.end_utt()
            segments = [s for s in self._decoder.seg() or () if not s.word.startswith(_FILLERS)]
        except RuntimeError as error:
            raise AlignmentError("not_aligned", f"pocketsphinx did not find the text: {error}") from error
        found = [segment.word.partition("(")[0] for segment in segments]
        if found != list(words):
            raise AlignmentError("not_aligned", f"pocketsphinx found {len(found)} of {len(words)} words in the clip")
        return [AlignedWord(s.start_frame * FRAME_S, (s.end_frame + 1) * FRAME_S) for s in segments]

    def _add_unknown(self, words: Sequence[str]) -> None:
        unknown = sorted({word for word in words if self._decoder.lookup_word(word) is None})
        if not unknown:
            return
        try:
            from wakeword.data.synthesis.pronunciation import as_arpabet, sounds_of

            pronunciations = sounds_of(unknown)
        except ImportError as error:
            detail = f"not in the dictionary: {', '.join(unknown)}; the extra [tts] provides pronunciations"
            raise AlignmentError("unknown_words", detail) from error
        for word, variants in zip(unknown, pronunciations, strict=True):
            phonemes = as_arpabet(min(variants))
            if not phonemes:
                raise AlignmentError("unknown_words", f"there is no pronunciation of {word!r}")
            self._decoder.add_word(word, " ".join(phonemes), word == unknown[-1])


def make(argument: str, device: str) -> Sphinx:
    """The recogniser, which always runs on the CPU and takes no argument."""
    return Sphinx()
