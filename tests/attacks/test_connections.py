"""Connections without end from one address."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

from attacker import Attacker, request

from http2 import Client

if TYPE_CHECKING:
    from conftest import Serve
    from program import Program

MOST = 10


def connect_from(program: Program, address: str) -> socket.socket:
    return socket.create_connection(
        ("127.0.0.1", program.port or 0), timeout=10, source_address=(address, 0)
    )


def test_an_address_with_many_connections_leaves_room_for_others(serve: Serve) -> None:
    with serve("--max-connections-per-address", str(MOST)) as program:
        held = [Attacker(connect_from(program, "127.0.0.2")) for _ in range(MOST)]
        for _ in range(3 * MOST):
            with (
                connect_from(program, "127.0.0.2") as more,
                contextlib.suppress(ConnectionResetError),
            ):
                assert more.recv(1) == b"", "it is closed, and nothing is said"
        with Client(connect_from(program, "127.0.0.3"), stream_window=1 << 20) as client:
            assert client.get("/hello").status == 200
        # The first are served still, and whoever leaves makes room.
        held[0].send(request(1))
        held[0].ping()
        held.pop().connected.close()
        until = time.monotonic() + 10
        while True:
            with connect_from(program, "127.0.0.2") as again:
                again.sendall(b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n")
                try:
                    if again.recv(100).startswith(b"HTTP/1.1 200"):
                        break
                except ConnectionResetError:
                    pass
            assert time.monotonic() < until, "the place is not free again"
        for attacker in held:
            attacker.connected.close()
