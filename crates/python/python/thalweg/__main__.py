"""``python -m thalweg`` and the console script ``thalweg``."""

import sys
from typing import NoReturn

from thalweg._thalweg import run


def main() -> NoReturn:
    """Run the command with the arguments of this process, and leave with its status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
