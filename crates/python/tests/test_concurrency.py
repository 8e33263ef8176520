"""Concurrency: requirements 27 and 28."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import wire
from conftest import Server


def test_27_the_streams_of_one_connection_run_at_the_same_time(serve: Callable[..., Server]) -> None:
    """Each of four requests waits for the three others."""
    with serve("--threads", "4").connect() as connection:
        client = wire.Http2(connection)
        streams = [client.request("/meets") for _ in range(4)]
        assert [client.answer(stream).body for stream in streams] == [b"met"] * 4


def test_27_many_more_streams_than_threads_are_all_served(server: Server) -> None:
    with server.connect() as connection:
        client = wire.Http2(connection)
        streams = [client.request(f"/late?{number}") for number in range(100)]
        assert {client.answer(stream).body for stream in streams} == {b"one two"}


def test_28_a_client_that_does_not_read_holds_only_its_own_thread(serve: Callable[..., Server]) -> None:
    server = serve("--threads", "2")
    with server.connect() as stopped:
        stopped.sendall(b"GET /endless?stopped HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_for("stopped", "block")
        for version in ("HTTP/1.1", "HTTP/2"):
            with server.client(version) as client:
                assert client.get("/hello").content == b"hello\n"
    assert server.wait_for("stopped", "close")


def test_28_with_one_thread_other_connections_go_on_in_io(serve: Callable[..., Server]) -> None:
    """The one thread waits for a body, and a request that needs none of it is answered."""
    server = serve("--threads", "1")
    with server.connect() as connection:
        client = wire.Http2(connection)
        stream = client.request("/two_way", "POST", body=b"a\n", end=False)
        while client.answers[stream].body != b"A\n":
            client.receive()
        with server.connect() as other:
            assert wire.http1(other, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        client.data(stream, b"b\n", end=True)
        assert client.answer(stream).body == b"A\nB\n"


def test_many_clients_at_once_get_their_own_answers(server: Server) -> None:
    def ask(number: int) -> None:
        version = "HTTP/2" if number % 2 else "HTTP/1.1"
        with server.client(version) as client:
            for turn in range(20):
                body = f"{number}-{turn}-".encode() * (turn * turn)
                assert client.post("/echo", content=body).content == body
                environ = client.get("/environment", headers={"X-Number": f"{number}-{turn}"}).json()
                assert environ["HTTP_X_NUMBER"] == f"{number}-{turn}"

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(12)))
