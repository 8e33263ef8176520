"""What HPACK and a server's session cost without sockets: here, in libnghttp2 and in the crate h2.

- hpack: nanoseconds and instructions a field, and what is left of the octets, over the stories of the public
  hpack-test-case collection (`raw-data`), each with a fresh context. The crate h2 keeps its codec to itself: it cannot
  be measured from outside.
- sessions: instructions for a request of eight lines that the server's table knows, and for the response to it, with a
  head of three lines and a body of 6 octets to 100 KiB: receiving, answering, and gathering what leaves.

Instructions are callgrind's, so that they do not depend on what else the machine does.

    .peers/venv/bin/python bench/protocol.py --programs target/release [--quick] [--only sessions]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import CLIENT_CORE, demand, machine, version

ROWS = ("hpack", "sessions")
CODECS = ("libnghttp2", "thalweg")
SESSIONS = ("libnghttp2", "h2", "thalweg")
BODIES = {"6 B": 6, "1 KiB": 1 << 10, "100 KiB": 100 << 10}
ROOT = Path(__file__).parent.parent
# Few of them, where the collection is not there.
OWN_STORIES = ROOT / "crates/proto/tests/stories"


def stories() -> Path:
    shared = Path(os.environ.get("THALWEG_SHARED") or ROOT.parent / "shared")
    collection = shared / "data/hpack/raw-data"
    return collection if collection.is_dir() else OWN_STORIES


def protocol(options: argparse.Namespace, *words: object) -> list[str]:
    return [str(options.programs / "protocol"), *(str(word) for word in words)]


def run(command: list[str]) -> str:
    done = subprocess.run(
        ["taskset", "-c", CLIENT_CORE, *command], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def instructions(command: list[str], *options: str) -> int:
    """What callgrind counts."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *options]
        run([*tool, *command])
        found = re.search(r"^totals: (\d+)", out.read_text(), re.M)
    if not found:
        sys.exit(f"callgrind counted nothing of {' '.join(command)}")
    return int(found[1])


def hpack(options: argparse.Namespace) -> None:
    folder = stories()
    print(f"HPACK, the {len(list(folder.iterdir()))} stories of {folder.name}, a field\n")
    print("| direction and codec | nanoseconds | instructions | coded / plain |")
    print("|---|---:|---:|---:|")
    for direction in ("encode", "decode"):
        costs = {}
        # In turns, since a machine is not equally quick all the time.
        told = {
            codec: [
                json.loads(run(protocol(options, "hpack", codec, direction, 30, folder)))
                for _ in range(options.runs)
            ]
            for codec in CODECS
        }
        for codec in CODECS:
            fields = told[codec][0]["fields"]
            elapsed = statistics.median(one["nanoseconds"] for one in told[codec]) / fields
            rounds = 2
            with_rounds, without = (
                instructions(protocol(options, "hpack", codec, direction, number, folder))
                for number in (rounds, 0)
            )
            counted = (with_rounds - without) / rounds / fields
            costs[codec] = (elapsed, counted)
            ratio = told[codec][0]["coded"] / told[codec][0]["plain"]
            print(f"| {direction}, {codec} | {elapsed:.1f} | {counted:,.0f} | {ratio:.4f} |")
        parts = [
            ours / theirs
            for ours, theirs in zip(costs["thalweg"], costs["libnghttp2"], strict=True)
        ]
        print(
            f"| {direction}, thalweg / libnghttp2 | {parts[0]:.2f} | {parts[1]:.2f} | |", flush=True
        )
    print()


def sessions(options: argparse.Namespace) -> None:
    print("Sessions without sockets: instructions for one exchange\n")
    print(f"| body | {' | '.join(SESSIONS)} | thalweg / best peer |")
    print(f"|---|{'---:|' * len(SESSIONS)}---:|")
    exchanges = 1000 // options.divide
    for name, octets in BODIES.items():
        counted = [
            instructions(
                protocol(options, "session", session, exchanges, octets),
                "--toggle-collect=*serve_all*",
            )
            / exchanges
            for session in SESSIONS
        ]
        *peers, ours = counted
        cells = " | ".join(f"{one:,.0f}" for one in counted)
        print(f"| {name} | {cells} | {ours / min(peers):.2f} |", flush=True)
    print()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--programs",
        type=Path,
        default=Path("target/release"),
        help="where bench/protocol is built",
    )
    parser.add_argument("--only", choices=ROWS, action="append", help="these rows only")
    parser.add_argument("--runs", type=int, default=5, help="runs of each codec [5]")
    parser.add_argument("--quick", action="store_true", help="few runs, for a first look")
    options = parser.parse_args()
    options.divide = 1
    if options.quick:
        options.runs, options.divide = 1, 4
    options.only = options.only or list(ROWS)
    options.programs = options.programs.absolute()
    return options


def main() -> None:
    options = arguments()
    demand("valgrind", "taskset")
    print(f"Machine: {machine()}")
    print(f"{version('nghttpd', '--version')}; {version('valgrind', '--version')}\n")
    for measure in (hpack, sessions):
        if measure.__name__ in options.only:
            measure(options)


if __name__ == "__main__":
    main()
