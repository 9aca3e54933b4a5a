"""What every room stands on: atomic files, logging, resource samples, the Ray session."""
