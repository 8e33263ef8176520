"""The program under test: started for a test on loopback ports, watched, and stopped by its process id.

It is `$THALWEG` where that is set, else the `thalweg` beside the interpreter that runs the tests.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

APPS = Path(__file__).parent / "apps"
HOST = "127.0.0.1"
# A port of its own for each listener: the system chooses, the log tells.
ANY = f"{HOST}:0"

LISTENERS = ("--http", "--https", "--https2")
SERVING = re.compile(rf"serving (?:(https?)://{re.escape(HOST)}:(\d+)|http on )")

# What no log of ours may hold: a panic of the program, or a traceback.
FAULTS = re.compile(r"^.*(panicked at|Traceback \(most recent call last\)|RUST_BACKTRACE).*$", re.M)


def thalweg() -> str:
    """The program under test."""
    program = os.environ.get("THALWEG") or str(Path(sys.executable).with_name("thalweg"))
    if not os.access(program, os.X_OK):
        pytest.fail(f"{program} cannot be run: build it with `make build`, or set THALWEG")
    return program


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Ours, with the interpreter of the tests chosen for the application too."""
    # CI and the like do not change what the program does.
    chosen = {"VIRTUAL_ENV": sys.prefix} if sys.prefix != sys.base_prefix else {}
    return os.environ | chosen | (extra or {})


def powers(*, less: bool) -> dict[str, Any]:
    """How `subprocess` starts a program with our powers, or with less: as nobody, where we are root."""
    if not less or os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@dataclass(frozen=True)
class Outcome:
    """How a run that ended by itself ended."""

    status: int
    stdout: str
    stderr: str


def run(*arguments: str, powerless: bool = False) -> Outcome:
    """Runs the program with a command line that makes it end by itself; `powerless`: as nobody, where we are root."""
    done = subprocess.run(
        [thalweg(), *arguments],
        cwd=APPS,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        **powers(less=powerless),
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def refused(outcome: Outcome, status: int) -> str:
    """The one line on standard error that a start ended with."""
    assert outcome.status == status, outcome
    assert not FAULTS.search(outcome.stderr), outcome.stderr
    assert outcome.stdout == ""
    line, _, rest = outcome.stderr.partition("\n")
    assert rest == "", f"more than one line: {outcome.stderr}"
    assert line.startswith("thalweg: ")
    return line


class Program:
    """A running program. Leaving the `with` block stops it and looks at how it ended.

    `port` is that of the plain listener and `tls_port` that of the other, as the log tells them; None for one that
    was not asked for.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        env: dict[str, str] | None = None,
        cwd: Path = APPS,
    ) -> None:
        self.port: int | None = None
        self.tls_port: int | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the block)
        self._process = subprocess.Popen(
            [thalweg(), *arguments],
            cwd=cwd,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        try:
            listeners = sum(argument in LISTENERS for argument in arguments)
            self._await_ready(max(1, listeners))
        except BaseException:
            self._kill()
            self._log.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.stop()
            else:
                # Shown by pytest with the failure.
                print(f"--- log of the program ---\n{self.log}")
        finally:
            self._kill()
            self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """All that the program wrote so far."""
        length = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), length, 0).decode(errors="replace")

    @property
    def url(self) -> str:
        """The plain listener's address, without a path."""
        assert self.port is not None
        return f"http://{HOST}:{self.port}"

    @property
    def tls_url(self) -> str:
        """The TLS listener's address, without a path."""
        assert self.tls_port is not None
        return f"https://{HOST}:{self.tls_port}"

    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = 15) -> int:
        """Waits for the program's end; its exit status, negative for a signal."""
        return self._process.wait(timeout)

    def stop(self) -> None:
        """Asks the program to leave, and checks that it does so with nothing amiss."""
        if self.running():
            self.signal()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self._kill()
            pytest.fail(f"the program did not leave after SIGTERM; its log:\n{self.log}")
        if status != 0 and not self._any_status:
            pytest.fail(f"the program left with status {status}; its log:\n{self.log}")
        self.assert_no_fault()

    _any_status = False

    def accept_any_status(self) -> None:
        """The test has made the program leave work undone, of which its exit status may tell."""
        self._any_status = True

    def assert_no_fault(self) -> None:
        """No panic and no traceback is in the log; tests of failing applications clear theirs by `forgive`."""
        if fault := FAULTS.search(self.log[self._forgiven :]):
            pytest.fail(f"a fault in the log: {fault.group()}; the whole log:\n{self.log}")

    _forgiven = 0

    def forgive(self) -> None:
        """What the log holds until now is the application's own fault, provoked by the test."""
        assert "panicked" not in self.log, self.log
        self._forgiven = len(self.log)

    def status(self, field: str) -> str:
        """A field of /proc/PID/status."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return value.strip()
        raise KeyError(field)

    def resident(self) -> int:
        """Octets of memory resident now."""
        return int(self.status("VmRSS").split()[0]) * 1024

    def peak(self) -> int:
        """Octets of memory resident at most since `mark_peak`."""
        return int(self.status("VmHWM").split()[0]) * 1024

    def mark_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def processor(self) -> float:
        """Processor seconds that it has used, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def connect(self) -> socket.socket:
        """A plain connection to the plain listener."""
        assert self.port is not None
        return socket.create_connection((HOST, self.port), timeout=10)

    def connect_tls(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        assert self.tls_port is not None
        raw = socket.create_connection((HOST, self.tls_port), timeout=10)
        return context.wrap_socket(raw, server_hostname="localhost")

    def _await_ready(self, listeners: int) -> None:
        """Waits until the program says that it serves, which it does once for each listener."""
        until = time.monotonic() + 30
        while len(serving := SERVING.findall(self.log)) < listeners:
            if not self.running():
                pytest.fail(f"the program ended with {self._process.returncode}:\n{self.log}")
            if time.monotonic() > until:
                pytest.fail(f"the program was not ready within 30 s; its log:\n{self.log}")
            time.sleep(0.02)
        for scheme, port in serving:
            if scheme == "https":
                self.tls_port = int(port)
            elif scheme == "http":
                self.port = int(port)

    def _kill(self) -> None:
        if self.running():
            self._process.kill()
        self._process.wait()
