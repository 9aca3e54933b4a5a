"""Augmentation of whole batches on their device, with a separate draw for each clip from an explicit generator.

`augmenter` draws the parameters and runs the chain; the other modules hold the signal processing.
"""

from wakeword.audio.augment.augmenter import Augmented, Augmenter
from wakeword.audio.augment.bank import Bank

__all__ = ["Augmented", "Augmenter", "Bank"]
