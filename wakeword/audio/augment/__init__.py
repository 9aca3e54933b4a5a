"""Augmentation of whole batches on their device, with a separate draw for each clip from an explicit generator.

`plan` draws the parameters on the host, `augmenter` runs the chain; the other modules hold the signal processing.
"""

from wakeword.audio.augment.augmenter import Augmented, Augmenter
from wakeword.audio.augment.bank import Bank
from wakeword.audio.augment.plan import AugmentPlan

__all__ = ["AugmentPlan", "Augmented", "Augmenter", "Bank"]
