"""Find hard negatives, by hand or as a Ray job.

ray job submit --working-dir . -- python jobs/mine.py --bundle BUNDLE --config CONFIG.yaml --out DIR [key=value …]
"""

import sys

from wakeword.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["mine", "run", *sys.argv[1:]]))
