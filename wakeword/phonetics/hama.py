"""The phoneme recogniser inside the wheel `hama`: a Conformer of 2.2 million parameters with a CTC head.

Log mel spectrogram (25 ms windows every 10 ms, 80 bands), a convolution of stride 2 with GELU, four Conformer blocks
(Gulati et al. 2020) without positional encoding, and 191 outputs every 20 ms: IPA symbols, word boundary, blank. It
sees the whole window in both directions. The wheel states Apache-2.0 (its repository MIT); its training data is not
published. Only the tensors of the archive are used, not the wheel's library, which is ten times slower.
"""

from __future__ import annotations

import json
import struct
from importlib import resources
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wakeword.errors import DataError, MissingExtraError

ARCHIVE = "asr_waveform.hama"
_MAGIC = b"HAMAPK"
_HEADER_BYTES = 8
_TYPES = {0: "<f4", 1: "<f2"}
_ALIGNMENT = 16
WINDOW, HOP, MELS, STRIDE = 400, 160, 80, 2
SIZE, HEADS, KERNEL, BLOCKS = 144, 4, 31, 4
FLOOR = 1e-10
RATE_HZ = 50.0
SPECIAL = ("<wb>", "<blank>")
"""Outputs after the IPA symbols: word boundary and blank."""


class FeedForward(nn.Module):
    """`(batch, frames, SIZE)` to the same shape; half of it is added to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(SIZE)
        self.fc1, self.fc2 = nn.Linear(SIZE, 4 * SIZE), nn.Linear(4 * SIZE, SIZE)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + 0.5 * self.fc2(F.silu(self.fc1(self.norm(hidden))))


class Attention(nn.Module):
    """Self-attention over the whole window, without positional encoding."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(SIZE)
        self.inner, self.out = nn.Linear(SIZE, 3 * SIZE), nn.Linear(SIZE, SIZE)

    def forward(self, hidden: Tensor) -> Tensor:
        query, key, value = (self._heads(part) for part in self.inner(self.norm(hidden)).chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        return hidden + self.out(mixed.reshape(hidden.shape))

    @staticmethod
    def _heads(values: Tensor) -> Tensor:
        return values.reshape(values.shape[0], values.shape[1], HEADS, SIZE // HEADS).transpose(1, 2)


class Convolution(nn.Module):
    """Gated depthwise convolution; its batch normalisation is folded into the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(SIZE)
        self.pointwise1 = nn.Conv1d(SIZE, 2 * SIZE, 1)
        self.depthwise = nn.Conv1d(SIZE, SIZE, KERNEL, padding=KERNEL // 2, groups=SIZE)
        self.pointwise2 = nn.Conv1d(SIZE, SIZE, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        gated = F.glu(self.pointwise1(self.norm(hidden).transpose(1, 2)), dim=1)
        # Of one memory layout with `hidden`: else an export would bind the number of frames.
        return hidden + self.pointwise2(F.silu(self.depthwise(gated))).transpose(1, 2).contiguous()


class Block(nn.Module):
    """A Conformer block on `(batch, frames, SIZE)`."""

    def __init__(self) -> None:
        super().__init__()
        self.ffn1, self.attention, self.convolution, self.ffn2 = (
            FeedForward(),
            Attention(),
            Convolution(),
            FeedForward(),
        )
        self.norm = nn.LayerNorm(SIZE)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.norm(self.ffn2(self.convolution(self.attention(self.ffn1(hidden)))))


class HamaNetwork(nn.Module):
    """Audio `(batch, samples)` at 16 kHz to log-probabilities `(batch, frames, tokens)`, a frame per 320 samples."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        bins = WINDOW // 2 + 1
        self.register_buffer("cosines", torch.zeros(bins, 1, WINDOW))
        self.register_buffer("sines", torch.zeros(bins, 1, WINDOW))
        self.register_buffer("mel_bands", torch.zeros(bins, MELS))
        self.stem = nn.Conv1d(MELS, SIZE, 3, stride=STRIDE, padding=1)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.head = nn.Conv1d(SIZE, tokens, 1)

    cosines: Tensor
    sines: Tensor
    mel_bands: Tensor

    def features(self, audio: Tensor) -> Tensor:
        """The last hidden layer `(batch, frames, 144)`."""
        padded = F.pad(audio[:, None], (WINDOW // 2, WINDOW // 2), mode="reflect")
        real = F.conv1d(padded, self.cosines, stride=HOP)
        imaginary = F.conv1d(padded, self.sines, stride=HOP)
        power = (real.square() + imaginary.square()).transpose(1, 2)
        mels = (power @ self.mel_bands).clamp_min(FLOOR).log()
        hidden = F.gelu(self.stem(mels.transpose(1, 2))).transpose(1, 2).contiguous()
        for block in self.blocks:
            hidden = block(hidden)
        return hidden

    def forward(self, audio: Tensor) -> Tensor:
        return self.logits(self.features(audio)).log_softmax(dim=-1)

    def logits(self, hidden: Tensor) -> Tensor:
        """Outputs `(batch, frames, tokens)` of the last hidden layer."""
        return self.head(hidden.transpose(1, 2)).transpose(1, 2)


def installed_archive() -> tuple[Path, Path]:
    """The archive and the vocabulary in the installed wheel.

    Raises:
        MissingExtraError: hama is not installed.
    """
    try:
        folder = resources.files("hama") / "assets"
    except ImportError as error:
        raise MissingExtraError("the phoneme recogniser", "phonetics", error) from error
    return Path(str(folder / ARCHIVE)), Path(str(folder / "g2p_vocab.json"))


def read_archive(path: Path) -> dict[str, np.ndarray]:
    """The named tensors of an archive as float32.

    Raises:
        DataError: the file is no archive, or is cut off.
    """
    if not path.is_file():
        raise DataError(
            f"{path} does not exist: the recogniser is read from the wheel hama==1.7.0, install that version"
        )
    data = path.read_bytes()
    if data[: len(_MAGIC)] != _MAGIC:
        if path.suffix == ".onnx":
            raise DataError(f"{path} is an ONNX file, as hama 1.3 held: install hama==1.7.0, whose archive is read")
        raise DataError(f"{path} is no archive of hama: it does not start with {_MAGIC.decode()}")
    try:
        entries, at = _entries(data)
        start = -(-at // _ALIGNMENT) * _ALIGNMENT
        found = {}
        for name, kind, shape, offset, size in entries:
            content = data[start + offset : start + offset + size]
            found[name] = np.frombuffer(content, _TYPES[kind]).reshape(shape).astype(np.float32)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise DataError(f"{path} is a damaged archive of hama ({error}): install hama==1.7.0 again") from error
    return found


def _entries(data: bytes) -> tuple[list[tuple[str, int, tuple[int, ...], int, int]], int]:
    """Name, type, shape, offset and bytes of each tensor, and where the list ends."""
    (count,), at = struct.unpack_from("<I", data, _HEADER_BYTES), _HEADER_BYTES + 4
    entries = []
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        kind, dimensions = data[at], data[at + 1]
        shape = struct.unpack_from(f"<{dimensions}I", data, at + 2)
        at += 2 + 4 * dimensions
        offset, size = struct.unpack_from("<QQ", data, at)
        at += 16
        entries.append((name, kind, shape, offset, size))
    return entries, at


def load_hama(archive: Path | None = None, vocabulary: Path | None = None) -> tuple[HamaNetwork, tuple[str, ...]]:
    """The network and its tokens; the files of the installed wheel by default.

    Raises:
        MissingExtraError: no file is given and hama is not installed.
        DataError: the archive is damaged or holds another network.
    """
    if archive is None or vocabulary is None:
        archive, vocabulary = installed_archive()
    tensors = read_archive(archive)
    tokens = (*_symbols(vocabulary), *SPECIAL)
    network = HamaNetwork(len(tokens))
    try:
        weights = _renamed(tensors)
    except (KeyError, StopIteration) as error:
        lacks = error if isinstance(error, KeyError) else "weights of its products or convolutions"
        raise DataError(f"{archive} holds another network than hama 1.7: it lacks {lacks}") from error
    for name, own in network.state_dict().items():
        if name not in weights or tuple(weights[name].shape) != tuple(own.shape):
            other = tuple(weights[name].shape) if name in weights else "nothing"
            raise DataError(f"{archive} holds another network: {name} is {other} instead of {tuple(own.shape)}")
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False), tokens


def _symbols(vocabulary: Path) -> list[str]:
    try:
        return [str(symbol) for symbol in json.loads(vocabulary.read_text(encoding="utf-8"))["decoder"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{vocabulary} is no vocabulary of hama ({error!r}): install hama==1.7.0 again") from error


def _renamed(tensors: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The archive's tensors under the names of `HamaNetwork`.

    Matrices and folded convolutions have only numbers there, in the order of their use.
    """
    products = iter([tensors[name] for name in tensors if name.startswith("onnx::MatMul")])
    kernels = iter([tensors[name] for name in tensors if name.startswith("onnx::Conv")])
    found = {
        "cosines": tensors["stft_real_kernel"],
        "sines": tensors["stft_imag_kernel"],
        "mel_bands": tensors["mel_fb"],
        "stem.weight": next(kernels),
        "stem.bias": next(kernels),
        "head.weight": tensors["acoustic_model.model.proj.weight"],
        "head.bias": tensors["acoustic_model.model.proj.bias"],
    }
    for number in range(BLOCKS):
        there, here = f"acoustic_model.model.blocks.{number}", f"blocks.{number}"
        for name in ("ffn1.fc1", "ffn1.fc2", "attention.inner", "attention.out", "ffn2.fc1", "ffn2.fc2"):
            found[f"{here}.{name}.weight"] = next(products).T
            old = name.replace("attention.inner", "attn.in_proj_bias").replace("attention.out", "attn.out_proj.bias")
            found[f"{here}.{name}.bias"] = tensors[f"{there}.{old if 'attn' in old else old + '.bias'}"]
        found[f"{here}.convolution.depthwise.weight"] = next(kernels)
        found[f"{here}.convolution.depthwise.bias"] = next(kernels)
        for ours, theirs in (
            ("ffn1.norm", "ffn1.norm"),
            ("attention.norm", "attn_norm"),
            ("convolution.norm", "conv.norm"),
            ("convolution.pointwise1", "conv.pointwise1"),
            ("convolution.pointwise2", "conv.pointwise2"),
            ("ffn2.norm", "ffn2.norm"),
            ("norm", "norm"),
        ):
            for part in ("weight", "bias"):
                found[f"{here}.{ours}.{part}"] = tensors[f"{there}.{theirs}.{part}"]
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in found.items()}
