"""Speech models of transformers, loaded strictly: safetensors only, every weight found and of the right shape.

transformers itself fills a weight that a file lacks with random numbers and logs a table; here that is an error.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.errors import ConfigError, MissingExtraError
from wakeword.system.files import sha256_of
from wakeword.system.torchaudio_guard import guard_torchaudio

_UNUSED = ("masked_spec_embed",)
"""Weights that only pre-training uses, and many published files lack."""


def load_pretrained(owner: str, name: str, kind: str) -> tuple[Any, Any]:
    """A model and its feature extractor, which takes 16 kHz audio.

    Args:
        owner: the setting that names the model, as it begins in messages: `cutting.aligner = ctc:`.
        name: folder of a model, or its id on the hub.
        kind: class of transformers that loads it, such as `AutoModel` or `AutoModelForCTC`.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ConfigError: there is no such model, its weights are a pickle or do not fit, or it takes another sample rate.
    """
    guard_torchaudio()  # transformers imports torchaudio wherever it is installed
    try:
        import transformers
        from safetensors import SafetensorError
    except ImportError as error:
        raise MissingExtraError(f"{owner}{name}", "teachers", error) from error
    _refuse_pickles(owner, name)
    try:
        extractor = transformers.AutoFeatureExtractor.from_pretrained(name)
        # A mismatch is reported below, with the first weight's name instead of a table.
        with _quiet(transformers.utils.logging):
            model, info = getattr(transformers, kind).from_pretrained(
                name, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True
            )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        raise ConfigError(f"{owner}{name} cannot be loaded ({_short(error)}): {_advice(name)}") from error
    _refuse_misfits(owner, name, info)
    if extractor.sampling_rate != SAMPLE_RATE_HZ:
        raise ConfigError(f"{owner}{name} takes {extractor.sampling_rate} Hz: use a model for {SAMPLE_RATE_HZ} Hz")
    return model.eval().requires_grad_(False), extractor


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Without the table of weights that differ, and the progress bar of a second."""
    before, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bar:
            logging.enable_progress_bar()


def weights_identity(name: str) -> str:
    """Hash of a folder's weights and settings, or the revision of a model of the hub in the local cache."""
    if not os.path.isdir(name):
        return f"{name} {_revision(name)}"
    files = sorted(Path(name).glob("*.safetensors")) + sorted(Path(name).glob("*.json"))
    return hashlib.sha256("".join(sha256_of(path) for path in files).encode()).hexdigest()[:16]


def _revision(name: str) -> str:
    guard_torchaudio()
    try:
        from transformers import AutoConfig
    except ImportError as error:
        raise MissingExtraError(name, "teachers", error) from error
    try:
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{name} cannot be loaded ({_short(error)}): {_advice(name)}") from error
    return str(getattr(config, "_commit_hash", None) or "main")


def _refuse_pickles(owner: str, name: str) -> None:
    folder = Path(name)
    if folder.is_dir() and not any(folder.glob("*.safetensors")) and (found := sorted(folder.glob("*.bin"))):
        raise ConfigError(
            f"{owner}{name} holds {found[0].name} and no .safetensors file: a pickle could run code and is not read; "
            "save the model with `save_pretrained`, or download model.safetensors"
        )


def _refuse_misfits(owner: str, name: str, info: dict[str, Any]) -> None:
    """Name the first weight that differs in shape or is absent."""
    wrong = sorted(info["mismatched_keys"])
    if wrong:
        weight, held, wanted = wrong[0]
        raise ConfigError(
            f"{owner}{name} does not fit its config.json: {weight} is {tuple(held)} instead of {tuple(wanted)}: "
            "take both files from one model"
        )
    missing = sorted(key for key in info["missing_keys"] if not key.endswith(_UNUSED))
    if missing:
        raise ConfigError(
            f"{owner}{name} lacks the weight {missing[0]} ({len(missing)} in all): take config.json and "
            "model.safetensors from one model of this kind"
        )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _advice(name: str) -> str:
    if os.path.isdir(name):
        return "the folder needs config.json, preprocessor_config.json and model.safetensors of one model"
    return (
        f"without a network, download config.json, preprocessor_config.json and model.safetensors of {name} "
        "elsewhere, put them into one folder, and give that folder instead of the id"
    )
