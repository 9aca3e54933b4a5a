"""How a phoneme recogniser hears the sounds of English, learnt from transcribed speech, and what that is worth.

    python -m benchmarks.phoneme_costs [--write] [--words alexa jarvis computer]

Learning: every transcribed training clip of the recordings whose words are all in the CMU dictionary is aligned with
its phonemes (Viterbi over the frames; a phoneme may be heard as any token, or not at all, at the costs of the round
before). What is heard at a phoneme's highest frame is counted; each word counts four times at most, and words of one
or two phonemes and those with several pronunciations not at all. A token's cost is -log(P(token | phoneme) / max P).
`--write` writes `wakeword/phonetics/costs.json`. The words of the judgement have no part in the learning.

Judgement: recordings of wake words against all other speech, in windows of 2.1 s, score 2 mean + weakest: area under
the curve, and misses at one false window per hour, clean and in noise at 10 dB.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.harness import Bar, recording_rows, run
from wakeword.data.synthesis.pronunciation import dictionary, sounds_of
from wakeword.data.words import spoken
from wakeword.phonetics import inventory as inventories
from wakeword.phonetics.articulation import distance
from wakeword.phonetics.inventory import Inventory
from wakeword.phonetics.phrase import phrase_pronunciations, window_scores
from wakeword.phonetics.recogniser import Recogniser, long_log_probs, open_recogniser
from wakeword.runtime.phoneme_path import NOTHING, Float, PhraseScorer, Pronunciation
from wakeword.system.files import write_json

WORDS = ("alexa", "jarvis", "computer")
ROUNDS = 2
MOST_OF_A_WORD, SHORTEST_WORD = 4, 3
PRIOR = 3.0
"""Occurrences of each phoneme that are taken as heard in the shares of all tokens."""
HIGHEST = 5.0
WORST_CLIP = -3.0
"""Score per phoneme below which a clip does not say its transcript."""
WINDOW, HOP = 105, 52


@dataclass(frozen=True)
class Costs:
    """`heard (phonemes, sounds)`: cost of each output for each phoneme; `dropped (phonemes,)`: of hearing nothing."""

    heard: Float
    dropped: Float


@dataclass(frozen=True)
class Clip:
    log_probs: Float
    """Relative to the best token of each frame; the boundary merged into the blank."""
    sequence: NDArray[np.int64]
    weight: NDArray[np.float64]
    """What each phoneme counts."""


def align(
    relative: Float, outputs: Sequence[int], blank: int, sequence: NDArray[np.int64], costs: Costs
) -> tuple[NDArray[np.int64], Float, float]:
    """State of each frame (odd: phonemes, even: blanks), scores `(frames, states)`, and the score per phoneme."""
    count, frames = len(sequence), len(relative)
    width = 2 * count + 1
    scores = np.empty((frames, width), dtype=np.float32)
    scores[:, ::2] = relative[:, blank, None]
    sounds = relative[:, list(outputs)]
    for kind in np.unique(sequence):
        scores[:, 1 + 2 * np.flatnonzero(sequence == kind)] = (sounds - costs.heard[kind]).max(axis=1)[:, None]
    drop = costs.dropped[sequence]
    # Moves by 0 to 4 states: 2 skips a blank or drops a phoneme between two blanks, 3 and 4 drop one beside a phoneme.
    price = np.full((5, width), -np.inf, dtype=np.float32)
    price[0], price[1, 1:] = 0.0, 0.0
    price[2, 3::2] = np.where(sequence[1:] == sequence[:-1], -np.inf, 0.0)
    price[2, 2::2], price[3, 4::2], price[4, 5::2] = -drop, -drop[1:], -drop[1:-1]
    before, after = np.append(0.0, np.cumsum(drop)), np.append(np.cumsum(drop[::-1])[::-1], 0.0)
    score = np.full(4 + width, -np.inf, dtype=np.float32)
    score[4::2], score[5::2] = -before, -before[:-1]
    back = np.zeros((frames, width), dtype=np.int8)
    for frame in range(frames):
        if frame:
            options = np.stack([score[4 - move : 4 - move + width] + price[move] for move in range(5)])
            back[frame] = options.argmax(axis=0)
            score[4:] = options.max(axis=0)
        score[4:] += scores[frame]
    final = score[4:].copy()
    final[::2] -= after
    final[1::2] -= after[1:]
    path, state = np.empty(frames, dtype=np.int64), int(final.argmax())
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state -= int(back[frame, state])
    return path, scores, float(final.max()) / count


def clips_of(recogniser: Recogniser, phonemes: dict[str, int]) -> Iterator[Clip]:
    """Transcribed training clips with their phonemes."""
    known = dictionary()
    rows = [r for r in recording_rows() if r["split"] == "train" and r["text"] and "Common Voice" in r["source"]]
    said = Counter(word for row in rows for word in spoken(row["text"]))
    for row in rows:
        words = spoken(row["text"])
        if not words or any(word not in known or word in WORDS for word in words):
            continue
        sequence, weight = [], []
        for word in words:
            first = known[word][0]
            plain = len(known[word]) == 1 and len(first) >= SHORTEST_WORD
            sequence += [phonemes[sound] for sound in first]
            weight += [min(1.0, MOST_OF_A_WORD / said[word]) if plain else 0.0] * len(first)
        audio, _ = soundfile.read(row["path"], dtype="float32")
        log_probs = long_log_probs(recogniser, torch.from_numpy(audio)).numpy()
        if recogniser.boundary is not None:
            pair = log_probs[:, [recogniser.blank, recogniser.boundary]]
            log_probs[:, recogniser.blank] = np.logaddexp.reduce(pair, axis=1)
            log_probs[:, recogniser.boundary] = NOTHING
        relative = np.maximum(log_probs - log_probs.max(axis=1, keepdims=True), NOTHING)
        yield Clip(relative, np.asarray(sequence), np.asarray(weight))


def count(
    clips: Sequence[Clip], outputs: Sequence[int], blank: int, costs: Costs
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each phoneme was heard as each output `(phonemes, outputs)`, and as nothing `(phonemes,)`."""
    heard, dropped = np.zeros(costs.heard.shape), np.zeros(len(costs.heard))
    for clip in clips:
        path, scores, score = align(clip.log_probs, outputs, blank, clip.sequence, costs)
        if score < WORST_CLIP:
            continue
        for place in np.flatnonzero(clip.weight):
            kind, weight = clip.sequence[place], clip.weight[place]
            frames = np.flatnonzero(path == 2 * place + 1)
            if not len(frames):
                dropped[kind] += weight
                continue
            shares = np.exp(clip.log_probs[frames[scores[frames, 2 * place + 1].argmax()], list(outputs)])
            heard[kind] += weight * shares / shares.sum()
    return heard, dropped


