"""Train a student under a teacher, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/distill.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.job import run_job

if __name__ == "__main__":
    sys.exit(run_job("distill", options=("--teacher",)))
