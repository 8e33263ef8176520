"""All benchmarks, or those that are named, one after another: what `make bench` runs.

    .peers/venv/bin/python bench/run.py [--quick] [--only idle] [--only h2c]

Each of the programs behind it takes more options: hello.py, static.py and protocol.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = {
    "hello.py": ("h1", "h2c", "h2"),
    "static.py": ("responses", "idle", "handshakes"),
    "protocol.py": ("hpack", "sessions"),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--thalweg", required=True, help="the program")
    parser.add_argument(
        "--programs", required=True, help="where bench/servers and bench/protocol are built"
    )
    rows = [row for rows in PROGRAMS.values() for row in rows]
    parser.add_argument("--only", choices=rows, action="append", help="these rows only")
    parser.add_argument("--quick", action="store_true", help="a first look")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    own = {
        "hello.py": ["--thalweg", options.thalweg],
        "static.py": ["--programs", options.programs],
        "protocol.py": ["--programs", options.programs],
    }
    for program, rows in PROGRAMS.items():
        wanted = [row for row in rows if options.only is None or row in options.only]
        if not wanted:
            continue
        command = [sys.executable, str(HERE / program), *own[program]]
        command += [word for row in wanted for word in ("--only", row)]
        command += ["--quick"] if options.quick else []
        ended = subprocess.run(command, check=False).returncode
        if ended != 0:
            sys.exit(ended)


if __name__ == "__main__":
    main()
