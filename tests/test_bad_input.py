"""What no well-behaved client sends: each gets a proper end, and the server serves the next request."""

from __future__ import annotations

import random
import socket
import ssl
import struct
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest

from http2 import Client
from program import HOST
from wire import frame, frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certificates import Certificate
    from conftest import Serve
    from program import Program

HOST_LINE = b"host: localhost\r\n"


@pytest.fixture(autouse=True)
def serves_the_next_request(site: Program, certificate: Certificate) -> Iterator[None]:
    """After each test, both listeners still answer and nothing broke."""
    yield
    with Client.plain(site) as client:
        assert client.get("/hello").status == 200
    with Client.tls(site, certificate.trusting("h2")) as client:
        assert client.get("/hello").status == 200
    site.assert_no_fault()


def exchange(site: Program, sent: bytes, *, tls: bool = False) -> bytes:
    """All that the server says to these octets until it closes, as it must within ten seconds."""
    port = site.tls_port if tls else site.port
    assert port is not None
    with socket.create_connection((HOST, port), timeout=10) as connection:
        connection.sendall(sent)
        return everything(connection)


def everything(connection: socket.socket) -> bytes:
    received = b""
    while True:
        try:
            data = connection.recv(65_536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data


def status_of(received: bytes) -> int:
    assert received.startswith(b"HTTP/1.1 "), received[:200]
    return int(received[9:12])


def test_plain_http_on_the_tls_port_gets_a_400_that_says_so(site: Program) -> None:
    received = exchange(site, b"GET / HTTP/1.1\r\n" + HOST_LINE + b"\r\n", tls=True)
    assert status_of(received) == 400
    assert b"https" in received.lower() or b"tls" in received.lower()


@pytest.mark.parametrize(
    ("sent", "tls"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", False),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST_LINE + b"\r\n", False),
        (b"GET / HTTP/1.1\r\n" + HOST_LINE + b"\r\n", True),
    ],
    ids=["no host", "long target", "plain HTTP on the TLS port"],
)
def test_a_refusal_has_a_date(site: Program, sent: bytes, *, tls: bool) -> None:
    """RFC 9110, section 6.6.1: an origin server with a clock dates its 4xx responses."""
    head = exchange(site, sent, tls=tls).split(b"\r\n\r\n")[0].decode()
    dates = [line for line in head.split("\r\n") if line.lower().startswith("date:")]
    assert len(dates) == 1, head
    told = parsedate_to_datetime(dates[0].partition(":")[2].strip())
    assert abs(told.timestamp() - time.time()) < 60


def test_octets_that_are_no_tls_end_the_connection(site: Program) -> None:
    noise = random.Random(1)
    for first in (0x00, 0x15, 0x16, 0x17, 0x80, 0xFF):
        received = exchange(site, bytes([first]) + noise.randbytes(600), tls=True)
        # Nothing, or an alert.
        assert received[:1] in (b"", b"\x15")


def test_a_handshake_broken_off_ends_the_connection(
    site: Program, certificate: Certificate
) -> None:
    hello = client_hello()
    for length in (1, 5, 60, len(hello)):
        with socket.create_connection((HOST, site.tls_port or 0), timeout=10) as connection:
            connection.sendall(hello[:length])
            connection.shutdown(socket.SHUT_WR)
            everything(connection)


def test_protocols_that_nobody_speaks_are_refused_in_the_handshake(
    site: Program, certificate: Certificate
) -> None:
    """RFC 7301, section 3.2: no_application_protocol. RFC 9113, section 3.2: `h2c` is never selected in TLS."""
    for protocol in ("gopher", "h2c"):
        with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
            site.connect_tls(certificate.trusting(protocol))


@pytest.mark.parametrize("seed", range(8))
def test_octets_that_are_no_http_get_400_or_nothing(site: Program, seed: int) -> None:
    noise = random.Random(seed).randbytes(4096) + b"\r\n\r\n"
    received = exchange(site, noise)
    assert received == b"" or status_of(received) == 400


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"x: " + b"a" * (65 << 10) + b"\r\n", 431),
        (b"".join(b"x-%d: a\r\n" % number for number in range(120)), 431),
    ],
    ids=["64 KiB", "100 fields"],
)
def test_a_head_above_the_limits_gets_431(site: Program, lines: bytes, status: int) -> None:
    """RFC 6585, section 5."""
    received = exchange(site, b"GET /hello HTTP/1.1\r\n" + HOST_LINE + lines + b"\r\n")
    assert status_of(received) == status
    assert b"connection: close" in received.lower()


def test_a_target_above_the_limit_gets_414(site: Program) -> None:
    """RFC 9110, section 15.5.15."""
    target = b"/hello?" + b"a" * (9 << 10)
    received = exchange(site, b"GET " + target + b" HTTP/1.1\r\n" + HOST_LINE + b"\r\n")
    assert status_of(received) == 414


