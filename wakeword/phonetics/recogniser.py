"""Phoneme recognisers behind one interface, opened by name.

`open_recogniser("hama")` is the one inside the wheel `hama`. Others are added with `@register_recogniser`; what follows
a colon in their name, such as the path of a checkpoint, goes to their opener.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wakeword.errors import ConfigError
from wakeword.phonetics import hama
from wakeword.system.files import sha256_of

SAMPLE_RATE_HZ = 16_000
DEFAULT = "hama"
_SPAN_S, _MARGIN_S = 8.0, 1.0


class Recogniser(Protocol):
    """A frozen network with a CTC head over the symbols of the International Phonetic Alphabet."""

    name: str
    tokens: tuple[str, ...]
    """The symbol of each output."""
    blank: int
    """Output of the CTC blank."""
    boundary: int | None
    """Output of a boundary between words, where the recogniser has one."""
    rate_hz: float
    """Frames per second of the outputs."""
    dims: int
    """Size of the last hidden layer."""
    fingerprint: str
    """A string that changes with the outputs, such as a hash of the weights."""
    network: nn.Module
    """Audio to log-probabilities, as `log_probs`: what an export traces."""

    def log_probs(self, audio: Tensor) -> Tensor:
        """Log-probabilities `(batch, frames, tokens)` of audio `(batch, samples)` at 16 kHz."""

    def features(self, audio: Tensor) -> Tensor:
        """The last hidden layer `(batch, frames, dims)` of audio `(batch, samples)` at 16 kHz."""


Opener = Callable[[str, torch.device], Recogniser]

_KNOWN: dict[str, Opener] = {}


def register_recogniser(name: str) -> Callable[[Opener], Opener]:
    """Decorator: register a recogniser as `name` or `name:argument`."""

    def add(opener: Opener) -> Opener:
        _KNOWN[name] = opener
        return opener

    return add


def open_recogniser(spec: str = DEFAULT, device: torch.device | None = None) -> Recogniser:
    """Open the recogniser that `spec` names (`name` or `name:argument`), on the CPU by default.

    Raises:
        ConfigError: no recogniser of that name is known.
        MissingExtraError: its package is not installed.
        DataError: its file is damaged or holds another network.
    """
    name, _, argument = spec.partition(":")
    if name not in _KNOWN:
        raise ConfigError(f"unknown phoneme recogniser {name!r}: known are {', '.join(sorted(_KNOWN))}")
    return _KNOWN[name](argument, device or torch.device("cpu"))


class HamaRecogniser:
    """The recogniser of `wakeword.phonetics.hama`."""

    name = "hama"
    boundary: int | None
    rate_hz = hama.RATE_HZ
    dims = hama.SIZE
    _SHORTEST = hama.WINDOW
    """Samples of one spectrum; a shorter clip gets silence after it."""

    def __init__(self, device: torch.device) -> None:
        archive, vocabulary = hama.installed_archive()
        self.network, self.tokens = hama.load_hama(archive, vocabulary)
        self.network.to(device)
        self.blank, self.boundary = (self.tokens.index(symbol) for symbol in reversed(hama.SPECIAL))
        self.fingerprint = f"hama-{sha256_of(archive)[:16]}"

    @torch.no_grad()
    def log_probs(self, audio: Tensor) -> Tensor:
        return self.network(self._long_enough(audio))

    @torch.no_grad()
    def features(self, audio: Tensor) -> Tensor:
        return self.network.features(self._long_enough(audio))

    def _long_enough(self, audio: Tensor) -> Tensor:
        return F.pad(audio, (0, max(0, self._SHORTEST - audio.shape[-1])))


@register_recogniser("hama")
def _open_hama(argument: str, device: torch.device) -> Recogniser:
    if argument:
        raise ConfigError(f"the phoneme recogniser hama takes no argument, but got {argument!r}: write `hama`")
    return HamaRecogniser(device)


def long_log_probs(recogniser: Recogniser, audio: Tensor, span_s: float = _SPAN_S) -> Tensor:
    """Log-probabilities `(frames, tokens)` of one recording `(samples,)` of any length, on the CPU.

    A recogniser that sees its whole input costs more than in proportion to its length, and has learnt utterances: the
    audio is read in spans of `span_s` that overlap by one second on both sides, of which the middle counts.
    """
    step = round(SAMPLE_RATE_HZ / recogniser.rate_hz)
    margin, span = round(_MARGIN_S * recogniser.rate_hz), round(span_s * recogniser.rate_hz)
    frames = max(1, -(-len(audio) // step))
    if frames <= span + 2 * margin:
        return recogniser.log_probs(audio[None])[0, :frames].cpu()
    found = []
    for first in range(0, frames, span):
        before = min(margin, first)
        part = audio[(first - before) * step : (first + span + margin) * step]
        found.append(recogniser.log_probs(part[None])[0, before : before + min(span, frames - first)].cpu())
    return torch.cat(found)
