"""What the benchmarks have in common: servers on the first core, clients on the second, and what a load costs."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import shutil
import signal
import socket
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

# One suite for all, so that the servers' own preferences do not matter.
SUITE = "TLS_AES_128_GCM_SHA256"


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
        """Processor seconds per request."""
        return self.processor / self.requests


class Server:
    """A server on a port of its own, pinned to its core."""

    def __init__(self, name: str, command: Sequence[str], port: int, scheme: str) -> None:
        self.name = name
        self.port = port
        self.scheme = scheme
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

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://{HOST}:{self.port}{path}"

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

    def proportional(self) -> int:
        """Octets of memory of all its processes, what several share being divided among them (PSS)."""
        kibibytes = 0
        for pid in self._tree():
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            kibibytes += sum(int(found) for found in re.findall(r"^Pss:\s+(\d+) kB", rollup, re.M))
        return kibibytes << 10

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


def drive(server: Server, command: Sequence[str]) -> tuple[str, float, float]:
    """Runs a client on its core: what it said, and the seconds and the server's processor seconds it took."""
    before = server.processor()
    start = time.monotonic()
    done = subprocess.run(
        ["taskset", "-c", CLIENT_CORE, *command], capture_output=True, text=True, check=False
    )
    elapsed = time.monotonic() - start
    spent = server.processor() - before
    if done.returncode != 0:
        sys.exit(f"{server.name}: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout, elapsed, spent


def h2load(
    server: Server, path: str = "/", *, connections: int, streams: int, requests: int
) -> Run:
    """So many requests over HTTP/2, all of which have to be answered with 2xx."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", f"-n{requests}"]
    if server.scheme == "https":
        command += [f"--tls13-ciphers={SUITE}"]
    command += [server.url(path)]
    said, elapsed, spent = drive(server, command)
    agreed = server.scheme == "http" or (SUITE in said and "Application protocol: h2" in said)
    answered = f" {requests} succeeded, 0 failed" in said and f" {requests} 2xx, " in said
    if not agreed or not answered:
        sys.exit(f"{server.name}: {' '.join(command)} was not answered as it should:\n{said}")
    return Run(requests, elapsed, spent)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def raise_descriptors() -> None:
    """Lets this process and those that it starts have as many descriptors as they may."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def make_keys(directory: Path) -> None:
    """A certificate of its own making for localhost, for an elliptic curve, with its key in PKCS #8."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    extensions = ["basicConstraints=critical,CA:FALSE", "subjectAltName=DNS:localhost"]
    added = [word for extension in extensions for word in ("-addext", extension)]
    files = ["-keyout", f"{directory}/server.key", "-out", f"{directory}/server.crt"]
    subprocess.run(
        [*command.split(), "-subj", "/CN=localhost", *added, *files],
        check=True,
        capture_output=True,
    )


def demand(*programs: str) -> None:
    """Ends here when something is missing that a benchmark cannot do without."""
    for program in programs:
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed: run `make peers`")
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server and one for the client")


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