def learn(recogniser: Recogniser) -> dict[str, object]:
    """Costs and shares of dropped phonemes, as the package ships them."""
    names = sorted({sound for forms in dictionary().values() for form in forms for sound in form})
    sounds = Inventory(recogniser.name, recogniser.tokens, (recogniser.blank, recogniser.boundary)).sounds
    outputs = list(sounds)
    clips = list(clips_of(recogniser, {name: number for number, name in enumerate(names)}))
    far = np.array([[distance(name, sounds[output]) for output in outputs] for name in names], dtype=np.float32)
    costs = Costs(np.minimum(far, 6.0), np.full(len(names), 4.0, dtype=np.float32))
    for _ in range(ROUNDS):
        heard, dropped = count(clips, outputs, recogniser.blank, costs)
        shares = heard + PRIOR * heard.sum(axis=0) / heard.sum()
        least = -np.log(shares / shares.max(axis=1, keepdims=True))
        rate = (dropped + 1) / (dropped + heard.sum(axis=1) + 4)
        costs = Costs(least.astype(np.float32), np.minimum(-np.log(rate), 5.0).astype(np.float32))
    table = {
        name: {
            sounds[outputs[at]]: round(abs(float(least[row, at])), 2)
            for at in np.argsort(least[row], kind="stable")
            if least[row, at] <= HIGHEST
        }
        for row, name in enumerate(names)
    }
    return {
        "recogniser": recogniser.fingerprint,
        "made": f"python -m benchmarks.phoneme_costs --write: {len(clips)} training clips of Common Voice 1, English",
        "counted": {name: round(float(heard[row].sum()), 1) for row, name in enumerate(names)},
        "dropped": {name: round(float(rate[row]), 3) for row, name in enumerate(names)},
        "costs": table,
    }


