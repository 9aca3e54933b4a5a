"""Export a run's bundle, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/export.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
