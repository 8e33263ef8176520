"""PEP 3333, input: requirements 19 to 22."""

import io
import random
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
import wire
from conftest import Server

BODY = (
    b"".join(b"line %d " % number + b"x" * (number * 37 % 500) + b"\n" for number in range(400)) + b"no end"
)
STEPS = ["read=0", "read=7", "read=5000", "readline", "readline=3", "readline=70000", "readlines=900", "next"]


def in_pieces(body: bytes, seed: int) -> Iterator[bytes]:
    """The body in pieces of random sizes: sent without a Content-Length."""
    sizes = random.Random(seed)
    at = 0
    while at < len(body):
        size = sizes.choice([1, 2, 100, 5000])
        yield body[at : at + size]
        at += size


def as_a_file(body: bytes, steps: list[str]) -> list[list[str]]:
    """What a file would have answered."""
    source = io.BytesIO(body)
    pieces = []
    for step in steps:
        method, _, size = step.partition("=")
        arguments = [int(size)] if size else []
        if method == "next":
            got = [next(source, b"")]
        elif method == "iterate":
            got = list(source)
        elif method == "readlines":
            got = source.readlines(*arguments)
        else:
            got = [getattr(source, method)(*arguments)]
        pieces.append([piece.decode("latin-1") for piece in got])
    return pieces


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("last", ["read", "readlines", "iterate", "read=-1"])
def test_19_reads_of_all_kinds_freely_mixed_lose_nothing(http: httpx.Client, seed: int, last: str) -> None:
    steps = [*random.Random(seed).choices(STEPS, k=40), last]
    content = BODY if seed % 2 else in_pieces(BODY, seed)
    answer = http.post(f"/mixed?{'&'.join(steps)}", content=content)
    assert answer.json() == as_a_file(BODY, steps)


def test_19_readlines_with_a_hint_of_zero_reads_all(http: httpx.Client) -> None:
    assert http.post("/mixed?readlines=0", content=b"a\nb\nc").json() == [["a\n", "b\n", "c"]]


@pytest.mark.parametrize("body", [b"", b"some octets"])
@pytest.mark.parametrize("with_length", [True, False])
def test_20_past_the_end_there_is_nothing(http: httpx.Client, body: bytes, with_length: bool) -> None:
    answer = http.post("/past_the_end", content=body if with_length else iter([body]))
    assert answer.json() == [len(body), repr([b"", b"", b"", [], [], b""])]


def test_20_a_get_has_an_empty_body(http: httpx.Client) -> None:
    assert http.get("/past_the_end").json() == [0, repr([b"", b"", b"", [], [], b""])]


def test_21_a_body_without_a_length_arrives_decoded(http: httpx.Client) -> None:
    assert http.post("/echo", content=in_pieces(BODY, 1)).content == BODY
    environ = http.post("/environment", content=iter([b"abc"])).json()
    assert "CONTENT_LENGTH" not in environ
    assert environ["wsgi.input_terminated"] is True


def test_22_an_unread_body_does_not_harm_the_connection(http: httpx.Client) -> None:
    assert http.post("/unread", content=b"x" * 100).content == b"not read"
    assert http.get("/hello").content == b"hello\n"


def test_22_a_large_unread_body_does_not_harm_the_connection(server: Server) -> None:
    with server.client() as client:
        assert client.post("/unread", content=b"x" * 3_000_000).content == b"not read"
        assert client.get("/hello").content == b"hello\n"
    with server.connect() as connection:
        multiplexed = wire.Http2(connection)
        stream = multiplexed.request("/unread", "POST", body=b"x" * 16_000, end=False)
        answer = multiplexed.answer(stream)
        assert (answer.body, answer.ended) == (b"not read", True)
        assert multiplexed.answer(multiplexed.request("/hello")).body == b"hello\n"


def test_22_100_continue_comes_when_the_body_is_first_read(server: Server) -> None:
    head = (
        b"POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with server.connect() as connection:
        connection.sendall(head % b"echo")
        interim = connection.recv(1000)
        assert interim.startswith(b"HTTP/1.1 100 ")
        assert wire.http1(connection, b"abc").endswith(b"\r\n\r\nabc")
    with server.connect() as connection:
        answer = wire.http1(connection, head % b"unread")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"not read")


def test_22_a_client_that_leaves_in_the_middle_of_a_body_is_noticed(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /cut_off?left1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        server.wait_for("left1", "begun")
        connection.shutdown(socket.SHUT_RDWR)
    assert server.wait_for("left1", "ClientGone")
    with server.connect() as connection:
        client = wire.Http2(connection)
        stream = client.request("/cut_off?left2", "POST", body=b"abc", end=False)
        server.wait_for("left2", "begun")
        client.h2.reset_stream(stream)
        client.flush()
        assert server.wait_for("left2", "ClientGone")
        assert client.answer(client.request("/hello")).body == b"hello\n"


def test_output_may_begin_before_the_input_has_ended(server: Server) -> None:
    with server.connect() as connection:
        client = wire.Http2(connection)
        stream = client.request("/two_way", "POST", body=b"first\n", end=False)
        while client.answers[stream].body != b"FIRST\n":
            client.receive()
        client.data(stream, b"second\n", end=True)
        assert client.answer(stream).body == b"FIRST\nSECOND\n"


def test_a_thread_that_reads_on_learns_the_end_and_leaves_nothing_to_the_next_request(
    serve: Callable[..., Server],
) -> None:
    server = serve("--threads", "1")
    with server.connect() as connection:
        connection.sendall(
            b"POST /read_by_another?left HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nsecret"
        )
        assert connection.recv(1000)
        server.wait_for("left", "ClientGone")
        with server.client() as client:
            assert client.post("/echo", content=b"other").content == b"other"


def test_objects_of_an_earlier_request_do_not_work_any_more(server: Server) -> None:
    with server.client() as client:
        client.get("/keeps_environ")
        assert client.get("/keeps_environ").text == "ValueError RuntimeError"
