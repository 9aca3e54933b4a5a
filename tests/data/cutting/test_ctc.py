"""The CTC aligner: times are those that are known; faults are one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wakeword.data.cutting.aligner import AlignmentError, load_aligner
from wakeword.data.cutting.borders import cut_words
from wakeword.errors import ConfigError, DeviceError

pytest.importorskip("transformers", reason="the extra [teachers] (transformers) is not installed")
from tests.data.cutting import tones


@pytest.mark.parametrize(("pause_s", "seed"), [(0.2, 0), (0.06, 1), (0.0, 2)])
def test_times_of_words_are_right(tone_model: Path, pause_s: float, seed: int) -> None:
    """A frame of the model is 20 ms; after the borders have moved to quiet places hardly a frame is missing."""
    words = ["bad", "cab", "fee", "dad"]
    audio, times = tones.speak(" ".join(words), seed, pause_s=pause_s)
    found = load_aligner(f"ctc:{tone_model}").align(audio, words)
    assert np.allclose([(w.start_s, w.end_s) for w in found], times, atol=0.045)
    assert all(w.confidence is not None and w.confidence > 0.5 for w in found)
    cut = cut_words(audio, words, found)
    assert np.allclose([(w.start_s, w.end_s) for w in cut], times, atol=0.045)
    for word, (start_s, end_s) in zip(words, [(w.start_s, w.end_s) for w in cut], strict=True):
        assert tones.letters_of(audio[round(start_s * 16_000) : round(end_s * 16_000)]) == word


def test_a_wrong_transcript_has_little_confidence(tone_model: Path) -> None:
    audio, _ = tones.speak("bad cab")
    found = load_aligner(f"ctc:{tone_model}").align(audio, ["fee", "cab"])
    assert found[0].confidence is not None
    assert found[0].confidence < 0.1


def test_texts_that_cannot_be_aligned(tone_model: Path) -> None:
    aligner = load_aligner(f"ctc:{tone_model}")
    audio, _ = tones.speak("bad")
    for words, clip, reason in (
        (["xylo"], audio, "unknown_words"),
        (["bad"] * 30, audio, "not_aligned"),
        (["bad"], audio[:100], "too_short"),
    ):
        with pytest.raises(AlignmentError) as caught:
            aligner.align(clip, words)
        assert caught.value.reason == reason


def test_identity_is_that_of_the_weights(tone_model: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(tone_model, tmp_path / "copy"))
    identity = load_aligner(f"ctc:{tone_model}").identity
    assert load_aligner(f"ctc:{copy}").identity == identity
    weights = copy / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert load_aligner(f"ctc:{copy}").identity != identity


def test_any_model_with_a_ctc_head(tmp_path: Path) -> None:
    """Random weights of another family: times are meaningless, but in order and within the clip."""
    import torch
    from transformers import HubertConfig, HubertForCTC

    tones.write_tokenizer(tmp_path, tones.LETTERS)
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    convolutions = {"conv_dim": (8, 8), "conv_kernel": (20, 8), "conv_stride": (20, 8)}
    HubertForCTC(
        HubertConfig(vocab_size=9, pad_token_id=0, num_conv_pos_embedding_groups=4, **small, **convolutions)
    ).save_pretrained(tmp_path)
    audio, _ = tones.speak("bad cab fee")
    found = load_aligner(f"ctc:{tmp_path}").align(audio, ["bad", "cab", "fee"])
    edges = [edge for word in found for edge in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= len(audio) / 16_000 + 0.01


def test_what_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ctc:.* cannot be loaded .*: the folder needs config.json"):
        load_aligner(f"ctc:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    tones.write_tokenizer(tmp_path, tones.LETTERS)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"ctc:.* cannot be loaded"):
        load_aligner(f"ctc:{tmp_path}")
    with pytest.raises(ConfigError, match="no aligner 'nobody'; there are: ctc, pocketsphinx"):
        load_aligner("nobody")


def test_a_gpu_that_is_not_there_is_one_sentence(tone_model: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(DeviceError, match=r"compute\.device is cuda, but torch finds no CUDA device"):
        load_aligner(f"ctc:{tone_model}", "cuda")
