"""Train a recipe, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/train.py --config CONFIG.yaml [key=value …]
"""

import sys

from wakeword.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