def test_heads_above_the_limits_are_refused_on_their_streams_only(site: Program) -> None:
    with Client.plain(site) as client:
        many = client.request("/hello", headers=[(f"x-{number}", "a") for number in range(120)])
        large = client.request(
            "/hello", headers=[(f"x-{number}", "a" * 2000) for number in range(40)]
        )
        long = client.request("/hello?" + "a" * (9 << 10))
        fine = client.request("/hello")
        assert client.answer(many).status == 431
        assert client.answer(large).status == 431
        assert client.answer(long).status == 414
        assert client.answer(fine).status == 200
        # The compression context survived what was refused.
        assert client.get("/hello").status == 200
        assert client.goaway is None


SMUGGLING = {
    "both lengths": b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nX",
    "both lengths, other order": b"transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\nX",
    "two lengths": b"content-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
    "two lengths in one line": b"content-length: 5, 6\r\n\r\nabcdef",
    "signed length": b"content-length: +6\r\n\r\nabcdef",
    "negative length": b"content-length: -1\r\n\r\n",
    "hexadecimal length": b"content-length: 0x6\r\n\r\nabcdef",
    "length beyond 64 bits": b"content-length: 18446744073709551617\r\n\r\nabcdef",
    "empty length": b"content-length:\r\n\r\nabcdef",
    "space before the colon": b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "space before the name": b" transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded line": b"x: a\r\n b\r\n\r\n",
    "folded coding": b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "coding that is not last": b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "control in the coding": b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "bare LF in the head": b"x: a\ncontent-length: 6\r\n\r\nabcdef",
    "bare CR in the head": b"x: a\rcontent-length: 6\r\n\r\nabcdef",
    "NUL in a value": b"x: a\0b\r\n\r\n",
    "two hosts": b"host: elsewhere\r\n\r\n",
    "no name": b": a\r\n\r\n",
    "bad chunk size": b"transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "signed chunk size": b"transfer-encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
    "prefixed chunk size": b"transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": b"transfer-encoding: chunked\r\n\r\n10000000000000003\r\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": b"transfer-encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "bare LF after a chunk size": b"transfer-encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "bare CR in a chunk extension": b"transfer-encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("probe", SMUGGLING)
def test_framing_that_two_parsers_could_read_differently_is_refused(
    site: Program, probe: str
) -> None:
    """RFC 9112, sections 2.2, 5.2, 6.1, 6.3, 7.1 and 11.2: one 400 at most, and nothing after it is a request."""
    request = b"POST /count HTTP/1.1\r\n" + HOST_LINE + SMUGGLING[probe]
    smuggled = b"GET /environ HTTP/1.1\r\nhost: localhost\r\nx-smuggled: yes\r\n\r\n"
    received = exchange(site, request + smuggled)
    assert status_of(received) in (400, 501), received
    assert received.count(b"HTTP/1.1 ") == 1, received
    assert b"smuggled" not in received.lower()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /hello HTTP/1.1\n", 400),
        (b"GET  /hello HTTP/1.1\r\n", 400),
        (b"GET /hello\r\n", 400),
        (b"GET /he llo HTTP/1.1\r\n", 400),
        (b"GET hello HTTP/1.1\r\n", 400),
        (b"G@T /hello HTTP/1.1\r\n", 400),
        (b"GET /hel\x00lo HTTP/1.1\r\n", 400),
        (b"GET /hello HTTP/1.1x\r\n", 400),
        (b"GET /hello HTTP/3.0\r\n", 505),
        (b"GET /hello http/1.1\r\n", 400),
    ],
)
def test_a_request_line_against_the_grammar_is_refused(
    site: Program, line: bytes, status: int
) -> None:
    """RFC 9112, section 3."""
    assert status_of(exchange(site, line + HOST_LINE + b"\r\n")) == status


def test_a_request_without_host_is_refused(site: Program) -> None:
    """RFC 9112, section 3.2."""
    assert status_of(exchange(site, b"GET /hello HTTP/1.1\r\n\r\n")) == 400


def test_a_preface_with_a_fault_ends_the_connection(site: Program) -> None:
    received = exchange(site, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + bytes(100))
    # GOAWAY or 400, then the end.
    assert b"Hello" not in received


