"""What a client may use: time, places in the queue, and connections."""

from __future__ import annotations

import resource
import socket
import time
from typing import TYPE_CHECKING

import pytest

from http2 import Client

if TYPE_CHECKING:
    from certificates import Certificate
    from conftest import Serve

GET = b"GET /hello HTTP/1.1\r\nhost: localhost\r\n\r\n"


def trickle(connection: socket.socket, data: bytes, pause: float) -> bytes:
    """Sends an octet at a time until the server answers or closes; what it said."""
    connection.settimeout(pause)
    received = b""
    for octet in data:
        try:
            connection.sendall(bytes([octet]))
        except OSError:
            break
        try:
            received = connection.recv(65_536)
            break
        except TimeoutError:
            continue
    connection.settimeout(10)
    try:
        while data := connection.recv(65_536):
            received += data
    except ConnectionResetError:
        pass
    return received


def test_a_head_that_comes_too_slowly_gets_408(serve: Serve) -> None:
    """Slow loris: octets keep coming, the head never ends."""
    with serve("--head-timeout", "1s") as program, program.connect() as connection:
        start = time.monotonic()
        received = trickle(connection, b"GET /hello HTTP/1.1\r\n" + b"x: y\r\n" * 100, 0.1)
        assert received.startswith(b"HTTP/1.1 408 "), received
        assert time.monotonic() - start < 10
        with Client.plain(program) as client:
            assert client.get("/hello").status == 200


def test_a_preface_that_never_comes_ends_the_connection(serve: Serve) -> None:
    with serve("--head-timeout", "1s") as program, program.connect() as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n")
        assert b"200" not in connection.recv(1000)


def test_a_handshake_that_never_ends_is_broken_off(serve: Serve) -> None:
    with serve("--handshake-timeout", "1s") as program:
        assert program.tls_port is not None
        with socket.create_connection(("127.0.0.1", program.tls_port), timeout=10) as connection:
            connection.sendall(b"\x16\x03\x01")
            assert connection.recv(1000)[:1] in (b"", b"\x15")


def test_an_idle_http_1_connection_is_closed(serve: Serve) -> None:
    with serve("--idle-timeout", "1s") as program, program.connect() as connection:
        connection.sendall(GET)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        start = time.monotonic()
        assert connection.recv(1000) == b""
        assert time.monotonic() - start > 0.5


def test_an_idle_http_2_connection_gets_goaway(serve: Serve, certificate: Certificate) -> None:
    """RFC 9113, section 9.1."""
    with (
        serve("--idle-timeout", "1s") as program,
        Client.tls(program, certificate.trusting("h2")) as client,
    ):
        assert client.get("/hello").status == 200
        client.settle(lambda: client.closed)
        assert client.goaway == 0


