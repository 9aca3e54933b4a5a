"""Recognisers by name, and long audio in spans."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wakeword.errors import ConfigError
from wakeword.phonetics.recogniser import (
    Recogniser,
    long_log_probs,
    open_recogniser,
    register_recogniser,
)


def test_unknown_names_and_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown phoneme recogniser 'nobody': known are .*hama"):
        open_recogniser("nobody")
    with pytest.raises(ConfigError, match="takes no argument"):
        open_recogniser("hama:large")


def test_a_registered_recogniser_gets_its_argument(recogniser: Recogniser) -> None:
    from wakeword.phonetics import recogniser as module

    asked = []

    @register_recogniser("echo")
    def _open(argument: str, device: torch.device) -> Recogniser:
        asked.append((argument, device))
        return recogniser

    try:
        assert open_recogniser("echo:path/of:it") is recogniser
    finally:
        del module._KNOWN["echo"]
    assert asked == [("path/of:it", torch.device("cpu"))]


def test_hama_states_its_sizes(recogniser: Recogniser) -> None:
    audio = torch.zeros(2, 16_000)
    assert recogniser.log_probs(audio).shape == (2, 51, len(recogniser.tokens))
    assert recogniser.features(audio).shape == (2, 51, recogniser.dims)
    assert recogniser.tokens[recogniser.blank] == "<blank>"
    assert recogniser.boundary is not None
    assert recogniser.tokens[recogniser.boundary] == "<wb>"


def test_a_clip_shorter_than_a_spectrum_is_heard(recogniser: Recogniser) -> None:
    assert torch.isfinite(recogniser.log_probs(torch.zeros(1, 3))).all()


def test_long_audio_in_spans_is_nearly_the_audio_at_once(recogniser: Recogniser, speech: list[torch.Tensor]) -> None:
    audio = torch.cat(speech[:3])
    whole = recogniser.log_probs(audio[None])[0].numpy()
    found = long_log_probs(recogniser, audio, span_s=4.0).numpy()
    assert len(found) == -(-len(audio) // 320)
    # The network sees its whole input, so that spans differ from it a little.
    assert (found.argmax(-1) == whole[: len(found)].argmax(-1)).mean() > 0.85
    np.testing.assert_array_equal(
        long_log_probs(recogniser, audio[:16_000]), recogniser.log_probs(audio[None, :16_000])[0, :50]
    )
