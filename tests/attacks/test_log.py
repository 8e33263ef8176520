"""A log that nobody reads, or whose reader has gone, holds up nobody."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from attacker import HEADERS, Attacker, request
from watch import attacked

from http2 import Client
from program import ANY, APPS, SERVING, Program, environment, thalweg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUESTS = 1000
# Each leaves a line of this length and more: together far more than a pipe holds, and than may wait for it.
LONG = "/hello?" + "x" * 8000
MEMORY = 24 << 20
LOST = re.compile(r"^(\d+) lines of the log are lost", re.MULTILINE)


class Unread(Program):
    """A program whose standard error is a pipe that is read only where the test says so."""

    def __init__(self, *options: str) -> None:
        self._forgiven = 0
        self._process = subprocess.Popen(
            [thalweg(), "--http", ANY, "--module", "pages:app", *options],
            cwd=APPS,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        self._said = self._process.stderr.readline().decode()
        found = SERVING.search(self._said)
        assert found, self._said
        self.port, self.tls_port = int(found[2]), None

    @property
    def log(self) -> str:
        return self._said

    def read_on(self) -> None:
        """Reads all that is said until the end."""
        assert self._process.stderr is not None
        self._said += self._process.stderr.read().decode()

    def hang_up(self) -> None:
        """Whoever would have read leaves."""
        assert self._process.stderr is not None
        self._process.stderr.close()

    @contextmanager
    def killed(self) -> Iterator[Unread]:
        try:
            yield self
        finally:
            self._kill()
            assert self._process.stderr is not None
            self._process.stderr.close()


def attack(program: Program) -> int:
    """So many requests whose lines are long, one after the other; how many were refused."""
    with attacked(program, memory=MEMORY), Attacker(program.connect()) as attacker:
        for number in range(REQUESTS):
            attacker.send(request(1 + 2 * number, LONG))
            if number % 50 == 49:
                attacker.ping()
        attacker.settle(lambda: attacker.seen[HEADERS] + attacker.resets().total() >= REQUESTS)
    return attacker.resets().total()


@pytest.mark.parametrize("read", [True, False])
def test_an_access_log_on_an_unread_pipe_holds_up_nobody(*, read: bool) -> None:
    with Unread("--access-log", "-", "--log-level", "debug").killed() as program:
        refused = attack(program)
        program.signal()
        if read:
            program.read_on()
        assert program.wait() == 0
        if read:
            lost = sum(int(number) for number in LOST.findall(program.log))
            assert program.log.count(LONG) + lost >= REQUESTS - refused


def test_a_log_whose_reader_has_gone_holds_up_nobody() -> None:
    with Unread("--access-log", "-", "--log-level", "debug").killed() as program:
        program.hang_up()
        for _ in range(10):
            with Client.plain(program) as client:
                assert client.get("/hello").status == 200
        program.signal()
        assert program.wait() == 0


def test_an_access_log_that_is_an_unread_pipe_holds_up_nobody(tmp_path: Path) -> None:
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with Program(
            ["--http", ANY, "--module", "pages:app", "--access-log", str(pipe)]
        ) as program:
            attack(program)
            with Client.plain(program) as client:
                assert client.get("/hello").status == 200
    finally:
        os.close(reader)
