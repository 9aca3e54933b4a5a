"""Room impulse responses (RIRs): the time of the direct sound, and simulated RIRs."""

from __future__ import annotations

import numpy as np

from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.errors import MissingExtraError

RT60_S = (0.1, 0.9)
SIDES_M = ((2.5, 9.0), (2.5, 7.0), (2.3, 3.5))
DISTANCE_M = (0.3, 5.0)
WALL_GAP_M = 0.3
LONGEST_ORDER = 8
PEAK = 0.9
DIRECT_SHARE = 0.3
"""The direct sound is the first sample within 10 dB of the strongest one: a reflection may be stronger."""


def direct_sound(response: np.ndarray) -> int:
    """Index of the direct sound in an RIR `(samples,)` float32.

    Training (`wakeword.audio.augment.rirs`, in batches) and evaluation (`wakeword.evaluation.tracks.conditions`, in
    numpy) convolve from here on, so that a clip does not move in time.
    """
    strength = np.abs(response)
    return int(np.argmax(strength >= DIRECT_SHARE * strength.max(initial=0.0)))


def simulate_rirs(count: int, seed: int) -> list[np.ndarray]:
    """Simulate RIRs of rectangular rooms with image sources (pyroomacoustics) and a decaying noise tail.

    RT60 is drawn from 0.1 to 0.9 s and the distance from 0.3 to 5 m as far as the room allows; small values are more
    frequent. RIR `i` depends only on `seed` and `i`.

    Returns:
        `count` float32 arrays at 16 kHz with peak 0.9 and the length RT60; the direct sound is the first sample.

    Raises:
        MissingExtraError: pyroomacoustics is not installed.
    """
    try:
        import pyroomacoustics
    except ImportError as error:
        raise MissingExtraError("Simulating room impulse responses", "train", error) from error
    return [_simulate(pyroomacoustics, np.random.default_rng((seed, number))) for number in range(count)]


def _simulate(acoustics, draw: np.random.Generator) -> np.ndarray:  # type: ignore[no-untyped-def]
    sides = np.array([draw.uniform(*limits) for limits in SIDES_M])
    rt60_s = RT60_S[0] + (RT60_S[1] - RT60_S[0]) * draw.beta(1.3, 1.8)
    absorption, order = _walls(sides, rt60_s)
    talker, device = _places(sides, draw)
    room = acoustics.ShoeBox(
        sides, fs=SAMPLE_RATE_HZ, materials=acoustics.Material(absorption), max_order=min(order, LONGEST_ORDER)
    )
    room.add_source(talker)
    room.add_microphone(device)
    room.compute_rir()
    distance_m = float(np.linalg.norm(talker - device))
    # pyroomacoustics delays the RIR by half the length of its fractional delay filter.
    direct = round(distance_m / acoustics.constants.get("c") * SAMPLE_RATE_HZ) + (
        acoustics.constants.get("frac_delay_length") // 2
    )
    response = np.asarray(room.rir[0][0], dtype=np.float64)
    direct += int(np.argmax(np.abs(response[max(0, direct - 3) : direct + 4]))) - min(direct, 3)
    response = _with_tail(response[direct:], rt60_s, order > LONGEST_ORDER, draw)
    return (PEAK * response / np.abs(response).max()).astype(np.float32)


def _walls(sides: np.ndarray, rt60_s: float) -> tuple[float, int]:
    """Absorption by Sabine's formula, RT60 = 0.161 V / (S a), and the order at which images arrive after RT60."""
    volume = float(np.prod(sides))
    surface = 2.0 * float(sides[0] * sides[1] + sides[0] * sides[2] + sides[1] * sides[2])
    absorption = min(0.95, 0.161 * volume / (surface * rt60_s))
    return absorption, int(np.ceil(343.0 * rt60_s / float(sides.min())))


def _places(sides: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions of talker and device, both off the walls; the best of 40 draws for a random distance."""
    wanted_m = DISTANCE_M[0] + (DISTANCE_M[1] - DISTANCE_M[0]) * draw.beta(1.1, 1.8)
    pairs = draw.uniform(WALL_GAP_M, sides - WALL_GAP_M, size=(40, 2, 3))
    distances = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1)
    talker, device = pairs[int(np.argmin(np.abs(distances - wanted_m)))]
    if wanted_m < 1.0:
        # Two random positions are seldom this near: move the device along the line between them.
        device = talker + (device - talker) * wanted_m / float(np.linalg.norm(device - talker))
    return talker, device


def _with_tail(response: np.ndarray, rt60_s: float, cut: bool, draw: np.random.Generator) -> np.ndarray:
    """Cut an RIR to RT60; with `cut`, continue the images with decaying noise at their level."""
    length = int(rt60_s * SAMPLE_RATE_HZ)
    time_s = np.arange(length) / SAMPLE_RATE_HZ
    result = np.zeros(length)
    kept = min(length, len(response))
    result[:kept] = response[:kept]
    # Falls by 60 dB in RT60.
    decay = np.exp(-6.91 * time_s / rt60_s)
    if cut:
        # The first half of the response contains all images.
        complete = max(64, kept // 2)
        span = slice(complete // 2, complete)
        level = np.sqrt(np.mean(result[span] ** 2) / np.mean(decay[span] ** 2))
        fade = np.clip((np.arange(length) - complete) / (0.3 * complete), 0.0, 1.0)
        result = result * np.sqrt(1.0 - fade) + np.sqrt(fade) * level * decay * draw.standard_normal(length)
    return result
