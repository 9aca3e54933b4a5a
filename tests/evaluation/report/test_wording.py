"""Sentences on results: what is synthetic only is said before everything else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from wakeword.evaluation.report.wording import banners


@pytest.mark.parametrize(
    ("synthetic", "said"),
    [
        ((), []),
        (("words",), ["the words that tested “hey nova” were", "misses of people are not measured"]),
        (("words", "negatives"), ["the words and negatives that tested", "real speech, music and noise"]),
    ],
)
def test_synthetic_tests_have_a_banner(synthetic, said) -> None:
    word = SimpleNamespace(label="nova", phrase="hey nova", synthetic_only=synthetic)
    text = " ".join(banners(SimpleNamespace(words=[word])))
    assert bool(text) == bool(said)
    assert all(part in text for part in said)


def test_words_of_one_kind_share_a_banner() -> None:
    words = [SimpleNamespace(label=name, phrase=name, synthetic_only=("negatives",)) for name in ("one", "two")]
    assert len(banners(SimpleNamespace(words=words))) == 1
