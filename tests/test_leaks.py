"""Thousands of connections leave nothing behind: no descriptor, no memory."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from http2 import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from certificates import Certificate
    from conftest import Serve
    from program import Program

MIB = 1 << 20
GET = b"GET /octets?size=20000 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


def http_1(program: Program, certificate: Certificate) -> None:
    with program.connect() as connection:
        connection.sendall(GET)
        while connection.recv(65_536):
            pass


def http_1_over_tls(program: Program, certificate: Certificate) -> None:
    with program.connect_tls(certificate.trusting("http/1.1")) as connection:
        connection.sendall(GET)
        while connection.recv(65_536):
            pass


def http_2_left_in_the_midst(program: Program, certificate: Certificate) -> None:
    with Client.plain(program) as client:
        client.request("/octets?size=1000000")
        client.request("/count", method="POST", end=False)
        client.request("/echo", method="POST", body=b"x" * 10_000, end=False)
        client.step(0.5)


def nothing(program: Program, certificate: Certificate) -> None:
    program.connect().close()


def garbage(program: Program, certificate: Certificate) -> None:
    with program.connect() as connection:
        connection.sendall(b"\0" * 100)


@pytest.mark.parametrize(
    ("client", "connections"),
    [
        (http_1, 3000),
        (http_1_over_tls, 1000),
        (http_2_left_in_the_midst, 1000),
        (nothing, 3000),
        (garbage, 3000),
    ],
)
def test_connections_leave_nothing_behind(
    serve: Serve,
    certificate: Certificate,
    client: Callable[[Program, Certificate], None],
    connections: int,
) -> None:
    with serve() as program:
        # What grows once stays: the interpreter's caches, the allocator's arenas.
        for _ in range(connections // 4):
            client(program, certificate)
        descriptors, resident = rest(program), program.resident()
        for _ in range(connections):
            client(program, certificate)
        assert rest(program) <= descriptors
        assert program.resident() - resident < 4 * MIB
        program.forgive()  # of applications whose client left while they read


def test_streams_of_a_long_lived_connection_leave_nothing_behind(
    serve: Serve, certificate: Certificate
) -> None:
    with serve() as program, Client.tls(program, certificate.trusting("h2")) as client:

        def batch() -> None:
            for stream in [client.request("/octets?size=5000") for _ in range(100)]:
                assert client.answer(stream).status == 200

        for _ in range(10):
            batch()
        before = program.resident()
        for _ in range(50):
            batch()
        assert program.resident() - before < 4 * MIB


def rest(program: Program) -> int:
    """Open descriptors once their number no longer falls."""
    end = time.monotonic() + 10
    now = program.descriptors()
    while time.monotonic() < end:
        time.sleep(0.25)
        before, now = now, program.descriptors()
        if now >= before:
            break
    return now
