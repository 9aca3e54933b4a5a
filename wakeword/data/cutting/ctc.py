"""The aligner `ctc:PATH_OR_ID`: any transformers model with a CTC head (wav2vec 2.0, HuBERT, WavLM, MMS, Parakeet, …).

Times are multiples of the model's frames, 20 ms for most. CTC models emit a letter in few frames with blanks between
(peaks): a word lasts from its first letter's first frame to its last letter's last, and `borders` widens it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.cutting.aligner import AlignedWord, AlignmentError
from wakeword.data.cutting.viterbi import best_path
from wakeword.errors import ConfigError
from wakeword.phonetics.pretrained import load_pretrained, weights_identity
from wakeword.system.device import resolve_device


class Ctc:
    """See `wakeword.data.cutting.aligner.Aligner`.

    Args:
        name: folder of a model with its tokenizer and feature extractor, or its id on the hub.
        device: of torch.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        ConfigError: no model at this place, no CTC model, or one for another sample rate.
        DeviceError: the device is `cuda`, and torch finds none.
    """

    def __init__(self, name: str, device: str) -> None:
        owner = "cutting.aligner = ctc:"
        model, self.features = load_pretrained(owner, name, "AutoModelForCTC")
        from transformers import AutoTokenizer

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(name)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as error:
            raise ConfigError(
                f"{owner}{name} cannot be loaded ({' '.join(str(error).split())[:200]}): give a folder "
                "or an id with a CTC model (safetensors), its tokenizer and its feature extractor"
            ) from error
        self.model: Any = model.to(resolve_device(device)).eval()
        self.blank = int(model.config.pad_token_id or 0)
        self.identity = f"ctc {weights_identity(name)}"

    def align(self, audio: np.ndarray, words: Sequence[str]) -> list[AlignedWord]:
        """See `Aligner.align`."""
        tokens, owners = self._tokens(words)
        log_probs, frame_s = self._log_probs(audio)
        path = best_path(log_probs, tokens, self.blank)
        if path is None:
            detail = f"{len(log_probs)} frames of the model are too few for {len(tokens)} tokens"
            raise AlignmentError("not_aligned", detail)
        symbols = np.where(path < 0, self.blank, tokens[path])
        found = []
        for number in range(len(words)):
            frames = np.flatnonzero(np.isin(path, np.flatnonzero(owners == number)))
            start, end = frames[0], frames[-1] + 1
            # Blanks within the word count too, or a word aligned to another sound would cost nothing.
            confidence = float(np.exp(log_probs[np.arange(start, end), symbols[start:end]].mean()))
            found.append(AlignedWord(float(start * frame_s), float(end * frame_s), confidence))
        return found

    def _log_probs(self, audio: np.ndarray) -> tuple[np.ndarray, float]:
        """`(frames, vocabulary)` log probabilities, and seconds a frame."""
        import torch

        inputs = self.features(audio, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt")
        try:
            with torch.inference_mode():
                logits = self.model(**{name: value.to(self.model.device) for name, value in inputs.items()}).logits[0]
        except RuntimeError as error:
            # The audio is shorter than the receptive field of the convolutions.
            detail = f"the model needs more audio than {len(audio) / SAMPLE_RATE_HZ:.2f} s"
            raise AlignmentError("too_short", detail) from error
        if not torch.isfinite(logits).all():
            raise AlignmentError("not_aligned", "the model returns NaN or infinity for this clip")
        ratio = getattr(self.model.config, "inputs_to_logits_ratio", None) or len(audio) / max(1, len(logits))
        return torch.log_softmax(logits.float(), -1).cpu().numpy(), float(ratio) / SAMPLE_RATE_HZ

    def _tokens(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of the text, and of each the number of its word (-1: the delimiter between words)."""
        delimiter = getattr(self.tokenizer, "word_delimiter_token_id", None)
        if delimiter is not None and delimiter == self.tokenizer.unk_token_id:
            delimiter = None
        tokens: list[int] = []
        owners: list[int] = []
        for number, word in enumerate(words):
            if number and delimiter is not None:
                tokens.append(int(delimiter))
                owners.append(-1)
            spelled = self._spelled(word)
            tokens += spelled
            owners += [number] * len(spelled)
        return np.array(tokens), np.array(owners)

    def _spelled(self, word: str) -> list[int]:
        """Tokens of a word; some vocabularies hold capitals only, some none."""
        for text in (word, word.upper()):
            ids = [int(i) for i in self.tokenizer(text, add_special_tokens=False).input_ids]
            if ids and self.tokenizer.unk_token_id not in ids and self.blank not in ids:
                return ids
        raise AlignmentError("unknown_words", f"the model has no letters for {word!r}")


def make(argument: str, device: str) -> Ctc:
    """Load a model."""
    return Ctc(argument, device)
