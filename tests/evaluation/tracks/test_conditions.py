"""Conditions: what is near and far, which noise, and codecs that leave every word in its place."""

from __future__ import annotations

import numpy as np
import pytest

from tests.evaluation.known import RATE, coloured, row, table_of, tone_clip, tone_rows
from wakeword.audio.rirs import direct_sound
from wakeword.config import WordConfig, validate_config
from wakeword.config.evaluation import EvaluationConfig
from wakeword.errors import ConfigError
from wakeword.evaluation.tracks.codecs import through_codec
from wakeword.evaluation.tracks.conditions import direct_ratio_db
from wakeword.evaluation.tracks.plan import Track, TrackPlan, plan_tracks

ALPHA = WordConfig(label="alpha")


def planned(rows: list[dict], **config: object) -> TrackPlan:
    """A plan with nothing but `clean` and what `config` adds."""
    nothing = {"snr_db": (), "noise_kinds": (), "near": False, "far": False, "codecs": ()}
    return plan_tracks({"val": table_of(rows)}, "val", [ALPHA], EvaluationConfig(**{**nothing, **config}))


def conditions(plan: TrackPlan) -> list[str]:
    return [track.condition for track in plan.tracks if track.kind == "positives"]


def whole(plan: TrackPlan, condition: str) -> np.ndarray:
    track = next(track for track in plan.tracks if track.condition == condition)
    return np.concatenate(list(track.blocks(16_000)))


def response(direct: float, tail: float) -> np.ndarray:
    """int16: a weaker direct sound may stand before a stronger reflection."""
    taps = np.zeros(4000)
    taps[400] = direct
    taps[600:3600:10] = tail * np.random.default_rng(0).standard_normal(300)
    return taps.astype(np.int16)


NEAR, FAR = response(30_000, 200), response(12_000, 4_000)


def test_direct_sound_and_its_ratio_are_those_of_the_response() -> None:
    assert direct_sound(NEAR / 32768) == direct_sound(FAR / 32768) == 400
    energy = (FAR / 32768.0) ** 2
    expected = 10 * np.log10(energy[400] / energy[500:].sum())
    assert direct_ratio_db(FAR / 32768) == pytest.approx(expected, abs=1e-6)
    assert direct_ratio_db(FAR / 32768) < 0 < direct_ratio_db(NEAR / 32768)
    assert direct_ratio_db(np.eye(1, 100)[0]) == np.inf


def test_near_and_far_take_the_responses_of_their_side() -> None:
    rows = [*tone_rows("val", 2, 1, ("alpha",))[:-1]]
    rows += [row("val", "rir", "rir", audio, n) for n, audio in enumerate((NEAR, FAR, NEAR))]
    plan = planned(rows, near=True, far=True)
    assert conditions(plan) == ["clean", "near", "far"]
    rooms = {t.condition: t.rooms for t in plan.tracks if t.rooms is not None}
    ids = rooms["near"].clips.table.column("clip_id").to_pylist()
    chosen = {name: [ids[r][-1] for r in pool.rows] for name, pool in rooms.items()}
    assert chosen == {"near": ["0", "2"], "far": ["1"]}
    assert conditions(planned(rows, far=True)) == ["clean", "far"]
    only_far = planned([r for r in rows if r["kind"] != "rir"], near=True)
    assert any("no split has near room responses" in note for note in only_far.notes)


def test_kinds_of_noise_are_conditions_of_their_own() -> None:
    rng = np.random.default_rng(0)
    rows = [row("val", "wakeword", "alpha", tone_clip("alpha", rng), n) for n in range(2)]
    rows.append(row("val", "noise", "babble", coloured(2, rng), 0))
    rows.append(row("val", "noise", "noise", coloured(2, rng), 1, source="Town/Street sounds"))
    rows.append(row("val", "music", "music", coloured(2, rng), 2))
    plan = planned(rows, noise_kinds=("babble", "music", "street", "rain"), noise_kind_snr_db=(10.0, 0.0))
    assert conditions(plan) == [
        "clean", "10 dB babble", "0 dB babble", "10 dB music", "0 dB music", "10 dB street", "0 dB street",
    ]  # fmt: skip
    labels = plan.tracks[0].clips.table.column("clip_id").to_pylist()
    used = {t.condition: [labels[r][-1] for r in t.noise.rows] for t in plan.tracks if t.noise}
    assert (used["10 dB babble"], used["0 dB music"], used["10 dB street"]) == (["0"], ["2"], ["1"])
    assert any("no split has recordings of rain" in note for note in plan.notes)
    clean, noisy = whole(plan, "clean"), whole(plan, "0 dB babble")
    truth = plan.tracks[0].truth[0]
    place = slice(round(truth.start_s * RATE), round(truth.end_s * RATE))
    ratio = np.mean(clean[place] ** 2) / np.mean((noisy[place] - clean[place]) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(0, abs=0.7)
    assert conditions(planned(rows, noise_kinds=("music",), noise_kind_snr_db=())) == ["clean"]


def lag(heard: np.ndarray, said: np.ndarray) -> int:
    size = len(heard) + len(said)
    both = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    best = int(np.argmax(both))
    return best if best < size // 2 else best - size


@pytest.mark.parametrize("codec", ["mp3", "opus", "vorbis", "telephone"])
def test_codecs_change_the_sound_and_move_nothing(codec) -> None:
    rng = np.random.default_rng(0)
    smooth = np.convolve(rng.standard_normal(30_001), np.hanning(16), "same")  # up to some 2 kHz
    said = (smooth * 0.1 / smooth.std()).astype(np.float32)
    heard = through_codec(said, codec)
    assert len(heard) == len(said)
    assert lag(heard, said) == 0
    assert 0.6 < np.corrcoef(heard, said)[0, 1] < 0.99999
    np.testing.assert_array_equal(heard, through_codec(said, codec))


def test_the_telephone_has_its_band() -> None:
    white = (np.random.default_rng(0).standard_normal(RATE) * 0.1).astype(np.float32)
    power = np.abs(np.fft.rfft(through_codec(white, "telephone"))) ** 2  # one bin a hertz
    inside = power[500:3200].mean()
    assert 10 * np.log10(power[20:180].mean() / inside) < -15
    assert 10 * np.log10(power[4200:7800].mean() / inside) < -30


def test_words_stay_in_place_through_every_codec() -> None:
    rows = tone_rows("val", 3, 1, ("alpha",))
    plan = planned(rows, codecs=("mp3", "opus", "vorbis", "telephone"))
    assert conditions(plan) == ["clean", "mp3", "opus", "vorbis", "telephone"]
    clean = whole(plan, "clean")
    for codec in conditions(plan)[1:]:
        coded = whole(plan, codec)
        assert len(coded) == len(clean)
        track: Track = next(t for t in plan.tracks if t.condition == codec)
        for truth, known in zip(track.truth, plan.tracks[0].truth, strict=True):
            assert (truth.start_s, truth.end_s) == (known.start_s, known.end_s)
            place = slice(round(truth.start_s * RATE) - 800, round(truth.end_s * RATE) + 800)
            assert not np.array_equal(coded[place], clean[place])
            # A codec may smear a tone's edges, but its envelope does not move.
            envelopes = [np.convolve(x[place] ** 2, np.ones(160), "same") for x in (coded, clean)]
            assert abs(lag(*envelopes)) < 0.005 * RATE
    assert conditions(planned(rows, codecs=())) == ["clean"]
    with pytest.raises(ConfigError, match="codecs"):
        validate_config({"words": [{"label": "a"}], "evaluation": {"codecs": ["g729"]}})
