"""Make the verifier of a bundle: the phoneme recogniser as ONNX, and the words as its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wakeword.config import Config
from wakeword.errors import MissingExtraError, RunError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.verifier import Verifier

if TYPE_CHECKING:
    from wakeword.phonetics.recogniser import Recogniser

LICENCES = {
    "hama": "hama 1.7.0: Apache-2.0 by its package metadata, MIT by its repository; its training data is not published"
}
"""Licence of each known recogniser and what is known of its training data."""
WINDOWS = 12
"""Windows on which the exported recogniser is compared with the original."""
_COSTS_DIGITS = 4


@dataclass(frozen=True)
class VerifierMade:
    """What an export adds to a bundle."""

    part: Mapping[str, Any]
    """The part `verifier` of `wake.json`."""
    model: bytes
    """The contents of `verifier.onnx`."""
    recogniser: Recogniser


def make_verifier(config: Config) -> VerifierMade:
    """The verifier for the words of `config`, without evaluated thresholds.

    Raises MissingExtraError if the recogniser or espeak is not installed, ConfigError for a word without a
    pronunciation, RunError if the recogniser cannot be exported.
    """
    from wakeword.phonetics.fusion import shipped_fusion
    from wakeword.phonetics.onnx import export_recogniser
    from wakeword.phonetics.recogniser import open_recogniser

    recogniser = open_recogniser()
    part = {
        "kind": "phonetic",
        "recogniser": recogniser.name,
        "fingerprint": recogniser.fingerprint,
        "licence": LICENCES[recogniser.name],
        "rate_hz": recogniser.rate_hz,
        "tokens": len(recogniser.tokens),
        "blank": recogniser.blank,
        "boundary": recogniser.boundary,
        "fusion": shipped_fusion().model_dump(mode="json"),
        "words": [_word(config, index, recogniser) for index in range(len(config.words))],
    }
    return VerifierMade(part, export_recogniser(recogniser), recogniser)


def _word(config: Config, index: int, recogniser: Recogniser) -> dict[str, Any]:
    """The entry of one word: its pronunciations as tokens."""
    from wakeword.data.synthesis.pronunciation import word_sounds
    from wakeword.phonetics.phrase import phrase_pronunciations

    word, settings = config.words[index], config.synthesis
    try:
        sounds = word_sounds(word, settings.pronunciations, settings.language)
    except ImportError as error:
        raise MissingExtraError("the pronunciations of the verifier", "tts", error) from error
    found = phrase_pronunciations(sounds, recogniser, settings.language)
    return {
        "label": word.label,
        "pronunciations": [
            {
                "tokens": [list(tokens) for tokens in one.tokens],
                "costs": [[round(float(cost), _COSTS_DIGITS) for cost in costs] for costs in one.costs],
            }
            for one in found
        ],
    }


def verify_verifier(
    bundle: Bundle, recogniser: Recogniser, tolerance: float, recordings: Sequence[NDArray[Any]] | None = None
) -> float:
    """Compare `verifier.onnx` with the recogniser on windows of `recordings (samples,)`; returns the difference.

    It is the largest difference of a token's probability, or that a fused score of any word can have. (The logarithms
    of small probabilities differ by more, and decide nothing.) With None, synthetic recordings are used.

    Raises RunError if they differ by more than `tolerance`.
    """
    import torch

    from wakeword.export.verify import synthetic_audio

    verifier = Verifier(bundle)
    windows = _windows(recordings or synthetic_audio(), verifier.window_samples)
    exported = verifier.log_probs(windows)
    with torch.inference_mode():
        original = recogniser.log_probs(torch.from_numpy(windows)).cpu().numpy()
    if exported.shape != original.shape:
        raise RunError(f"the exported recogniser gives {exported.shape} where the original gives {original.shape}")
    worst = float(np.abs(np.exp(exported) - np.exp(original)).max())
    score = np.full(len(windows), 0.5)
    for label in bundle.labels:
        found, expected = (
            verifier.part.fusion.logit(score, verifier.measure(label, values)) for values in (exported, original)
        )
        # The slope of the sigmoid is at most 1/4.
        worst = max(worst, float(np.abs(found - expected).max() / 4))
    if not worst <= tolerance:
        raise RunError(
            f"the exported phoneme recogniser differs from the original by {worst:.3g} (allowed:"
            f" export.parity_tolerance={tolerance:g}): no bundle was written"
        )
    return worst


def _windows(recordings: Sequence[NDArray[Any]], samples: int) -> NDArray[np.float32]:
    """Windows `(n, samples)` from the middle of up to `WINDOWS` recordings; short ones are repeated."""
    found = []
    for recording in [one for one in recordings if len(one)][:WINDOWS]:
        start = max(0, (len(recording) - samples) // 2)
        found.append(np.resize(np.asarray(recording[start : start + samples], dtype=np.float32), samples))
    return np.stack(found)