def noisy(audio: Float, noise: Float, rng: np.random.Generator) -> Float:
    """The audio in noise at 10 dB, measured on its louder half."""
    parts = np.sort([float(np.mean(part**2)) for part in np.array_split(audio, max(1, len(audio) // 800))])
    there = np.resize(np.roll(noise, -int(rng.integers(len(noise)))), len(audio))
    level = parts[len(parts) // 2 :].mean() / max(float(np.mean(there**2)), 1e-9) / 10
    return (audio + np.sqrt(level) * there).astype(np.float32)


def judge(recogniser: Recogniser, words: Sequence[str]) -> list[Bar]:
    """Dictionary form alone, rules, and learnt costs, on real recordings of words."""
    rows, rng = recording_rows(), np.random.default_rng(0)
    noises = [soundfile.read(row["path"], dtype="float32")[0] for row in rows if row["kind"] == "noise"]
    noises = [noise for noise in noises if np.mean(noise**2) > 1e-6]
    others = [r for r in rows if r["kind"] == "speech" and not r["contains"] and "digit" not in r["source"]]
    speech = [_heard(recogniser, _audio(row)) for row in others]
    hours = sum(map(len, speech)) / recogniser.rate_hz / 3600
    bars = [Bar("other speech", hours, "h")]
    for word in words:
        clean = [_audio(row) for row in rows if row["label"] == word]
        loud = [noisy(audio, noises[int(rng.integers(len(noises)))], rng) for audio in clean]
        heard = {"clean": [_heard(recogniser, a) for a in clean], "10 dB": [_heard(recogniser, a) for a in loud]}
        for name, pronunciations in _variants(recogniser, word).items():
            scorer = PhraseScorer(pronunciations, recogniser.blank, recogniser.boundary)
            false = [_windows(scorer, log_probs) for log_probs in speech]
            apart = np.sort(np.concatenate([_peaks(scores) for scores in false]))[::-1]
            threshold = apart[min(round(hours), len(apart) - 1)]
            for condition, positives in heard.items():
                best = np.array([_windows(scorer, log_probs).max() for log_probs in positives])
                labels = np.repeat([1, 0], [len(best), len(false)])
                area = roc_auc_score(labels, np.concatenate([best, [scores.max() for scores in false]]))
                bars.append(Bar(f"{word}, {condition}, {name}: area under the curve", 100 * float(area), "%"))
                bars.append(Bar(f"{word}, {condition}, {name}: missed", 100 * float((best <= threshold).mean()), "%"))
    return bars


def _audio(row: dict[str, str]) -> Float:
    return np.asarray(soundfile.read(row["path"], dtype="float32")[0], dtype=np.float32)


def _heard(recogniser: Recogniser, audio: Float) -> Float:
    return long_log_probs(recogniser, torch.from_numpy(audio)).numpy()


def _windows(scorer: PhraseScorer, log_probs: Float) -> Float:
    found = window_scores(log_probs, scorer, WINDOW, HOP)
    return 2 * found.mean + found.weakest


def _peaks(scores: Float) -> Float:
    """Windows overlap by half: of neighbours the higher one counts."""
    padded = np.concatenate([[-np.inf], scores, [-np.inf]])
    return scores[(scores > padded[:-2]) & (scores >= padded[2:])]


def _variants(recogniser: Recogniser, word: str) -> dict[str, list[Pronunciation]]:
    """Pronunciations of a word by each way of making them."""
    sounds = sounds_of([word.replace("_", " ")], "cmu")[0]
    learnt = phrase_pronunciations(sounds, recogniser)
    bare = Inventory(recogniser.name, recogniser.tokens, (recogniser.blank, recogniser.boundary))
    given = [inventories.as_pronunciation(one, bare, True) for one in sorted(sounds)]
    free = [Pronunciation(*zip(*map(_free, one.tokens, one.costs), strict=True)) for one in given]
    return {"dictionary": free, "rules": given, "learnt": learnt}


def _free(tokens: tuple[int, ...], costs: tuple[float, ...]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The outputs that cost nothing: the sound itself."""
    kept = tuple(token for token, cost in zip(tokens, costs, strict=True) if cost == 0)
    return kept, (0.0,) * len(kept)


def measure(args: argparse.Namespace) -> list[Bar]:
    """Learn and write the costs where asked; then judge."""
    recogniser = open_recogniser()
    if args.write:
        write_json(Path(inventories.__file__).parent / inventories.COSTS, learn(recogniser))
    return judge(recogniser, args.words)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--write", action="store_true", help="learn the costs and write them into the package")
    parser.add_argument("--words", nargs="*", default=list(WORDS), help="wake words of the recordings to judge on")


if __name__ == "__main__":
    sys.exit(run("phoneme_costs", measure, _options))
