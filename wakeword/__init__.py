"""wakeword: small streaming wake-word detectors from a phrase.

Importing this package loads neither ray, torch nor tensorflow.
"""

__version__ = "0.1.0"
