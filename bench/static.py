"""Static responses from memory, idle connections and TLS handshakes: here, and under h2o, nghttpd and hyper.

Each server has one thread and the first core; the client has the second. What counts is what the server pays:

- responses: processor microseconds a request, for bodies of 6 octets to 10 MiB, from one connection with one stream
  to 100 with 100. h2load is the client.
- idle: KiB of memory of the whole server (PSS) that each of many connections adds, after one request on each.
- handshakes: full TLS 1.3 handshakes (ECDH and ECDSA with P-256) a processor second.

The servers take turns, run by run, and the median of the runs is told. thalweg-static and hyper-static are programs
of bench/servers; they answer from memory, as h2o and nghttpd do from files that the kernel has in memory.

    .peers/venv/bin/python bench/static.py --programs target/release [--quick] [--only idle] [--server thalweg]
"""

from __future__ import annotations

import argparse
import getpass
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measure import (
    CLIENT_CORE,
    HOST,
    SUITE,
    Server,
    demand,
    drive,
    free_port,
    h2load,
    machine,
    make_keys,
    raise_descriptors,
    version,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMES = {"h2c": "cleartext", "h2": f"TLS 1.3, {SUITE}"}
ROWS = ("responses", "idle", "handshakes")


@dataclass(frozen=True)
class Body:
    """What is asked for, and what it takes to see what one costs."""

    octets: int
    # Connections, streams of each, and requests of one run: about a second of the quickest server's time.
    loads: tuple[tuple[int, int, int], ...]


SMALL = ((1, 1, 30_000), (10, 20, 600_000), (100, 100, 600_000))
BODIES = {
    "6": Body(6, SMALL),
    "1k": Body(1 << 10, SMALL),
    "100k": Body(100 << 10, ((1, 1, 15_000), (10, 10, 30_000), (100, 100, 30_000))),
    "10m": Body(10 << 20, ((4, 4, 240),)),
}


def program(path: Path) -> Callable[[int, str, Path], list[str]]:
    """One of ours, which have their command line in common."""

    def command(port: int, scheme: str, home: Path) -> list[str]:
        address = f"{HOST}:{port}"
        if scheme == "h2c":
            return [str(path), "--http", address]
        identity = ["--cert", f"{home}/server.crt", "--key", f"{home}/server.key"]
        return [str(path), "--https", address, *identity]

    return command


def nghttpd(port: int, scheme: str, home: Path) -> list[str]:
    options = ["--address", HOST, "--htdocs", f"{home}/files", "--workers", "1"]
    if scheme == "h2c":
        return ["nghttpd", *options, "--no-tls", str(port)]
    return ["nghttpd", *options, str(port), f"{home}/server.key", f"{home}/server.crt"]


def h2o(port: int, scheme: str, home: Path) -> list[str]:
    ssl = f"certificate-file: {home}/server.crt, key-file: {home}/server.key"
    secure = f", ssl: {{ {ssl} }}" if scheme == "h2" else ""
    # Its defaults, but for: our user, one thread, as many connections as it is given, idle as long as they like.
    settings = f"""
user: {getpass.getuser()}
listen: {{ host: {HOST}, port: {port}{secure} }}
num-threads: 1
max-connections: 16384
http2-idle-timeout: 600
hosts:
  default:
    paths:
      /: {{ file.dir: {home}/files }}
"""
    path = home / f"h2o-{port}.conf"
    path.write_text(settings)
    return ["h2o", "--mode", "worker", "--conf", str(path)]


def start(name: str, scheme: str, options: argparse.Namespace, home: Path) -> Server:
    commands = {
        "thalweg": program(options.programs / "thalweg-static"),
        "hyper": program(options.programs / "hyper-static"),
        "h2o": h2o,
        "nghttpd": nghttpd,
    }
    port = free_port()
    command = commands[name](port, scheme, home)
    return Server(name, command, port, "https" if scheme == "h2" else "http")


class Servers:
    """Those that are compared, all at once and in turns."""

    def __init__(self, scheme: str, options: argparse.Namespace, home: Path) -> None:
        self.all = [start(name, scheme, options, home) for name in options.server]

    def __enter__(self) -> list[Server]:
        return self.all

    def __exit__(self, *_: object) -> None:
        for server in self.all:
            server.stop()


def responses(options: argparse.Namespace, home: Path) -> None:
    for scheme in options.scheme:
        print(f"Static responses, {SCHEMES[scheme]}: server CPU in µs a request\n")
        head(options, "body, connections and streams of each")
        with Servers(scheme, options, home) as servers:
            for name in options.body:
                for load in BODIES[name].loads:
                    connections, streams, _ = load
                    costs = response_costs(servers, f"/{name}", load, options)
                    row(f"{name}, {connections} of {streams}", costs, best=min)
        print(flush=True)


def response_costs(
    servers: list[Server], path: str, load: tuple[int, int, int], options: argparse.Namespace
) -> dict[str, float]:
    connections, streams, requests = load
    requests = max(requests // options.divide, connections * streams)
    costs: dict[str, list[float]] = {server.name: [] for server in servers}
    for turn in range(options.runs + 1):
        # The first turn warms up.
        number = requests if turn else max(requests // 10, connections)
        for server in servers:
            run = h2load(server, path, connections=connections, streams=streams, requests=number)
            if turn:
                costs[server.name].append(1e6 * run.cost)
    return {name: statistics.median(runs) for name, runs in costs.items()}


def idle(options: argparse.Namespace, home: Path) -> None:
    raise_descriptors()
    for scheme in options.scheme:
        print(f"Idle connections, {SCHEMES[scheme]}: KiB of the whole server for each\n")
        head(options, "connections")
        for connections in options.connections:
            cost = {}
            for name in options.server:
                server = start(name, scheme, options, home)
                try:
                    cost[name] = idle_cost(server, connections, options, home)
                finally:
                    server.stop()
            row(f"{connections:,}", cost, best=min)
        print(flush=True)


def idle_cost(server: Server, connections: int, options: argparse.Namespace, home: Path) -> float:
    # What one connection makes a server set up once is not the others' cost.
    h2load(server, "/6", connections=1, streams=1, requests=1)
    before = server.proportional()
    command = ["taskset", "-c", CLIENT_CORE, *opener(options, server, home, "idle", connections)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin
        assert client.stdout
        said = client.stdout.readline()
        # Whatever a server does a moment after a response is done: ours gives memory back after a second.
        time.sleep(3)
        after = server.proportional()
        told, _ = client.communicate("\n")
    if said != "open\n" or told != f"alive {connections}\n":
        sys.exit(f"{server.name}: of {connections} connections: {said}{told}")
    return (after - before) / connections / 1024


def handshakes(options: argparse.Namespace, home: Path) -> None:
    print(f"Full TLS handshakes ({SUITE}, ECDH and ECDSA with P-256) a second of server CPU\n")
    head(options, "")
    with Servers("h2", options, home) as servers:
        rates: dict[str, list[float]] = {server.name: [] for server in servers}
        for turn in range(options.runs + 1):
            number = 6000 // options.divide if turn else 100
            for server in servers:
                command = opener(options, server, home, "handshakes", number)
                _, _, spent = drive(server, command)
                if turn:
                    rates[server.name].append(number / spent)
        row("handshakes", {name: statistics.median(runs) for name, runs in rates.items()}, best=max)
    print(flush=True)


def opener(
    options: argparse.Namespace, server: Server, home: Path, purpose: str, number: int
) -> list[str]:
    command = [str(options.programs / "opener"), purpose, str(number)]
    address = f"{HOST}:{server.port}"
    if server.scheme == "http":
        return [*command, "--http", address]
    return [*command, "--https", address, "--cert", f"{home}/server.crt"]


def head(options: argparse.Namespace, first: str) -> None:
    names = [*options.server, "thalweg / best peer"]
    print(f"| {first} | {' | '.join(names)} |")
    print(f"|---|{'---:|' * len(names)}", flush=True)


def row(first: str, figures: dict[str, float], *, best: Callable[[list[float]], float]) -> None:
    """A row of a table in Markdown: of each server, and what is ours of the best of the others."""
    cells = [f"{figure:,.{0 if figure >= 100 else 2}f}" for figure in figures.values()]
    peers = [figure for name, figure in figures.items() if name != "thalweg"]
    ours = figures.get("thalweg")
    cells.append(f"{ours / best(peers):.2f}" if ours is not None and peers else "")
    print(f"| {first} | {' | '.join(cells)} |", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument(
        "--programs", type=Path, default=Path("target/release"), help="where bench/servers is built"
    )
    parser.add_argument("--only", choices=ROWS, action="append", help="these rows only")
    parser.add_argument("--scheme", choices=SCHEMES, action="append", help="h2c or h2 only")
    parser.add_argument(
        "--body", choices=BODIES, action="append", help="responses of this size only"
    )
    names = ["h2o", "nghttpd", "hyper", "thalweg"]
    parser.add_argument("--server", choices=names, action="append", help="this server only")
    parser.add_argument("--runs", type=int, default=3, help="runs of each server [3]")
    parser.add_argument("--quick", action="store_true", help="one short run, for a first look")
    options = parser.parse_args()
    options.divide, options.connections = 1, (1_000, 10_000)
    if options.quick:
        options.runs, options.divide, options.connections = 1, 3, (1_000,)
    options.only = options.only or list(ROWS)
    options.scheme = options.scheme or list(SCHEMES)
    options.body = options.body or list(BODIES)
    options.server = options.server or names
    options.programs = options.programs.absolute()
    return options


def main() -> None:
    options = arguments()
    demand("h2o", "nghttpd", "h2load", "taskset", "openssl")
    print(f"Machine: {machine()}")
    print(f"{version('h2o', '--version')}; {version('nghttpd', '--version')}; ", end="")
    print(f"{version('h2load', '--version')}; {options.runs} runs each, in turns; the median\n")
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        make_keys(home)
        (home / "files").mkdir()
        for name, body in BODIES.items():
            (home / "files" / name).write_bytes(b"x" * body.octets)
        for measure in (responses, idle, handshakes):
            if measure.__name__ in options.only:
                measure(options, home)


if __name__ == "__main__":
    main()
