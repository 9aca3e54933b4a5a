"""Evaluate a run's bundle, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/evaluate.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.job import run_job

if __name__ == "__main__":
    sys.exit(run_job("evaluate"))
