"""A hello-world WSGI application here and under granian, side by side, in one run.

Each server has one worker and the first core; the client has the second. What counts is the processor time that a
request costs the server, user and system, of its whole tree of processes: on a busy machine requests per second say
more about the neighbours. The servers take turns, run by run, and the median of the runs is told.

    .peers/venv/bin/python bench/hello.py --thalweg .venv/bin/thalweg [--quick] [--only h2c] [--server thalweg]
"""

from __future__ import annotations

import argparse
import platform
import re
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from measure import (
    HOST,
    SUITE,
    Run,
    Server,
    demand,
    drive,
    free_port,
    h2load,
    machine,
    make_keys,
    version,
)

PROTOCOLS = {
    "h1": "HTTP/1.1, wrk, 32 connections",
    "h2c": "HTTP/2 in cleartext, h2load, 8 connections of 16 streams",
    "h2": f"HTTP/2 over TLS 1.3 ({SUITE}), h2load, 8 connections of 16 streams",
}


@dataclass(frozen=True)
class Figures:
    """The medians of a server's runs, and its resident memory after them."""

    rate: float
    cost: float
    resident: int


def thalweg(program: str, protocol: str, keys: Path) -> Server:
    port = free_port()
    listen = ["--http", f"{HOST}:{port}"]
    if protocol == "h2":
        listen = ["--https2", f"addr={HOST}:{port},cert={keys}/server.crt,key={keys}/server.key"]
    scheme = "https" if protocol == "h2" else "http"
    return Server("thalweg", [program, *listen, "hello_app:app"], port, scheme)


def granian(program: str, protocol: str, keys: Path) -> Server:
    port = free_port()
    command = [
        program,
        "--interface",
        "wsgi",
        "--workers",
        "1",
        "--host",
        HOST,
        "--port",
        str(port),
    ]
    if protocol == "h2":
        certificate = [
            "--ssl-certificate",
            f"{keys}/server.crt",
            "--ssl-keyfile",
            f"{keys}/server.key",
        ]
        command += certificate
    scheme = "https" if protocol == "h2" else "http"
    return Server("granian", [*command, "hello_app:app"], port, scheme)


def load(server: Server, protocol: str, *, seconds: float, requests: int) -> Run:
    """Drives one run: by time over HTTP/1.1, as wrk has it, by number over HTTP/2."""
    if protocol != "h1":
        return h2load(server, connections=8, streams=16, requests=requests)
    command = ["wrk", "-t1", "-c32", f"-d{seconds:g}s", server.url()]
    said, elapsed, spent = drive(server, command)
    found = re.search(r"(\d+) requests in", said)
    if not found or "Non-2xx" in said or "Socket errors" in said:
        sys.exit(f"{server.name}: not every request was answered with 2xx:\n{said}")
    return Run(int(found.group(1)), elapsed, spent)


def compare(protocol: str, options: argparse.Namespace, keys: Path) -> dict[str, Figures]:
    """Runs the servers in turn; the figures of each."""
    servers = []
    try:
        if "thalweg" in options.server:
            servers.append(thalweg(options.thalweg, protocol, keys))
        if "granian" in options.server:
            servers.append(granian(options.granian, protocol, keys))
        for server in servers:
            load(server, protocol, seconds=options.warm_up, requests=options.requests // 10)
        for _ in range(options.runs):
            for server in servers:
                run = load(server, protocol, seconds=options.seconds, requests=options.requests)
                server.runs.append(run)
        return {
            server.name: Figures(
                rate=statistics.median(run.rate for run in server.runs),
                cost=statistics.median(run.cost for run in server.runs),
                resident=server.resident(),
            )
            for server in servers
        }
    finally:
        for server in servers:
            server.stop()


def arguments() -> argparse.Namespace:
    beside = Path(sys.executable)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--thalweg", default=str(beside.with_name("thalweg")), help="the program")
    parser.add_argument("--granian", default=str(beside.with_name("granian")), help="the peer")
    parser.add_argument("--only", choices=PROTOCOLS, action="append", help="this protocol only")
    parser.add_argument("--server", choices=["thalweg", "granian"], action="append")
    parser.add_argument("--runs", type=int, default=5, help="runs of each server [5]")
    parser.add_argument("--seconds", type=float, default=5, help="of a run over HTTP/1.1 [5]")
    parser.add_argument(
        "--requests", type=int, default=400_000, help="of a run over HTTP/2 [400000]"
    )
    parser.add_argument("--warm-up", type=float, default=2, help="seconds over HTTP/1.1 [2]")
    parser.add_argument("--quick", action="store_true", help="three short runs, for a first look")
    options = parser.parse_args()
    if options.quick:
        options.runs, options.seconds, options.requests, options.warm_up = 3, 2, 100_000, 1
    options.only = options.only or list(PROTOCOLS)
    options.server = options.server or ["thalweg", "granian"]
    options.thalweg = str(Path(options.thalweg).absolute())
    return options


def main() -> None:
    options = arguments()
    demand("wrk", "h2load", "taskset", "openssl")
    print(f"Machine: {machine()}")
    print(f"Python {platform.python_version()}; {version(options.thalweg, '--version')}; ", end="")
    print(f"{version(options.granian, '--version')}; {version('h2load', '--version')}; ", end="")
    print(version("wrk", "-v").partition(" Copyright")[0])
    print(f"{options.runs} runs each, in turns; the median\n")
    with tempfile.TemporaryDirectory() as directory:
        make_keys(Path(directory))
        for protocol in options.only:
            print(f"{PROTOCOLS[protocol]}\n")
            show(compare(protocol, options, Path(directory)))


def show(figures: dict[str, Figures]) -> None:
    """A table in Markdown, so that it can be kept."""
    print("| | requests/s | server CPU s per 1000 requests | resident MiB |")
    print("|---|---:|---:|---:|")
    for name, found in figures.items():
        memory = found.resident / (1 << 20)
        print(f"| {name} | {found.rate:,.0f} | {1000 * found.cost:.5f} | {memory:.1f} |")
    if len(figures) == 2:
        ours, theirs = figures["thalweg"], figures["granian"]
        rate, cost = ours.rate / theirs.rate, ours.cost / theirs.cost
        print(f"| ratio | {rate:.2f} | {cost:.2f} | {ours.resident / theirs.resident:.2f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
