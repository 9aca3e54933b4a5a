"""Run all stages, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/pipeline.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["pipeline", *sys.argv[1:]]))
