"""A WSGI application with one page for each thing that the tests ask of the server."""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    Page = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

CHUNK = 64 * 1024
TEXT = [("content-type", "text/plain; charset=utf-8")]

# As many requests as the barrier's page is asked for must be running at once for any of them to be answered.
BARRIER = threading.Barrier(int(os.environ.get("BARRIER", "1")))
# What happened, for the pages that tell of it.
EVENTS: list[str] = []


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = b"Hello, world!\n"
    start_response("200 OK", [*TEXT, ("content-length", str(len(body)))])
    return [body]


def show_environ(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The environ's texts as JSON."""
    start_response("200 OK", [("content-type", "application/json")])
    texts = {name: value for name, value in environ.items() if isinstance(value, str)}
    return [json.dumps(texts).encode()]


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """The request's body, block by block as it comes."""
    start_response("200 OK", [("content-type", "application/octet-stream")])
    while block := environ["wsgi.input"].read(CHUNK):
        yield block


def count(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The size and the CRC-32 of the request's body."""
    size, checksum = 0, 0
    while block := environ["wsgi.input"].read(CHUNK):
        size += len(block)
        checksum = zlib.crc32(block, checksum)
    start_response("200 OK", TEXT)
    return [f"{size} {checksum:08x}\n".encode()]


def octets(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """`size` octets, in blocks of 64 KiB."""
    left = int(query(environ, "size"))
    start_response(
        "200 OK", [("content-type", "application/octet-stream"), ("content-length", str(left))]
    )
    block = bytes(CHUNK)
    while left > 0:
        yield block[:left]
        left -= CHUNK


def sleep(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An answer after `seconds`."""
    time.sleep(float(query(environ, "seconds")))
    start_response("200 OK", TEXT)
    return [b"slept\n"]


def hold(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """An answer once the file `until` exists; the request's body is never read."""
    await_file(query(environ, "until"))
    start_response("200 OK", TEXT)
    return [b"released\n"]


def two_parts(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """One block at once, and another once the file `until` exists."""
    start_response("200 OK", TEXT)
    yield b"first\n"
    await_file(query(environ, "until"))
    yield b"second\n"


def barrier(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    BARRIER.wait(timeout=20)
    start_response("200 OK", TEXT)
    return [b"together\n"]


def fail(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise RuntimeError("this page always fails")


def closing(environ: WSGIEnvironment, start_response: StartResponse) -> Closing:
    """Blocks without end; whether `close()` was called is told by /closed."""
    start_response("200 OK", [("content-type", "application/octet-stream")])
    return Closing()


class Closing:
    """A body without end that notes when it is closed."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield bytes(CHUNK)

    def close(self) -> None:
        EVENTS.append("closed")


def closed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", TEXT)
    return [f"{EVENTS.count('closed')}\n".encode()]


def protocol(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A page whose script writes the protocol that the browser spoke for it."""
    start_response("200 OK", [("content-type", "text/html; charset=utf-8")])
    return [
        b"<!doctype html><title>protocol</title><p id=said></p><script>"
        b"document.getElementById('said').textContent = 'protocol='"
        b" + performance.getEntriesByType('navigation')[0].nextHopProtocol"
        b"</script>"
    ]


PAGES: dict[str, Page] = {
    "/hello": hello,
    "/environ": show_environ,
    "/echo": echo,
    "/count": count,
    "/octets": octets,
    "/sleep": sleep,
    "/hold": hold,
    "/two-parts": two_parts,
    "/barrier": barrier,
    "/fail": fail,
    "/closing": closing,
    "/closed": closed,
    "/protocol": protocol,
}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    page = PAGES.get(environ["PATH_INFO"])
    if page is None:
        start_response("404 Not Found", TEXT)
        return [b"no such page\n"]
    return page(environ, start_response)


def query(environ: WSGIEnvironment, name: str) -> str:
    text: str = environ["QUERY_STRING"]
    return parse_qs(text)[name][0]


def await_file(path: str) -> None:
    """Waits for a test's word; bounded, so that a failed test ends."""
    until = time.monotonic() + 30
    while not os.path.exists(path) and time.monotonic() < until:
        time.sleep(0.01)
