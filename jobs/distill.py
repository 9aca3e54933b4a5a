"""Train a student on the scores of a teacher, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/distill.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["distill", *sys.argv[1:]]))
