"""Many streams on one connection: they run at once, and none of them stops another."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

import peers
from http2 import Client

if TYPE_CHECKING:
    from pathlib import Path

    from certificates import Certificate
    from conftest import Serve
    from program import Program

MIB = 1 << 20


def test_256_streams_are_open_at_once_on_one_connection(
    site: Program, certificate: Certificate
) -> None:
    with Client.tls(site, certificate.trusting("h2")) as client:
        assert client.peer_streams == 256
        streams = [client.request("/count", method="POST", end=False) for _ in range(256)]
        for number, stream in enumerate(streams):
            client.send(stream, bytes(number))
        for number, stream in enumerate(streams):
            assert client.answer(stream).text.startswith(f"{number} ")


def test_256_requests_of_one_connection_run_at_once(serve: Serve, certificate: Certificate) -> None:
    """None is answered before all of them have met in the application."""
    with (
        serve("--threads", "256", env={"BARRIER": "256"}) as program,
        Client.tls(program, certificate.trusting("h2")) as client,
    ):
        streams = [client.request("/barrier") for _ in range(256)]
        assert {client.answer(stream).text for stream in streams} == {"together\n"}


def test_a_257th_stream_is_refused_and_harms_none(site: Program) -> None:
    """RFC 9113, section 5.1.2: a stream beyond the limit is a stream error."""
    with Client.plain(site) as client:
        streams = [client.request("/count", method="POST", end=False) for _ in range(256)]
        client.ping()
        client.forget_limit()
        extra = client.request("/hello")
        assert client.answer(extra).reset == 7  # REFUSED_STREAM: safe to try again
        for stream in streams:
            client.send(stream, b"x")
        assert {client.answer(stream).status for stream in streams} == {200}


def test_four_requests_of_a_second_take_about_a_second(serve: Serve) -> None:
    """With the four threads that there are by default; one after another they would take four."""
    with serve() as program, Client.plain(program) as client:
        start = time.monotonic()
        streams = [client.request("/sleep?seconds=1") for _ in range(4)]
        assert {client.answer(stream).text for stream in streams} == {"slept\n"}
        assert time.monotonic() - start < 2.5


def test_a_block_arrives_when_it_is_yielded(site: Program, tmp_path: Path) -> None:
    """PEP 3333: a server must not hold a block back until there is another."""
    with Client.plain(site) as client:
        stream = client.request(f"/two-parts?until={tmp_path / 'go'}")
        client.settle_body(stream, len("first\n"))
        assert client.answers[stream].body == b"first\n"
        assert not client.answers[stream].ended
        (tmp_path / "go").touch()
        assert client.answer(stream).text == "first\nsecond\n"


def test_a_body_flows_both_ways_on_one_stream_at_once(site: Program) -> None:
    with Client.plain(site) as client:
        stream = client.request("/echo", method="POST", end=False)
        for number in range(1, 11):
            client.send(stream, bytes(64 * 1024), end=number == 10)
            client.settle_body(stream, number * 64 * 1024)
        assert len(client.answer(stream).body) == 640 * 1024


def test_a_client_that_reads_slowly_blocks_only_its_own_stream(
    site: Program, certificate: Certificate
) -> None:
    size = 16 * MIB
    with Client.tls(site, certificate.trusting("h2"), stream_window=65_535) as client:
        slow = client.request(f"/octets?size={size}")
        client.unread.add(slow)
        client.settle_body(slow, 65_535)
        for _ in range(20):
            assert client.get("/hello").text == "Hello, world!\n"
            assert len(client.get(f"/octets?size={MIB}").body) == MIB
        assert len(client.answers[slow].body) == 65_535, "the server sent what it had no credit for"
        # When it reads on, it gets all of it.
        client.unread.discard(slow)
        client.credit(slow, MIB)
        assert len(client.answer(slow, timeout=60).body) == size


def test_an_empty_answer_needs_no_window(site: Program) -> None:
    """RFC 9113, section 6.9.1: the application yields nothing, which is known only when it has."""
    with Client.plain(site, stream_window=0) as client:
        answer = client.answer(client.request("/echo", method="POST", body=b""))
        assert (answer.status, bytes(answer.body), answer.reset) == (200, b"", None)
        # A body does need one.
        stream = client.request("/hello")
        client.ping()
        assert not client.answers[stream].ended
        client.credit(stream, 1000)
        assert client.answer(stream).text == "Hello, world!\n"


def test_a_client_that_stops_reading_holds_only_its_own_connection(site: Program) -> None:
    with site.connect() as stopped:
        stopped.sendall(b"GET /octets?size=67108864 HTTP/1.1\r\nhost: localhost\r\n\r\n")
        with Client.plain(site) as client:
            for _ in range(20):
                assert client.get("/hello").status == 200


def test_an_upload_that_nobody_reads_leaves_99_others_running(
    site: Program, certificate: Certificate, tmp_path: Path
) -> None:
    release = tmp_path / "go"
    with Client.tls(site, certificate.trusting("h2")) as client:
        held = client.request(f"/hold?until={release}", method="POST", end=False)
        assert client.fill(held) >= 65_535
        others = [client.request("/count", method="POST", end=False) for _ in range(99)]
        # Together more than the connection's window, so that its credit must come back all the while.
        block = bytes(128 * 1024)
        for stream in others:
            client.send(stream, block)
        for stream in others:
            assert client.answer(stream).text.startswith(f"{len(block)} ")
        assert not client.answers[held].ended
        release.touch()
        assert client.answer(held).text == "released\n"


def test_many_uploads_that_nobody_reads_leave_the_connection_running(
    serve: Serve, tmp_path: Path
) -> None:
    """The connection's window is smaller than what their streams' windows come to."""
    release = tmp_path / "go"
    with serve("--threads", "100") as program, Client.plain(program) as client:
        held = [
            client.request(f"/hold?until={release}", method="POST", end=False) for _ in range(60)
        ]
        for stream in held:
            client.send(stream, bytes(60_000), end=False)
        assert client.get("/hello").status == 200
        answer = client.answer(client.request("/count", method="POST", body=bytes(100_000)))
        assert answer.text.startswith("100000 ")
        release.touch()
        assert {client.answer(stream).text for stream in held} == {"released\n"}


def test_an_answer_without_reading_the_upload_leaves_the_connection_usable(site: Program) -> None:
    """RFC 9113, section 8.1: the rest of the request is refused with NO_ERROR, the response is kept."""
    with Client.plain(site) as client:
        for _ in range(5):
            stream = client.request("/hello", method="POST", body=bytes(4 * MIB))
            answer = client.answer(stream)
            assert answer.text == "Hello, world!\n"
            assert answer.reset in (None, 0)
        assert client.get("/hello").status == 200
        assert client.goaway is None


def test_an_http_1_upload_that_is_not_read_ends_with_the_answer(site: Program) -> None:
    """RFC 9112, section 9.3: the rest is read and thrown away, or the connection closed; never taken for a request."""
    with site.connect() as connection:
        body = b"GET /fail HTTP/1.1\r\nhost: localhost\r\n\r\n"
        head = f"POST /hello HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        after = b"GET /environ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode() + body + after)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert received.startswith(b"HTTP/1.1 200")
    assert b"Hello, world!" in received
    assert b" 500 " not in received


def test_a_cancelled_stream_closes_the_applications_answer(serve: Serve) -> None:
    """PEP 3333: `close()` is called when the client goes away too."""
    with serve() as program, Client.plain(program) as client:
        stream = client.request("/closing")
        client.settle_body(stream, 100_000)
        client.reset(stream)
        until = time.monotonic() + 10
        while client.get("/closed").text != "1\n":
            assert time.monotonic() < until, "close() was not called"
            time.sleep(0.05)


@pytest.mark.parametrize("way", ["--http1.1", "--http2"])
def test_256_mib_go_up_in_bounded_memory(serve: Serve, certificate: Certificate, way: str) -> None:
    size = 256 * MIB
    with serve() as program:
        command = [
            *(
                peers.need("curl"),
                way,
                "-sS",
                "--max-time",
                "120",
                "--cacert",
                str(certificate.authority),
            ),
            *("--upload-file", "-", f"{program.tls_url}/count"),
        ]
        warm_up(program, certificate)
        before = program.resident()
        program.mark_peak()
        with subprocess.Popen(
            ["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE
        ) as source:
            done = subprocess.run(command, stdin=source.stdout, capture_output=True, check=True)
        assert done.stdout.startswith(str(size).encode())
        assert program.peak() - before < 32 * MIB


@pytest.mark.parametrize("way", ["--http1.1", "--http2"])
def test_256_mib_go_down_in_bounded_memory(
    serve: Serve, certificate: Certificate, way: str
) -> None:
    size = 256 * MIB
    with serve() as program:
        command = [
            *(
                peers.need("curl"),
                way,
                "-sS",
                "--max-time",
                "120",
                "--cacert",
                str(certificate.authority),
            ),
            *("--output", "/dev/null", "--write-out", "%{size_download}"),
            f"{program.tls_url}/octets?size={size}",
        ]
        warm_up(program, certificate)
        before = program.resident()
        program.mark_peak()
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        assert done.stdout == str(size)
        assert program.peak() - before < 32 * MIB


def test_a_slow_reader_does_not_make_the_server_hold_the_answer(
    serve: Serve, certificate: Certificate
) -> None:
    """Back pressure reaches the application: it is not asked for blocks that nobody takes."""
    with serve() as program:
        warm_up(program, certificate)
        before = program.resident()
        program.mark_peak()
        with Client.plain(program, stream_window=65_535) as client:
            slow = client.request(f"/octets?size={256 * MIB}")
            client.unread.add(slow)
            for _ in range(10):
                assert client.get("/hello").status == 200
                time.sleep(0.1)
        assert program.peak() - before < 16 * MIB


def warm_up(program: Program, certificate: Certificate) -> None:
    """One request of each kind, so that what is allocated once does not count as growth."""
    with Client.tls(program, certificate.trusting("h2")) as client:
        client.answer(client.request("/count", method="POST", body=bytes(MIB)))
        client.get(f"/octets?size={MIB}")
