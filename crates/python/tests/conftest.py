"""Starts the real server as a child process, on a free port of the loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

HERE = Path(__file__).parent
PATIENCE = 20.0
"""Seconds after which a test gives a server up; no test takes that long when all is well."""


class Server:
    """A running ``python -m thalweg``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log_file = log

    @property
    def log(self) -> str:
        """What it has written to standard error so far."""
        return self.log_file.read_text(errors="replace")

    def client(self, version: str = "HTTP/1.1") -> httpx.Client:
        """A client that speaks this version only; HTTP/2 by prior knowledge."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            http1=version == "HTTP/1.1",
            http2=version == "HTTP/2",
            timeout=PATIENCE,
            trust_env=False,
        )

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def seen(self, key: str) -> list[str]:
        """What an application noted under this key."""
        with self.client() as client:
            return json.loads(client.get(f"/report?{key}").content)  # type: ignore[no-any-return]

    def wait_for(self, key: str, what: str) -> list[str]:
        """Wait until an application has noted this, and return all that it noted."""
        return eventually(lambda: seen if what in (seen := self.seen(key)) else None)

    def wait_for_log(self, what: str) -> None:
        """Wait until this is in the log: a client hears of a failure before that does."""
        eventually(lambda: [] if what in self.log else None)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end, and return its status."""
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        """End it, whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)


def eventually(attempt: Callable[[], list[str] | None]) -> list[str]:
    """Repeat an attempt until it has a result."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (result := attempt()) is not None:
            return result
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def launch(arguments: list[str], cwd: Path, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the command with the interpreter that runs the tests."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "thalweg", *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=stderr,
        stderr=stderr,
    )


def start(log: Path, target: list[str], *options: str, cwd: Path = HERE) -> Server:
    """Start a server and wait until it says that it serves."""
    port = free_port()
    with log.open("wb") as stderr:
        process = launch(["--http", f"127.0.0.1:{port}", *options, *target], cwd, stderr)
    server = Server(process, port, log)

    def ready() -> list[str] | None:
        if process.poll() is not None:
            raise AssertionError(f"the server has ended:\n{server.log}")
        return [] if "serving http://" in server.log else None

    try:
        eventually(ready)
    except BaseException:
        server.stop()
        raise
    return server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of all the applications, with eight threads, for tests that change nothing in it."""
    log = tmp_path_factory.mktemp("server") / "log"
    started = start(log, ["--module", "applications"], "--threads", "8")
    yield started
    started.stop()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of one's own: ``serve(*options)``, or ``serve(source="…")`` with another application."""
    started: list[Server] = []

    def serve(*options: str, source: str | None = None) -> Server:
        log = tmp_path / f"log-{len(started)}"
        if source is None:
            server = start(log, ["--module", "applications"], *options)
        else:
            (tmp_path / "given.py").write_text(source)
            server = start(log, ["--module", "given"], *options, cwd=tmp_path)
        started.append(server)
        return server

    yield serve
    for server in started:
        server.stop()


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def http(request: pytest.FixtureRequest, server: Server) -> Iterator[httpx.Client]:
    """A client of the common server, over each protocol in turn."""
    with server.client(request.param) as client:
        yield client


@pytest.fixture
def key() -> str:
    """What nobody has noted anything under yet."""
    return uuid.uuid4().hex