def test_frames_with_a_fault_end_the_connection_with_goaway(site: Program) -> None:
    """RFC 9113, section 5.4.1: DATA on stream 0."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(0x4, 0, 0, b"")
    received = exchange(site, preface + frame(0x0, 0, 0, b"data"))
    *_, last = frames(received)
    assert last[0] == 0x7
    assert struct.unpack(">I", last[3][4:8])[0] == 1  # PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ((0x8, 0, 0, bytes(4)), 1),
        ((0x9, 0x4, 1, b""), 1),
        ((0x1, 0x5, 2, b"\x82"), 1),
        ((0x8, 0, 0, b"\x7f\xff\xff\xff"), 3),
        ((0x6, 0, 0, bytes(7)), 6),
        ((0x1, 0x5, 3, b"\xff\xff\xff\xff\xff\xff"), 9),
    ],
    ids=["no increment", "lone continuation", "even stream", "overflow", "short ping", "bad block"],
)
def test_a_violation_in_the_same_packet_as_a_request_comes_before_its_answer(
    site: Program, wrong: tuple[int, int, int, bytes], code: int
) -> None:
    """RFC 9113, section 5.4: an error of the connection is reported, and nothing else after it."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(0x4, 0, 0, b"")
    get = frame(0x1, 0x5, 1, b"\x82\x86\x04\x06/hello\x01\x09localhost")
    received = frames(exchange(site, preface + get + frame(*wrong)))
    assert 0x1 not in [kind for kind, *_ in received]
    assert received[-1][0] == 0x7
    last_stream, told = struct.unpack(">II", received[-1][3][:8])
    assert (last_stream, told) == (1, code)
    site.forgive()


def test_a_malformed_request_is_refused_on_its_stream_only(site: Program) -> None:
    """RFC 9113, sections 8.1.1, 8.2.1 and 8.2.2."""
    with Client.plain(site, checked=False) as client:
        for fields in (
            [("connection", "close")],
            [("transfer-encoding", "chunked")],
            [("Upper", "case")],
            [("te", "gzip")],
            [("a", "b\r\nc: d")],
            [("a", "b\0")],
            [(":unknown", "pseudo")],
            [("content-length", "7")],
        ):
            answer = client.get("/hello", fields)
            assert (answer.headers.get(":status"), answer.reset) == ("400", 1), fields
        assert client.get("/hello").status == 200
        assert client.goaway is None


def test_http_1_bodies_cut_off_half_way_end_their_connection(site: Program) -> None:
    for head in (b"content-length: 100\r\n", b"transfer-encoding: chunked\r\n"):
        with site.connect() as connection:
            connection.sendall(b"POST /count HTTP/1.1\r\n" + HOST_LINE + head + b"\r\n5\r\nab")
            connection.shutdown(socket.SHUT_WR)
            received = everything(connection)
            # The application never gets to see such a body as whole.
            assert b" 200 " not in received
    site.forgive()


def test_an_http_2_body_shorter_than_its_length_is_refused(site: Program) -> None:
    """RFC 9113, section 8.1.1."""
    with Client.plain(site) as client:
        stream = client.request(
            "/count", method="POST", headers=[("content-length", "100")], end=False
        )
        client.ping()
        client.send_unchecked(stream, b"ab")
        answer = client.answer(stream)
        assert answer.reset == 1
        assert ":status" not in answer.headers or answer.status != 200
        assert client.get("/hello").status == 200
    site.forgive()


@pytest.mark.parametrize("tls", [False, True])
def test_clients_that_vanish_harm_nobody(
    site: Program, certificate: Certificate, tls: bool
) -> None:
    """In the midst of a request, of an upload and of an answer, with a reset instead of an end."""
    for number in range(30):
        connection = site.connect_tls(certificate.trusting("http/1.1")) if tls else site.connect()
        connection.sendall(
            [
                b"GET /hel",
                b"POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\nsome",
                b"GET /octets?size=10000000 HTTP/1.1\r\nhost: localhost\r\n\r\n",
            ][number % 3]
        )
        if number % 3 == 2:
            connection.recv(1000)
        vanish(connection)
    time.sleep(0.3)
    site.forgive()


def test_http_2_clients_that_vanish_harm_nobody(site: Program) -> None:
    for _ in range(10):
        client = Client.plain(site)
        for _ in range(5):
            client.request("/octets?size=10000000")
            client.request("/count", method="POST", end=False)
        client.step(0.2)
        vanish(client.connected)
    time.sleep(0.3)
    site.forgive()


def test_a_request_whose_client_has_gone_is_not_run(serve: Serve) -> None:
    """Whoever waits in the queue and leaves costs the application nothing."""
    with serve("--threads", "1") as program, Client.plain(program) as stays:
        first = stays.request("/sleep?seconds=1")
        stays.ping()
        with Client.plain(program) as leaves:
            for _ in range(20):
                leaves.request("/sleep?seconds=5")
            leaves.ping()
        assert stays.answer(first).status == 200
        assert stays.get("/hello").status == 200  # not after a hundred seconds


def vanish(connection: socket.socket) -> None:
    """Closes with RST: nothing more is read or written."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def client_hello() -> bytes:
    """The first flight of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()
