"""Clients that take their time: each is waited for so long, and no longer, and costs nothing meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from attacker import (
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PREFACE,
    Attacker,
    block,
    frame,
    request,
    settings,
)
from watch import MIB, PROCESSOR, attacked

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from conftest import Serve
    from program import Program

MEMORY = 16 * MIB
CROWD = 100
PAUSE = 0.1

TIMES = (
    *("--head-timeout", "1s", "--handshake-timeout", "1s", "--idle-timeout", "2s"),
    *("--body-grace", "1s", "--body-rate", "1000"),
)


@pytest.fixture(scope="module")
def hurried(serve: Serve) -> Iterator[Program]:
    """A program with little patience."""
    with serve("--threads", "8", *TIMES) as program:
        yield program


def drip(connections: list[socket.socket], octets: bytes, rest: float = 10) -> None:
    """Sends an octet at a time on each connection, until the server has ended all of them."""
    open_ones = set(connections)
    until = time.monotonic() + rest
    sent = 0
    for connection in connections:
        connection.setblocking(False)
    while open_ones:
        assert time.monotonic() < until, f"{len(open_ones)} connections are still open"
        for connection in list(open_ones):
            try:
                if not connection.recv(65_536):
                    open_ones.discard(connection)
                    continue
            except BlockingIOError:
                pass
            except OSError:
                open_ones.discard(connection)
                continue
            try:
                connection.send(octets[sent : sent + 1])
            except OSError:
                open_ones.discard(connection)
        sent += 1
        time.sleep(PAUSE)
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b"GET /hello HTTP/1.1\r\nx: " + b"y" * 1000),
        (b"", PREFACE[:10] + b" " * 1000),
        (b"", b""),
        (PREFACE[:20], PREFACE[20:]),
        (PREFACE, settings((4, 1), (4, 2))),
        (PREFACE + settings(), frame(HEADERS, END_STREAM, 1, block() + bytes(1000))),
        (PREFACE + settings() + frame(HEADERS, END_STREAM, 1, block()), b""),
        (PREFACE + settings() + frame(HEADERS, 0, 1, block()), b"\0" * 4 + b"\x09"),
    ],
    ids=[
        "head of HTTP/1.1",
        "neither protocol",
        "nothing",
        "preface",
        "settings",
        "head",
        "head without an end",
        "continuation",
    ],
)
def test_what_begins_and_does_not_go_on_is_broken_off(
    hurried: Program, first: bytes, then: bytes
) -> None:
    """Slow loris in every place where something must be complete before it means anything."""
    with attacked(hurried, memory=MEMORY) as watch:
        crowd = [hurried.connect() for _ in range(CROWD)]
        for connection in crowd:
            connection.sendall(first)
        drip(crowd, then)
        assert watch.processor() < PROCESSOR


def test_handshakes_that_do_not_go_on_are_broken_off(hurried: Program) -> None:
    with attacked(hurried, memory=MEMORY) as watch:
        crowd = [tls_port(hurried) for _ in range(CROWD)]
        drip(crowd, b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03" + bytes(1000))
        assert watch.processor() < PROCESSOR


def tls_port(program: Program) -> socket.socket:
    """A connection to the port that speaks TLS, on which nothing is said yet."""
    import socket as sockets

    assert program.tls_port is not None
    return sockets.create_connection(("127.0.0.1", program.tls_port), timeout=10)


def test_bodies_that_come_too_slowly_are_given_up(hurried: Program) -> None:
    """More of them than the application has threads; the others wait in its queue meanwhile."""
    with attacked(hurried, memory=MEMORY), Attacker(hurried.connect()) as attacker:
        for stream in range(1, 14, 2):
            attacker.send(request(stream, "/count", "POST", end=False))
        end = time.monotonic() + 10
        while attacker.resets().total() < 7:
            assert time.monotonic() < end, attacker.ends
            for stream in range(1, 14, 2):
                attacker.send(frame(DATA, 0, stream, bytes(10)))
            time.sleep(PAUSE)
        assert set(attacker.resets()) == {ENHANCE_YOUR_CALM}
    hurried.forgive()


def test_a_head_that_is_half_sent_does_not_hold_up_the_end(serve: Serve) -> None:
    """Whoever has not asked for anything yet is not waited for."""
    with serve("--graceful-timeout", "20s") as program:
        connections = [program.connect() for _ in range(3)]
        connections[0].sendall(b"GET /hello HTT")
        connections[1].sendall(PREFACE + settings() + frame(HEADERS, END_STREAM, 1, block()))
        connections[2].sendall(PREFACE + settings() + frame(HEADERS, 5, 1, block())[:-5])
        time.sleep(0.3)
        before = time.monotonic()
        program.signal()
        assert program.wait() == 0
        assert time.monotonic() - before < 15
        for connection in connections:
            connection.close()


def test_idle_connections_cost_nothing_and_end(hurried: Program) -> None:
    with attacked(hurried, memory=MEMORY) as watch:
        crowd = []
        for _ in range(CROWD):
            attacker = Attacker(hurried.connect())
            attacker.send(request(1))
            attacker.ping()
            crowd.append(attacker)
        for attacker in crowd:
            assert attacker.ended() == 0
            attacker.await_close()
            attacker.connected.close()
        assert watch.processor() < PROCESSOR
