"""Stopping: what is under way is finished, clients are told, and a second signal does not wait."""

from __future__ import annotations

import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from http2 import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from certificates import Certificate
    from conftest import Serve
    from program import Program


def refuses(program: Program) -> bool:
    """Whether nobody listens on its plain port any more."""
    try:
        program.connect().close()
    except OSError:
        return True
    return False


def until(done: Callable[[], bool], what: str) -> None:
    """Waits for a condition, as `settle` does for a connection's."""
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_leaves_at_once_with_status_0(serve: Serve, number: signal.Signals) -> None:
    with serve() as program:
        idle = [program.connect() for _ in range(3)]
        program.signal(number)
        assert program.wait(10) == 0
        for connection in idle:
            assert connection.recv(1) == b""
            connection.close()


def test_an_http_1_response_is_finished(serve: Serve, tmp_path: Path) -> None:
    with serve() as program, program.connect() as connection:
        path = f"/two-parts?until={tmp_path / 'go'}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        received = b""
        while b"first" not in received:
            received += connection.recv(65_536)
        program.signal()
        until(lambda: refuses(program), "still listening after SIGTERM")
        assert program.running()
        (tmp_path / "go").touch()
        while data := connection.recv(65_536):
            received += data
        assert received.endswith(b"second\n\r\n0\r\n\r\n")
        assert program.wait() == 0


def test_an_http_2_client_gets_goaway_and_its_response(
    serve: Serve, certificate: Certificate, tmp_path: Path
) -> None:
    """RFC 9113, section 6.8."""
    with serve() as program, Client.tls(program, certificate.trusting("h2")) as client:
        stream = client.request(f"/two-parts?until={tmp_path / 'go'}")
        client.settle_body(stream, len("first\n"))
        program.signal()
        client.settle(lambda: client.goaway is not None)
        assert client.goaway == 0  # NO_ERROR
        assert client.last_stream is not None
        assert client.last_stream >= stream
        assert program.running()
        (tmp_path / "go").touch()
        assert client.answer(stream).text == "first\nsecond\n"
        client.settle(lambda: client.closed)
        assert client.last_stream == stream, "the last GOAWAY names the last stream that was served"
        assert program.wait() == 0


def test_an_upload_under_way_is_finished(serve: Serve) -> None:
    with serve() as program, Client.plain(program) as client:
        stream = client.request("/count", method="POST", end=False)
        client.send(stream, bytes(1000), end=False)
        client.ping()
        program.signal()
        client.settle(lambda: client.goaway is not None)
        client.send(stream, bytes(1000))
        assert client.answer(stream).text.startswith("2000 ")
        client.settle(lambda: client.closed)
        assert program.wait() == 0


def test_requests_that_wait_for_a_thread_are_finished(serve: Serve) -> None:
    with serve("--threads", "1") as program, Client.plain(program) as client:
        streams = [client.request("/sleep?seconds=0.3") for _ in range(4)]
        client.ping()
        program.signal()
        assert {client.answer(stream).text for stream in streams} == {"slept\n"}
        assert program.wait() == 0


def test_a_second_signal_leaves_at_once(serve: Serve, tmp_path: Path) -> None:
    with serve() as program, Client.plain(program) as client:
        stream = client.request(f"/two-parts?until={tmp_path / 'never'}")
        client.settle_body(stream, len("first\n"))
        program.signal()
        client.settle(lambda: client.goaway is not None)
        assert program.running()
        program.signal()
        # The application's thread still sleeps: it is not waited for.
        program.wait(5)
        program.accept_any_status()


def test_a_response_that_does_not_end_is_given_up(serve: Serve, tmp_path: Path) -> None:
    with (
        serve("--graceful-timeout", "1s") as program,
        Client.plain(program) as client,
    ):
        stream = client.request(f"/two-parts?until={tmp_path / 'never'}")
        client.settle_body(stream, len("first\n"))
        program.signal()
        program.wait(10)
        program.accept_any_status()


def test_the_port_is_free_again_at_once(serve: Serve) -> None:
    with serve() as program:
        with Client.plain(program) as client:
            assert client.get("/hello").status == 200
        port = program.port
        program.stop()
    with socket.create_server(("127.0.0.1", port or 0)):
        pass
