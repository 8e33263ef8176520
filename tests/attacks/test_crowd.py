"""A hundred attackers at once, of every kind: an honest client is served all the time, and nothing is left of them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import cycle
from typing import TYPE_CHECKING

from attacker import (
    CONTINUATION,
    DATA,
    END_STREAM,
    HEADERS,
    LARGEST_WINDOW,
    Attacker,
    block,
    frame,
    request,
    window_update,
)
from test_floods import FLOODS, RESETS
from test_heads import HEADS
from watch import KIB, MIB, attacked

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Serve
    from program import Program

    Attack = Callable[[Program], None]

ATTACKERS = 100
SECONDS = 5
MEMORY = 96 * MIB
# The second crowd finds what the first has left to be used again.
LEFT = 24 * MIB
# Octets and streams of one turn of an attacker.
TURN = 1 * MIB
STREAMS = 1500


def flooding(kind: str) -> Attack:
    def attack(program: Program) -> None:
        setup, unit = FLOODS[kind]
        with Attacker(program.connect()) as attacker:
            attacker.send(setup)
            attacker.flood(unit * max(1, 4 * KIB // len(unit)), TURN)

    return attack


def opening(pieces: Callable[[int], bytes]) -> Attack:
    def attack(program: Program) -> None:
        with Attacker(program.connect()) as attacker:
            attacker.send_each(pieces(stream) for stream in range(1, 2 * STREAMS, 2))

    return attack


def stalling(program: Program) -> None:
    """Windows that never open, for answers that are small."""
    with Attacker(program.connect(), (4, 0)) as attacker:
        for stream in range(1, 400, 2):
            attacker.send(request(stream, "/octets?size=20000"))
        time.sleep(1)


def reading_nothing(program: Program) -> None:
    with Attacker(program.connect(), (4, LARGEST_WINDOW)) as attacker:
        attacker.send(window_update(0, LARGEST_WINDOW - 65_535), read=False)
        for stream in range(1, 100, 2):
            attacker.send(request(stream, "/octets?size=20000"), read=False)
        time.sleep(1)


def beginning(program: Program) -> None:
    """A head that never ends."""
    with Attacker(program.connect()) as attacker:
        attacker.send(frame(HEADERS, END_STREAM, 1, block()))
        attacker.send(frame(CONTINUATION, 0, 1, b"\0\1a\x7f"))
        time.sleep(1)


def loris(program: Program) -> None:
    with program.connect() as connection:
        connection.sendall(b"GET /hello HTTP/1.1\r\nx: ")
        for _ in range(10):
            connection.sendall(b"y")
            time.sleep(0.1)


def noise(program: Program) -> None:
    with program.connect() as connection:
        connection.sendall(bytes(64 * KIB))
        connection.recv(1)


def uploading(program: Program) -> None:
    """More than the windows allow, for pages that do not read it."""
    with Attacker(program.connect()) as attacker:
        attacker.ping()
        for stream in range(1, 64, 2):
            attacker.send(request(stream, "/hello", "POST", end=False))
            attacker.send(frame(DATA, 0, stream, bytes(16 * KIB)) * 16)


def crowd(program: Program) -> None:
    """All of them for a while; who is cut off comes again."""
    kinds: list[Attack] = [
        *(flooding(kind) for kind in FLOODS),
        *(opening(pieces) for pieces in RESETS.values()),
        *(opening(pieces) for pieces in HEADS.values()),
        *(stalling, reading_nothing, beginning, loris, noise, uploading),
    ]
    until = time.monotonic() + SECONDS

    def run(attack: Attack) -> None:
        while time.monotonic() < until:
            with suppress(OSError):
                attack(program)

    threads = [
        threading.Thread(target=run, args=(attack,))
        for attack, _ in zip(cycle(kinds), range(ATTACKERS), strict=False)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_hundred_attackers_leave_an_honest_client_served(serve: Serve) -> None:
    with serve("--threads", "8", "--request-memory", "32m") as program:
        with attacked(program, memory=MEMORY):
            crowd(program)
        time.sleep(2)
        before = program.resident()
        with attacked(program, memory=MEMORY):
            crowd(program)
        time.sleep(2)
        grown = program.resident() - before
        assert grown <= LEFT, f"{grown >> 10} KiB are left"
        program.forgive()
