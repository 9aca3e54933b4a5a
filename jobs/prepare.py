"""Prepare data on the cluster, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/prepare.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["prepare", *sys.argv[1:]]))
