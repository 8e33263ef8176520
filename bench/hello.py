"""A hello-world WSGI application here and under granian, side by side, in one run.

Each server has one worker and the first core; the client has the second. What counts is the processor time that a
request costs the server, user and system, of its whole tree of processes: on a busy machine requests per second say
more about the neighbours. The servers take turns, run by run, and the median of the runs is told.

    .peers/venv/bin/python bench/hello.py --thalweg .venv/bin/thalweg [--quick] [--only h2c] [--server thalweg]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
HOST = "127.0.0.1"
SERVER_CORE, CLIENT_CORE = "0", "1"
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

# One suite for both, so that the servers' own preferences do not matter.
SUITE = "TLS_AES_128_GCM_SHA256"
PROTOCOLS = {
    "h1": "HTTP/1.1, wrk, 32 connections",
    "h2c": "HTTP/2 in cleartext, h2load, 8 connections of 16 streams",
    "h2": f"HTTP/2 over TLS 1.3 ({SUITE}), h2load, 8 connections of 16 streams",
}


@dataclass(frozen=True)
class Run:
    """What one run measured."""

    requests: int
    seconds: float
    processor: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        """Processor seconds per 1000 requests."""
        return self.processor * 1000 / self.requests


@dataclass(frozen=True)
class Figures:
    """The medians of a server's runs, and its resident memory after them."""

    rate: float
    cost: float
    resident: int


class Server:
    """A server of the application on a port of its own, pinned to its core."""

    def __init__(self, name: str, command: Sequence[str], port: int, scheme: str) -> None:
        self.name = name
        self.url = f"{scheme}://{HOST}:{port}/"
        self.runs: list[Run] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `stop`)
        self._process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *command],
            cwd=HERE,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        until = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    return
            time.sleep(0.05)
        length = os.fstat(self._log.fileno()).st_size
        log = os.pread(self._log.fileno(), length, 0).decode(errors="replace")
        self.stop()
        sys.exit(f"{name} does not serve:\n{log}")

    def processor(self) -> float:
        """Processor seconds so far, user and system, of all processes and threads, past ones too."""
        ticks = 0
        for pid in self._tree():
            # utime, stime, cutime and cstime: fields 14 to 17 of proc(5), counted after the name.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
        return ticks / TICK

    def resident(self) -> int:
        """Octets of resident memory of all its processes."""
        return PAGE * sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._tree()
        )

    def stop(self) -> None:
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        # Its workers too, should they have outlived it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def _tree(self) -> Iterator[int]:
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (FileNotFoundError, ProcessLookupError):
                    continue  # it has ended meanwhile
                children.setdefault(parent, []).append(int(entry.name))
        found = [self._process.pid]
        for pid in found:
            yield pid
            found += children.get(pid, [])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


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
    if protocol == "h1":
        command = ["wrk", "-t1", "-c32", f"-d{seconds:g}s", server.url]
    else:
        command = ["h2load", "-t1", "-c8", "-m16", f"-n{requests}", server.url]
        if protocol == "h2":
            command += [f"--tls13-ciphers={SUITE}"]
    before = server.processor()
    start = time.monotonic()
    done = subprocess.run(
        ["taskset", "-c", CLIENT_CORE, *command], capture_output=True, text=True, check=False
    )
    elapsed = time.monotonic() - start
    spent = server.processor() - before
    served = completed(protocol, done.stdout)
    if done.returncode != 0 or served is None:
        sys.exit(f"{server.name}: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return Run(served, elapsed, spent)


def completed(protocol: str, said: str) -> int | None:
    """How many requests the client saw answered with 2xx; None unless that is all of them."""
    if protocol == "h1":
        found = re.search(r"(\d+) requests in", said)
        failed = "Non-2xx" in said or "Socket errors" in said
        return int(found.group(1)) if found and not failed else None
    if protocol == "h2" and (SUITE not in said or "Application protocol: h2" not in said):
        return None
    found = re.search(r"requests: (\d+) total, .* (\d+) succeeded, 0 failed", said)
    answered = re.search(r"status codes: (\d+) 2xx", said)
    if not found or not answered or found.group(1) != answered.group(1):
        return None
    return int(answered.group(1))


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


def make_keys(directory: Path) -> None:
    """A certificate of its own making, for an elliptic curve, with its key in PKCS #8."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    files = ["-keyout", f"{directory}/server.key", "-out", f"{directory}/server.crt"]
    subprocess.run(
        [*command.split(), "-subj", "/CN=localhost", *files], check=True, capture_output=True
    )


def version(*command: str) -> str:
    """The first line that a program says of its version, on either stream."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0].strip()


def machine() -> str:
    """The processor, for the record."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{os.cpu_count()} cores of {line.partition(':')[2].strip()}"
    return f"{os.cpu_count()} cores of {platform.machine()}"


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
    for program in ("wrk", "h2load", "taskset", "openssl"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed: run `make peers`")
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server and one for the client")
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
        print(f"| {name} | {found.rate:,.0f} | {found.cost:.5f} | {memory:.1f} |")
    if len(figures) == 2:
        ours, theirs = figures["thalweg"], figures["granian"]
        rate, cost = ours.rate / theirs.rate, ours.cost / theirs.cost
        print(f"| ratio | {rate:.2f} | {cost:.2f} | {ours.resident / theirs.resident:.2f} |")
    print(flush=True)


if __name__ == "__main__":
    main()
