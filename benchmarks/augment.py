"""Augmented clips per second, against audiomentations and torch-audiomentations.

    python -m benchmarks.augment [--quick] [--json FILE]

Targets: at least 5 times the clips per second of audiomentations (a clip at a time) and at least twice those of
torch-audiomentations (whole batches). Both sides read the same clips, noises and room responses from memory, on one
thread and in turns; every transform acts on every clip, with random values per clip. Times are CPU time; each figure is
a median over the rounds, each target is on the median of the rounds' ratios. Clips are 2 s at 16 kHz in batches of 64.

Transforms of each side:

| | here | audiomentations | torch-audiomentations |
|---|---|---|---|
| shift up to 0.3 s, no wrapping | cut at a random place | Shift | Shift |
| room response | direct sound stays, level kept | ApplyImpulseResponse (moves) | ApplyImpulseResponse (stays) |
| noise at 0 to 30 dB | over the loud frames | AddBackgroundNoise, over all | AddBackgroundNoise, over all |
| equaliser of 7 bands | 7 peaks | SevenBandParametricEQ (5 peaks, 2 shelves) | has none, so left out on both sides |
| band pass | Butterworth, 24 dB per octave | BandPassFilter, 24 dB per octave | BandPassFilter (windowed sinc) |
| gain -18 to 6 dB | and clamped to full scale | Gain | Gain |

The other libraries are installed with pip, in the pinned versions of `augment_peers.txt` and without their
requirements, into `runs/bench/augment_peers`; where that fails, their rows are left out and the reason is printed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from benchmarks.harness import ROOT, Bar, pip_install, run
from wakeword.audio.augment import Augmenter, Bank
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.config.augmentation import AugmentationConfig
from wakeword.system.allocator import keep_freed_memory

PEERS = ROOT / "runs" / "bench" / "augment_peers"
PINS = Path(__file__).with_name("augment_peers.txt")
BATCH, SAMPLES = 64, 2 * SAMPLE_RATE_HZ
TURN = 3
SHIFT_S, SNR_DB, GAIN_DB = 0.3, (0.0, 30.0), (-18.0, 6.0)
EQ_DB, LOW_HZ, HIGH_HZ = (-8.0, 8.0), (80.0, 400.0), (3000.0, 7000.0)
QUIET = {
    "noise_probability": 0.0, "rir_probability": 0.0, "speed_probability": 0.0, "floor_dbfs": None, "gain_db": (0, 0),
}  # fmt: skip
CORE = {
    "noise_probability": 1.0, "noise_snr_db": SNR_DB, "rir_probability": 1.0, "gain_db": GAIN_DB,
    "band_probability": 1.0, "band_low_hz": LOW_HZ, "band_high_hz": HIGH_HZ,
}  # fmt: skip
EQ = {"eq_probability": 1.0, "eq_bands": 7, "eq_gain_db": EQ_DB}
ONE_BY_ONE: dict[str, dict[str, Any]] = {
    "nothing but the shift": {}, "speed": {"speed_probability": 1.0}, "tempo": {"tempo_probability": 1.0},
    "pitch": {"pitch_probability": 1.0}, "room": {"rir_probability": 1.0}, "noise": {"noise_probability": 1.0},
    "noise in a room": {"noise_probability": 1.0, "noise_rir_probability": 1.0}, "music": {"music_probability": 1.0},
    "babble": {"babble_probability": 1.0}, "voice": {"speech_probability": 1.0}, "equaliser": EQ,
    "microphone": {"microphone_probability": 1.0}, "band limit": {"band_probability": 1.0},
    "clipping": {"clip_probability": 1.0}, "codec, any": {"codec_probability": 1.0},
}  # fmt: skip

Step = Callable[[], object]


class Sounds:
    """Clips, noises and room responses, the same for all sides: float32 arrays at 16 kHz."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        syllables = np.abs(np.sin(2 * np.pi * 2 * np.arange(SAMPLES) / SAMPLE_RATE_HZ)) > 0.5
        self.clips = [(0.1 * draw.standard_normal(SAMPLES) * syllables).astype(np.float32) for _ in range(BATCH)]
        lengths = draw.integers(5 * SAMPLE_RATE_HZ, 10 * SAMPLE_RATE_HZ, 24)
        self.noises = [(0.05 * draw.standard_normal(n)).astype(np.float32) for n in lengths]
        self.rooms = []
        for rt60_s in draw.uniform(0.2, 0.9, 24):
            decay = np.exp(-6.91 * np.arange(int(rt60_s * SAMPLE_RATE_HZ)) / (rt60_s * SAMPLE_RATE_HZ))
            self.rooms.append((0.3 * decay * draw.standard_normal(len(decay))).astype(np.float32))
            self.rooms[-1][0] = 1.0

    def files(self, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Noises and responses as WAV files, since the other libraries take paths: path to samples."""
        noises, rooms = (
            {str(folder / f"{kind}{i:02d}.wav"): array for i, array in enumerate(arrays)}
            for kind, arrays in (("noise", self.noises), ("room", self.rooms))
        )
        for path, array in (noises | rooms).items():
            soundfile.write(path, array, SAMPLE_RATE_HZ, subtype="FLOAT")
        return noises, rooms


def ours(sounds: Sounds, **changes: object) -> Step:
    """A step of our augmentation: cut at random places, then the augmenter."""
    banks = [Bank.of([torch.from_numpy(a) for a in arrays]) for arrays in (sounds.noises, sounds.rooms)]
    config = AugmentationConfig.model_validate({**QUIET, **changes})
    transform = Augmenter(config, banks[0], banks[1], music=banks[0], speech=banks[0])
    clips = [torch.from_numpy(a) for a in sounds.clips]
    generator = torch.Generator().manual_seed(0)
    limit = round(SHIFT_S * SAMPLE_RATE_HZ)

    def step() -> object:
        # As training cuts its windows (`wakeword.batching.windows`), without the audio around the clip.
        cut = torch.zeros(BATCH, SAMPLES)
        starts = torch.randint(-limit, limit + 1, (BATCH,), generator=generator).tolist()
        for row, clip, start in zip(cut, clips, starts, strict=True):
            row[max(0, -start) : SAMPLES - max(0, start)] = clip[max(0, start) : SAMPLES - max(0, -start)]
        return transform(cut, generator).audio

    return step


def audiomentations_step(sounds: Sounds, folder: Path) -> Step:
    """The transforms of audiomentations, one clip after another."""
    import audiomentations as theirs
    from audiomentations.augmentations import add_background_noise, apply_impulse_response

    noises, rooms = sounds.files(folder)

    def in_memory(path: str, rate: int, mono: bool = True, offset: float = 0.0, duration: float = 1e9) -> object:
        array = noises[path] if path in noises else rooms[path]
        begin = round(offset * rate)
        return array[begin : begin + round(duration * rate)], rate

    add_background_noise.load_sound_file = in_memory
    apply_impulse_response.load_sound_file = in_memory
    chain = theirs.Compose(
        [
            theirs.Shift(-SHIFT_S, SHIFT_S, shift_unit="seconds", rollover=False, p=1.0),
            theirs.ApplyImpulseResponse(list(rooms), p=1.0),
            theirs.AddBackgroundNoise(list(noises), min_snr_db=SNR_DB[0], max_snr_db=SNR_DB[1], p=1.0),
            theirs.SevenBandParametricEQ(*EQ_DB, p=1.0),
            theirs.BandPassFilter(2000.0, 3500.0, 1.5, 1.9, min_rolloff=24, max_rolloff=24, p=1.0),
            theirs.Gain(*GAIN_DB, p=1.0),
        ]
    )
    return lambda: [chain(clip, SAMPLE_RATE_HZ) for clip in sounds.clips]


def torch_audiomentations_step(sounds: Sounds, folder: Path) -> Step:
    """The transforms of torch-audiomentations, on the whole batch."""
    import torch_audiomentations as theirs

    noises, rooms = sounds.files(folder)
    settings = {"p": 1.0, "mode": "per_example", "sample_rate": SAMPLE_RATE_HZ, "output_type": "tensor"}
    noise = theirs.AddBackgroundNoise(list(noises), *SNR_DB, **settings)
    room = theirs.ApplyImpulseResponse(list(rooms), compensate_for_propagation_delay=True, **settings)
    for transform, name, arrays in ((noise, "background_paths", noises), (room, "ir_paths", rooms)):
        memory = [{"samples": torch.from_numpy(a)[None], "sample_rate": SAMPLE_RATE_HZ} for a in arrays.values()]
        setattr(transform, name, memory)
    chain = theirs.Compose(
        [
            theirs.Shift(-SHIFT_S, SHIFT_S, shift_unit="seconds", rollover=False, **settings),
            room,
            noise,
            theirs.BandPassFilter(2000.0, 3500.0, 1.5, 1.9, **settings),
            theirs.Gain(*GAIN_DB, **settings),
        ],
        output_type="tensor",
    )
    batch = torch.from_numpy(np.stack(sounds.clips))[:, None]
    # Some of its transforms write into their input.
    return lambda: chain(batch.clone(), SAMPLE_RATE_HZ)


def install_peers() -> None:
    """Install the other libraries and put them on the path. Raises ImportError where that fails."""
    if not (PEERS / "installed").is_file():
        if fault := pip_install(sys.executable, "--no-deps", "--upgrade", "--target", str(PEERS), "-r", str(PINS)):
            raise ImportError(fault)
        # torchaudio's compiled part fits one build of torch only, and no transform here uses it.
        for library in (PEERS / "torchaudio" / "lib").glob("*.so"):
            library.unlink()
        (PEERS / "installed").touch()
    sys.path.append(str(PEERS))


def seconds_of(step: Step, times: int = 1) -> float:
    """CPU seconds of one step, mean of several."""
    began = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - began) / times


def versus(ours_step: Step, their_step: Step, rounds: int) -> tuple[float, float, float]:
    """Our clips/s, theirs, and the median ratio, in turns of `TURN` steps after one step each to warm up."""
    ours_step(), their_step()
    pairs = [(seconds_of(ours_step, TURN), seconds_of(their_step, TURN)) for _ in range(rounds)]
    ours_s, theirs_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return BATCH / ours_s, BATCH / theirs_s, statistics.median(theirs / mine for mine, theirs in pairs)


def peer_bars(sounds: Sounds, rounds: int) -> list[Bar]:
    """Rows against the other libraries; the reason is printed where a library cannot be loaded."""
    contests = (
        ("audiomentations", audiomentations_step, {**CORE, **EQ}, 5.0),
        ("torch-audiomentations", torch_audiomentations_step, CORE, 2.0),
    )
    bars = []
    for name, make, changes, target in contests:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                install_peers()
                their_step = make(sounds, Path(folder))
            except (ImportError, OSError) as error:
                print(f"skipped: {name} cannot be loaded here: {error}")
                continue
            mine, theirs, ratio = versus(ours(sounds, **changes), their_step, rounds)
        bars += [
            Bar(f"clips of 2 s, transforms of {name}", mine, "/s"),
            Bar(f"{name}", theirs, "/s"),
            Bar(f"times as fast as {name}", ratio, "x", target, "least"),
        ]
    return bars


def measure_bars(args: argparse.Namespace) -> list[Bar]:
    """The comparisons, and the clip rate with each of our transforms alone."""
    torch.set_num_threads(1)
    keep_freed_memory()
    sounds, rounds = Sounds(), 3 if args.quick else 9
    bars = peer_bars(sounds, rounds)
    for name, changes in ONE_BY_ONE.items():
        step = ours(sounds, **changes)
        step()
        duration_s = statistics.median(seconds_of(step) for _ in range(rounds))
        bars.append(Bar(f"alone on every clip: {name}", BATCH / duration_s, "clips/s"))
    return bars


if __name__ == "__main__":
    sys.exit(run("augment", measure_bars))
