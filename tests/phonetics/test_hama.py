"""The archive of the wheel hama as a network: the wheel's own outputs, and files that are damaged or foreign."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from wakeword.errors import DataError
from wakeword.phonetics.hama import ARCHIVE, installed_archive, load_hama, read_archive
from wakeword.phonetics.recogniser import Recogniser


def _archive(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """Write tensors in the archive's form, as float16."""
    entries, content = b"", b""
    for name, values in tensors.items():
        data = values.astype("<f2").tobytes()
        shape = struct.pack(f"<{values.ndim}I", *values.shape)
        encoded = name.encode()
        entries += struct.pack("<H", len(encoded)) + encoded + bytes([1, values.ndim]) + shape
        entries += struct.pack("<QQ", len(content), len(data))
        content += data
    head = b"HAMAPK\x01\x00" + struct.pack("<I", len(tensors)) + entries
    path.write_bytes(head + bytes(-len(head) % 16) + content)
    return path


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    return read_archive(installed_archive()[0])


def test_the_wheels_own_library_gives_the_same(recogniser: Recogniser, speech: list[torch.Tensor]) -> None:
    from hama.asr import ASRModel

    theirs = ASRModel()
    for audio in speech[:2]:
        feeds = {
            "waveform": audio[None].numpy(),
            "waveform_lengths": np.array([len(audio)], dtype=np.int64),
        }
        log_probs, lengths = theirs.session.run(["log_probs", "out_lengths"], feeds)
        found = recogniser.log_probs(audio[None]).numpy()[0]
        assert len(found) == int(np.ravel(lengths)[0])
        expected = log_probs[0][: len(found)]
        # Their arithmetic is of lower precision, which tells in small probabilities.
        differences = np.abs(found - expected)
        assert differences[expected > -3].max() < 0.05
        assert np.median(differences[expected > -10]) < 0.005
        assert (found.argmax(-1) == expected.argmax(-1)).mean() > 0.98


def test_the_network_reads_an_archive_of_the_same_tensors(
    tensors: dict[str, np.ndarray], tmp_path: Path, recogniser: Recogniser
) -> None:
    _, vocabulary = installed_archive()
    network, tokens = load_hama(_archive(tmp_path / ARCHIVE, tensors), vocabulary)
    audio = 0.1 * torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
    assert tokens == recogniser.tokens
    np.testing.assert_allclose(network(audio), recogniser.log_probs(audio), atol=0.1)


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    _, vocabulary = installed_archive()
    path = tmp_path / ARCHIVE
    path.write_bytes(b"RIFF" + bytes(100))
    with pytest.raises(DataError, match="is no archive of hama"):
        load_hama(path, vocabulary)


@pytest.mark.parametrize("share", [0.0001, 0.5, 0.999])
def test_a_file_that_is_cut_off_is_told(tmp_path: Path, share: float) -> None:
    archive, vocabulary = installed_archive()
    data = archive.read_bytes()
    path = tmp_path / ARCHIVE
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(DataError, match=r"damaged archive of hama.*install hama==1.7.0 again"):
        load_hama(path, vocabulary)


def test_the_first_tensor_of_another_size_is_named(tensors: dict[str, np.ndarray], tmp_path: Path) -> None:
    _, vocabulary = installed_archive()
    name = "acoustic_model.model.blocks.2.ffn1.fc1.bias"
    other = tensors | {name: tensors[name][:-4]}
    with pytest.raises(DataError, match=r"blocks\.2\.ffn1\.fc1\.bias is \(572,\) instead of \(576,\)"):
        load_hama(_archive(tmp_path / ARCHIVE, other), vocabulary)


def test_a_missing_tensor_is_named(tensors: dict[str, np.ndarray], tmp_path: Path) -> None:
    _, vocabulary = installed_archive()
    other = {name: values for name, values in tensors.items() if name != "mel_fb"}
    with pytest.raises(DataError, match="lacks 'mel_fb'"):
        load_hama(_archive(tmp_path / ARCHIVE, other), vocabulary)


def test_the_onnx_file_of_older_wheels_is_refused(tmp_path: Path) -> None:
    """hama 1.3 held its recogniser as ONNX; a file of that form."""
    weight = numpy_helper.from_array(np.zeros((4, 4), np.float32), "acoustic_model.weight")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["waveform", "acoustic_model.weight"], ["log_probs"])],
        "asr",
        [helper.make_tensor_value_info("waveform", onnx.TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("log_probs", onnx.TensorProto.FLOAT, [1, 4])],
        [weight],
    )
    path = tmp_path / "asr_waveform_fp16.onnx"
    onnx.save(helper.make_model(graph), path)
    with pytest.raises(DataError, match=r"an ONNX file, as hama 1\.3 held: install hama==1\.7\.0"):
        load_hama(path, installed_archive()[1])


def test_a_wheel_without_the_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"does not exist.*hama==1\.7\.0"):
        load_hama(tmp_path / ARCHIVE, installed_archive()[1])


def test_a_damaged_vocabulary_is_told(tmp_path: Path) -> None:
    archive, _ = installed_archive()
    for content in ("{", json.dumps({"encoder": []})):
        (tmp_path / "g2p_vocab.json").write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=r"g2p_vocab\.json is no vocabulary of hama"):
            load_hama(archive, tmp_path / "g2p_vocab.json")