def test_a_connection_with_a_request_under_way_is_not_idle(serve: Serve) -> None:
    with serve("--idle-timeout", "1s") as program, Client.plain(program) as client:
        assert client.get("/sleep?seconds=2.5").text == "slept\n"
        with program.connect() as connection:
            connection.sendall(b"GET /sleep?seconds=2.5 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_a_body_that_comes_too_slowly_is_given_up(serve: Serve) -> None:
    with serve("--body-grace", "1s", "--body-rate", "1000") as program:
        with program.connect() as connection:
            connection.sendall(
                b"POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n"
            )
            received = trickle(connection, b"x" * 100, 0.1)
            assert b" 200 " not in received
        with Client.plain(program) as client:
            stream = client.request("/count", method="POST", end=False)
            answer = client.answer(stream)
            assert answer.reset is not None or answer.status == 408
            assert client.get("/hello").status == 200
        program.forgive()


def test_a_body_that_the_application_is_slow_to_read_is_not_the_clients_fault(serve: Serve) -> None:
    """The pace is counted only while there is room for the body."""
    with (
        serve("--body-grace", "1s", "--body-rate", "100000") as program,
        Client.plain(program) as client,
    ):
        held = client.request("/sleep?seconds=3", method="POST", end=False)
        client.fill(held)
        assert client.answer(held).status == 200


def test_a_client_that_takes_nothing_is_given_up(serve: Serve) -> None:
    with serve("--write-timeout", "1s") as program, program.connect() as connection:
        connection.sendall(b"GET /closing HTTP/1.1\r\nhost: localhost\r\n\r\n")
        with Client.plain(program) as client:
            end = time.monotonic() + 20
            while client.get("/closed").text != "1\n":
                assert time.monotonic() < end, "the answer is still held"
                time.sleep(0.1)


def test_a_request_beyond_the_queue_gets_503_with_retry_after(serve: Serve) -> None:
    """RFC 9110, section 15.6.4."""
    with serve("--threads", "1", "--queue", "2") as program, Client.plain(program) as client:
        running = client.request("/sleep?seconds=1")
        time.sleep(0.3)
        waiting = [client.request("/hello") for _ in range(2)]
        refused = client.answer(client.request("/hello"))
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) > 0
        assert client.answer(running).status == 200
        assert {client.answer(stream).status for stream in waiting} == {200}
        assert client.get("/hello").status == 200


def test_the_number_of_streams_is_an_option(serve: Serve) -> None:
    with serve("--max-streams", "7") as program, Client.plain(program) as client:
        assert client.peer_streams == 7


def test_heads_have_the_limits_that_were_given(serve: Serve) -> None:
    with serve("--max-head", "2k", "--max-fields", "10", "--max-target", "100") as program:
        cases = [
            (b"GET /hello HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 3000 + b"\r\n\r\n", b"431"),
            (b"GET /hello HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 10 + b"\r\n", b"431"),
            (b"GET /hello?" + b"a" * 100 + b" HTTP/1.1\r\nhost: a\r\n\r\n", b"414"),
            (b"GET /hello?" + b"a" * 80 + b" HTTP/1.1\r\nhost: a\r\n\r\n", b"200"),
        ]
        for sent, status in cases:
            with program.connect() as connection:
                connection.sendall(sent)
                assert connection.recv(65_536).split()[1] == status, sent[:40]


def test_connections_beyond_the_limit_wait_for_a_place(serve: Serve) -> None:
    with serve("--max-connections", "3") as program:
        first, *others = [program.connect() for _ in range(5)]
        for connection in (first, *others):
            connection.sendall(GET)
        assert first.recv(65_536).startswith(b"HTTP/1.1 200")
        others[-1].settimeout(0.5)
        with pytest.raises(TimeoutError):
            others[-1].recv(1)
        for connection in (first, *others[:2]):
            connection.close()
        others[-1].settimeout(10)
        assert others[-1].recv(65_536).startswith(b"HTTP/1.1 200")
        for connection in others:
            connection.close()


def test_running_out_of_descriptors_is_survived(serve: Serve) -> None:
    """Neither does the server end, nor does it spin while it can accept nobody."""
    with serve() as program:
        with Client.plain(program) as client:
            assert client.get("/hello").status == 200
        few = program.descriptors() + 20
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (few, few))
        crowd = [program.connect() for _ in range(60)]
        before = program.processor()
        time.sleep(1)
        assert program.processor() - before < 0.5
        for connection in crowd:
            connection.close()
        with Client.plain(program) as client:
            assert client.get("/hello").status == 200
        assert program.running()


def test_a_stream_whose_client_opens_no_window_is_given_up_alone(serve: Serve) -> None:
    with (
        serve("--write-timeout", "1s") as program,
        Client.plain(program, stream_window=65_535) as client,
    ):
        stalled = client.request("/closing")
        client.unread.add(stalled)
        client.settle_body(stalled, 65_535)
        assert client.answer(stalled).reset is not None
        assert client.get("/hello").status == 200
