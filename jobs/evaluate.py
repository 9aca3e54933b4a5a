"""Evaluate a run's bundle, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/evaluate.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
