"""``python -m training``: another name of the command ``understudy``."""

import sys

from understudy.__main__ import run

if __name__ == "__main__":
    sys.exit(run())
