"""Ready-made detectors of others, scored by this project's evaluation: see `benchmarks/peers_accuracy.py`."""
