"""Each error of RFC 9113 with its class and its code, as the running program answers it.

The sessions' own tests (`crates/proto/tests/rfc9113`) have every requirement; here is a frame for each kind of answer,
in one packet with what comes before and after it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from wire import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    frames,
    head,
    settings,
)

if TYPE_CHECKING:
    from program import Program

PROTOCOL, FLOW_CONTROL, STREAM_CLOSED, FRAME_SIZE, COMPRESSION = 1, 3, 5, 6, 9

CONTROL = {":method": "GET", ":scheme": "http", ":path": "/hello", ":authority": "localhost"}
GET = head(*CONTROL.items())
POST = head(*{**CONTROL, ":method": "POST", ":path": "/count"}.items())
WHOLE = END_HEADERS | END_STREAM
# An upload that goes on, and a request that is complete.
OPEN = frame(HEADERS, END_HEADERS, 1, POST)
DONE = frame(HEADERS, WHOLE, 1, GET)
# The request that shows whether the connection goes on.
LAST = 99


def without(name: str) -> bytes:
    return head(*(field for field in CONTROL.items() if field[0] != name))


def play(site: Program, octets: bytes) -> list[tuple[int, int, int, bytes]]:
    """What is answered to these frames and a request behind them, until that is answered or the server closes."""
    opening = PREFACE + settings()
    received = b""
    with site.connect() as connection:
        connection.settimeout(10)
        connection.sendall(opening + octets + frame(HEADERS, WHOLE, LAST, GET))
        while data := connection.recv(1 << 16):
            received += data
            if any(at == LAST and flags & END_STREAM for _, flags, at, _ in frames(received)):
                break
    site.forgive()
    return frames(received)


CONNECTION_ERRORS = {
    "DATA on stream 0": (frame(DATA, payload=b"x"), PROTOCOL),
    "DATA on an idle stream": (frame(DATA, stream=1, payload=b"x"), PROTOCOL),
    "DATA with too much padding": (OPEN + frame(DATA, PADDED, 1, b"\2x"), PROTOCOL),
    "HEADERS on stream 0": (frame(HEADERS, WHOLE, 0, GET), PROTOCOL),
    "HEADERS on a server's stream": (frame(HEADERS, WHOLE, 2, GET), PROTOCOL),
    "HEADERS on a stream left out": (
        frame(HEADERS, WHOLE, 5, GET) + frame(HEADERS, WHOLE, 3, GET),
        PROTOCOL,
    ),
    "HEADERS with too much padding": (frame(HEADERS, WHOLE | PADDED, 1, b"\2x"), PROTOCOL),
    "HEADERS that no table explains": (frame(HEADERS, WHOLE, 1, b"\xff\xff"), COMPRESSION),
    "HEADERS, then DATA": (frame(HEADERS, 0, 1, GET) + frame(DATA, stream=1), PROTOCOL),
    "HEADERS, then an unknown frame": (frame(HEADERS, 0, 1, GET) + frame(0xBE), PROTOCOL),
    "HEADERS, then another stream's CONTINUATION": (
        frame(HEADERS, 0, 1, GET) + frame(CONTINUATION, END_HEADERS, 3),
        PROTOCOL,
    ),
    "CONTINUATION of nothing": (DONE + frame(CONTINUATION, END_HEADERS, 1), PROTOCOL),
    "PRIORITY on stream 0": (frame(PRIORITY, payload=bytes(5)), PROTOCOL),
    "RST_STREAM on stream 0": (frame(RST_STREAM, payload=bytes(4)), PROTOCOL),
    "RST_STREAM on an idle stream": (frame(RST_STREAM, 0, 1, bytes(4)), PROTOCOL),
    "RST_STREAM of three octets": (OPEN + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE),
    "SETTINGS on a stream": (frame(SETTINGS, stream=1), PROTOCOL),
    "SETTINGS of five octets": (frame(SETTINGS, payload=bytes(5)), FRAME_SIZE),
    "SETTINGS, acknowledged with a payload": (frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE),
    "ENABLE_PUSH of 2": (settings((2, 2)), PROTOCOL),
    "INITIAL_WINDOW_SIZE of 2^31": (settings((4, 1 << 31)), FLOW_CONTROL),
    "INITIAL_WINDOW_SIZE that overflows": (
        OPEN + frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\0\0") + settings((4, (1 << 31) - 1)),
        FLOW_CONTROL,
    ),
    "MAX_FRAME_SIZE of 16 383": (settings((5, (1 << 14) - 1)), PROTOCOL),
    "MAX_FRAME_SIZE of 2^24": (settings((5, 1 << 24)), PROTOCOL),
    "PUSH_PROMISE from a client": (
        OPEN + frame(PUSH_PROMISE, END_HEADERS, 1, bytes([0, 0, 0, 2]) + GET),
        PROTOCOL,
    ),
    "PING on a stream": (frame(PING, 0, 1, bytes(8)), PROTOCOL),
    "PING of seven octets": (frame(PING, payload=bytes(7)), FRAME_SIZE),
    "GOAWAY on a stream": (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
    "GOAWAY of seven octets": (frame(GOAWAY, payload=bytes(7)), FRAME_SIZE),
    "WINDOW_UPDATE of nothing": (frame(WINDOW_UPDATE, payload=bytes(4)), PROTOCOL),
    "WINDOW_UPDATE that overflows": (
        frame(WINDOW_UPDATE, payload=b"\x7f\xff\xff\xff"),
        FLOW_CONTROL,
    ),
    "WINDOW_UPDATE on an idle stream": (frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"), PROTOCOL),
    "WINDOW_UPDATE of three octets": (frame(WINDOW_UPDATE, payload=bytes(3)), FRAME_SIZE),
    "a frame above 16 384 octets": (frame(0xBE, payload=bytes((1 << 14) + 1)), FRAME_SIZE),
}


@pytest.mark.parametrize("case", CONNECTION_ERRORS)
def test_an_error_of_the_connection_ends_it_with_its_code(site: Program, case: str) -> None:
    """RFC 9113, section 5.4.1."""
    octets, code = CONNECTION_ERRORS[case]
    answered = play(site, octets)
    kind, _, stream, payload = answered[-1]
    assert (kind, stream) == (GOAWAY, 0), answered
    assert struct.unpack(">I", payload[4:8])[0] == code
    # Neither what came before in the same packet nor what came behind is answered.
    assert HEADERS not in [kind for kind, *_ in answered]


STREAM_ERRORS = {
    "DATA behind the end": (DONE + frame(DATA, stream=1, payload=b"x"), STREAM_CLOSED),
    "HEADERS behind the end": (DONE + DONE, STREAM_CLOSED),
    "DATA behind a reset": (
        OPEN + frame(RST_STREAM, 0, 1, bytes(4)) + frame(DATA, stream=1, payload=b"x"),
        STREAM_CLOSED,
    ),
    "PRIORITY of four octets": (OPEN + frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE),
    "WINDOW_UPDATE of nothing": (OPEN + frame(WINDOW_UPDATE, 0, 1, bytes(4)), PROTOCOL),
    "WINDOW_UPDATE that overflows": (
        OPEN + frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"),
        FLOW_CONTROL,
    ),
    "a second head": (OPEN + frame(HEADERS, END_HEADERS, 1, head(("x", "1"))), PROTOCOL),
    "a pseudo field in trailers": (OPEN + frame(HEADERS, WHOLE, 1, head((":x", "1"))), PROTOCOL),
    "content longer than announced": (
        frame(HEADERS, END_HEADERS, 1, POST + head(("content-length", "1")))
        + frame(DATA, END_STREAM, 1, b"xx"),
        PROTOCOL,
    ),
    "content shorter than announced": (
        frame(HEADERS, END_HEADERS, 1, POST + head(("content-length", "3")))
        + frame(DATA, END_STREAM, 1, b"xx"),
        PROTOCOL,
    ),
}

MALFORMED = {
    "a name in capitals": GET + head(("Upper", "1")),
    "a name with a space": GET + head(("a b", "1")),
    "a value with a line end": GET + head(("a", "b\r\nc: d")),
    "a value with a control character": GET + head(("a", "b\x01")),
    "a value with space around it": GET + head(("a", " b")),
    "a field of the connection": GET + head(("connection", "close")),
    "TE with more than trailers": GET + head(("te", "gzip")),
    "no method": without(":method"),
    "no scheme": without(":scheme"),
    "no path": without(":path"),
    "no authority": without(":authority"),
    "an empty path": without(":path") + head((":path", "")),
    "two paths": GET + head((":path", "/")),
    "a pseudo field behind others": without(":path") + head(("a", "b"), (":path", "/")),
    "a pseudo field of responses": GET + head((":status", "200")),
    "an unknown pseudo field": GET + head((":unknown", "1")),
    "another host": GET + head(("host", "elsewhere")),
    "CONNECT with a path": without(":method") + head((":method", "CONNECT")),
    "content announced, and none": GET + head(("content-length", "1")),
}


@pytest.mark.parametrize("case", [*STREAM_ERRORS, *MALFORMED])
def test_an_error_of_a_stream_ends_that_alone_with_its_code(site: Program, case: str) -> None:
    """RFC 9113, sections 5.4.2 and 8.1.1."""
    if case in STREAM_ERRORS:
        octets, code = STREAM_ERRORS[case]
    else:
        octets, code = frame(HEADERS, WHOLE, 1, MALFORMED[case]), PROTOCOL
    answered = play(site, octets)
    resets = [
        (at, *struct.unpack(">I", code)) for kind, _, at, code in answered if kind == RST_STREAM
    ]
    assert resets == [(1, code)], answered
    assert GOAWAY not in [kind for kind, *_ in answered]
    # A malformed request gets its status first (section 8.2.1), other errors get none.
    heads = [at for kind, _, at, _ in answered if kind == HEADERS]
    assert heads == ([1, LAST] if case in MALFORMED else [LAST])


IGNORED = {
    "an unknown frame": frame(0xBE, 0xFF, 7, b"anything"),
    "an unknown setting": settings((0xBE, 1)),
    "an unknown flag": frame(PING, 0xFE, 0, bytes(8)),
    "the answer to a PING that nobody sent": frame(PING, ACK, 0, bytes(8)),
    "PRIORITY on an idle stream": frame(PRIORITY, 0, 3, b"\0\0\0\1\x0f"),
    "padding": frame(HEADERS, WHOLE | PADDED, 1, b"\3" + GET + bytes(3)),
    "an unknown error code": OPEN + frame(RST_STREAM, 0, 1, b"\xde\xad\xbe\xef"),
    "a reset behind the end": DONE + frame(RST_STREAM, 0, 1, bytes(4)),
    "a second reset": OPEN + 2 * frame(RST_STREAM, 0, 1, bytes(4)),
    "credit behind the end": DONE + frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1"),
}


@pytest.mark.parametrize("case", IGNORED)
def test_what_is_allowed_or_unknown_is_no_error(site: Program, case: str) -> None:
    """RFC 9113, sections 4.1, 5.1, 5.5 and 7."""
    answered = play(site, IGNORED[case])
    assert {RST_STREAM, GOAWAY}.isdisjoint(kind for kind, *_ in answered)
    assert (HEADERS, LAST) in [(kind, at) for kind, _, at, _ in answered]
