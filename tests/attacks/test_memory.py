"""What clients can make the server hold for them: all of them together, not only each."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from attacker import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    Attacker,
    block,
    frame,
    request,
    string,
)
from watch import KIB, MIB, attacked

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve

INITIAL_WINDOW_SIZE = 4
STREAMS = 250
# What all requests may hold; twice that is the bound, and the rest of the program needs something too.
HELD = ("--request-memory", "32m")
MEMORY = 64 * MIB + 24 * MIB

# An entry that takes all of a table, and another that names it: a line of 4 KiB for one octet.
LARGE = b"\x40" + string(b"x") + string(b"y" * 4000)
AGAIN = b"\xbe"


def test_heads_that_were_cheap_to_send_are_not_all_kept(serve: Serve) -> None:
    """An HPACK bomb in each of many requests, whose answers cannot leave."""
    with serve("--threads", "8", *HELD) as program, ExitStack() as stack:
        attackers = []
        with attacked(program, memory=MEMORY):
            for _ in range(20):
                attacker = stack.enter_context(
                    Attacker(program.connect(), (INITIAL_WINDOW_SIZE, 0))
                )
                attackers.append(attacker)
                attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block() + LARGE))
                for stream in range(3, 2 * STREAMS, 2):
                    bomb = block() + AGAIN * 15
                    attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, bomb))
                attacker.ping()
            for attacker in attackers:
                attacker.connected.close()


def all_told(attacker: Attacker) -> bool:
    """Every stream has the head of an answer, or was reset."""
    return attacker.seen[HEADERS] + attacker.resets().total() >= STREAMS


def test_answers_that_nobody_reads_are_not_all_kept(serve: Serve) -> None:
    """CVE-2019-9517 and its kin: requests are cheap, the answers that wait for a window are not."""
    with serve("--threads", "8", *HELD) as program, ExitStack() as stack:
        attackers = []
        with attacked(program, memory=MEMORY):
            for _ in range(10):
                attacker = stack.enter_context(
                    Attacker(program.connect(), (INITIAL_WINDOW_SIZE, 0))
                )
                attackers.append(attacker)
                for stream in range(1, 2 * STREAMS, 2):
                    attacker.send(request(stream, "/octets?size=200000"))
            for attacker in attackers:
                attacker.settle(partial(all_told, attacker))
            for attacker in attackers:
                attacker.connected.close()


def test_uploads_that_nobody_reads_are_not_all_kept(serve: Serve, tmp_path: Path) -> None:
    """Each connection fills its window, while the application is busy."""
    release = tmp_path / "release"
    with serve("--threads", "8", *HELD) as program, ExitStack() as stack:
        attackers = []
        with attacked(program, memory=MEMORY):
            for _ in range(30):
                attacker = stack.enter_context(Attacker(program.connect()))
                attackers.append(attacker)
                # The window of the connection has come with the answer.
                attacker.ping()
                for stream in range(1, 64, 2):
                    attacker.send(request(stream, f"/hold?until={release}", "POST", end=False))
                    attacker.send(frame(DATA, 0, stream, bytes(16 * KIB)) * 15)
                attacker.ping()
            for attacker in attackers:
                attacker.connected.close()
            release.touch()
