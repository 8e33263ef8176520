"""Concurrency: requirements 27 and 28."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import wire
from conftest import Server


def test_27_the_streams_of_one_connection_run_at_the_same_time(serve: Callable[..., Server]) -> None:
    with serve("--threads", "4").connect() as connection:
        client = wire.Http2(connection)
        began = time.monotonic()
        streams = [client.request("/sleeps") for _ in range(4)]
        assert [client.answer(stream).body for stream in streams] == [b"slept"] * 4
        assert time.monotonic() - began < 3, "one after another they would take four seconds"


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
    """The one thread sleeps, and a request that needs none of it is refused at once."""
    server = serve("--threads", "1")
    with ThreadPoolExecutor() as pool, server.client() as sleeper:
        sleeping = pool.submit(sleeper.get, "/sleeps")
        with server.connect() as other:
            assert wire.http1(other, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
            assert not sleeping.done()
        assert sleeping.result().content == b"slept"


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
