"""wakeword: say which phrase should wake a device, get a small streaming detector.

Importing this package loads neither ray, torch nor tensorflow; each room loads what it needs.
"""

__version__ = "0.1.0"
