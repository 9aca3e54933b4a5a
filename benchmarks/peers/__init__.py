"""Ready-made detectors of other projects, scored by our evaluation (`benchmarks.peers_accuracy`)."""
