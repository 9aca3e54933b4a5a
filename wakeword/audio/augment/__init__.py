"""Augmentation of whole batches on their device; every draw is per clip and comes from an explicit generator.

`augmenter` draws and puts the chain together; the other modules hold the physics, one family a file, without draws of
their own where the parameters can be handed in.
"""

from wakeword.audio.augment.augmenter import Augmented, Augmenter
from wakeword.audio.augment.bank import Bank, as_float
from wakeword.audio.augment.codecs import a_law, low_rate, mu_law, telephone
from wakeword.audio.augment.features import warped_mels
from wakeword.audio.augment.filters import band_power, filtered, peak_power
from wakeword.audio.augment.levels import active_power, clipped, decibel
from wakeword.audio.augment.noise import babble, coloured_noise, white_crops
from wakeword.audio.augment.rirs import quieter_late, ringing
from wakeword.audio.augment.speed import change_tempo, fast_length, resample, stretch

__all__ = [
    "Augmented",
    "Augmenter",
    "Bank",
    "a_law",
    "active_power",
    "as_float",
    "babble",
    "band_power",
    "change_tempo",
    "clipped",
    "coloured_noise",
    "decibel",
    "fast_length",
    "filtered",
    "low_rate",
    "mu_law",
    "peak_power",
    "quieter_late",
    "resample",
    "ringing",
    "stretch",
    "telephone",
    "warped_mels",
    "white_crops",
]
