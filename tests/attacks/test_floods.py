"""Frames that cost the client nothing: so many pass, then GOAWAY with ENHANCE_YOUR_CALM (RFC 9113, section 10.5)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from attacker import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    HEADERS,
    LARGEST_WINDOW,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    Attacker,
    block,
    frame,
    request,
    reset,
    settings,
    window_update,
)
from watch import KIB, MIB, PER_OCTET, PROCESSOR, attacked

if TYPE_CHECKING:
    from collections.abc import Callable

    from watch import Watch

    from program import Program

# What an attacker sends before it gives up: far more than any limit lets through.
MOST = 16 * MIB
# Streams that it opens at most.
STREAMS = 20_000
# What the memory of the server may grow by: a read batch of requests, the application's threads.
MEMORY = 8 * MIB

UNKNOWN = 0x77
PAYLOAD = b"12345678"
# Half of what an attacker sends goes before a response, half in its midst: neither makes a difference.
UPLOAD = request(1, "/count", "POST", end=False)

FLOODS = {
    "PING": (b"", frame(PING, payload=PAYLOAD)),
    "PING, answered": (b"", frame(PING, flags=1, payload=PAYLOAD)),
    "SETTINGS": (b"", settings()),
    "SETTINGS, many entries": (b"", settings(*[(UNKNOWN, 1)] * 2700)),
    "SETTINGS, windows to and fro": (UPLOAD, settings((4, 0)) + settings((4, LARGEST_WINDOW))),
    "SETTINGS, tables to and fro": (b"", settings((1, 0)) + settings((1, 4096))),
    "PRIORITY": (b"", frame(PRIORITY, 0, 3, struct.pack(">IB", 1, 7))),
    "PRIORITY, streams to come": (
        b"",
        b"".join(
            frame(PRIORITY, 0, stream, struct.pack(">IB", stream + 2, 7))
            for stream in range(3, 4003, 2)
        ),
    ),
    "PRIORITY_UPDATE": (b"", frame(PRIORITY_UPDATE, payload=struct.pack(">I", 1) + b"u=1, i")),
    "DATA without content": (UPLOAD, frame(DATA, 0, 1)),
    "DATA with padding only": (UPLOAD, frame(DATA, PADDED, 1, b"\1\0")),
    "DATA of an octet": (UPLOAD, frame(DATA, 0, 1, b"x")),
    "WINDOW_UPDATE of an octet": (b"", window_update(0, 1)),
    "WINDOW_UPDATE of a stream": (UPLOAD, window_update(1, 1)),
    "WINDOW_UPDATE of a stream that is over": (request(1), window_update(1, 1)),
    "RST_STREAM of a stream that is over": (request(1) + reset(1), reset(1)),
    "unknown frames": (b"", frame(UNKNOWN, payload=PAYLOAD)),
    "CONTINUATION": (frame(HEADERS, 0, 1, block()), frame(CONTINUATION, 0, 1, b"\0\1a\1b")),
    "CONTINUATION without octets": (frame(HEADERS, 0, 1, block()), frame(CONTINUATION, 0, 1)),
    "CONTINUATION, large": (
        frame(HEADERS, 0, 1, block()),
        frame(CONTINUATION, 0, 1, bytes(16 * KIB)),
    ),
}


def has_cost_little(attacker: Attacker, watch: Watch) -> bool:
    """The server's work is bounded by what it was sent."""
    used = watch.processor()
    assert used <= PROCESSOR + attacker.sent * PER_OCTET, f"{used} s for {attacker.sent} octets"
    return True


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_frames_ends_its_connection(target: Program, kind: str) -> None:
    setup, unit = FLOODS[kind]
    with (
        attacked(target, memory=MEMORY) as watch,
        Attacker(target.connect()) as attacker,
    ):
        attacker.send(setup)
        attacker.flood(unit * max(1, 4 * KIB // len(unit)), MOST)
        assert attacker.ended() == ENHANCE_YOUR_CALM
        assert has_cost_little(attacker, watch)


@pytest.mark.parametrize("kind", ["PING", "SETTINGS"])
def test_a_flood_whose_answers_are_not_read_is_not_held(target: Program, kind: str) -> None:
    """CVE-2019-9512, CVE-2019-9515: answers do not pile up."""
    setup, unit = FLOODS[kind]
    with (
        attacked(target, memory=MEMORY) as watch,
        Attacker(target.connect()) as attacker,
    ):
        attacker.send(setup)
        attacker.flood(unit * max(1, 4 * KIB // len(unit)), MOST, read=False)
        # What tells so comes after all that was not read, and may be too late.
        assert attacker.ended() in (ENHANCE_YOUR_CALM, None)
        attacker.await_close()
        assert has_cost_little(attacker, watch)


RESETS: dict[str, Callable[[int], bytes]] = {
    "rapid reset": lambda stream: request(stream) + reset(stream),
    "rapid reset of what takes time": lambda stream: (
        request(stream, "/sleep?seconds=0.1") + reset(stream)
    ),
    "rapid reset of uploads": lambda stream: (
        request(stream, "/count", "POST", end=False) + reset(stream)
    ),
    "made you reset: WINDOW_UPDATE of nothing": lambda stream: (
        request(stream, end=False) + window_update(stream, 0)
    ),
    "made you reset: a window too large": lambda stream: (
        request(stream, end=False) + window_update(stream, LARGEST_WINDOW)
    ),
    "made you reset: DATA after the end": lambda stream: (
        request(stream, "/sleep?seconds=0.1") + frame(DATA, 0, stream, b"x")
    ),
    "made you reset: a head in the midst": lambda stream: (
        request(stream, end=False) + request(stream, end=False)
    ),
    "made you reset: a stream that depends on itself": lambda stream: (
        request(stream, end=False) + frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 7))
    ),
    "made you reset: PRIORITY too short": lambda stream: (
        request(stream, end=False) + frame(PRIORITY, 0, stream, b"\0\0\0\0")
    ),
    "refused: malformed heads": lambda stream: frame(
        HEADERS, END_HEADERS | 1, stream, block() + b"\0\1X\1y"
    ),
    "refused: more streams than are allowed": lambda stream: request(
        stream, "/hello", "POST", end=False
    ),
}


@pytest.mark.parametrize("kind", RESETS)
def test_streams_that_end_before_their_time_end_the_connection(target: Program, kind: str) -> None:
    """CVE-2023-44487 and CVE-2025-8671: it does not matter who resets them."""
    with (
        attacked(target, memory=MEMORY) as watch,
        Attacker(target.connect()) as attacker,
    ):
        attacker.send_each(RESETS[kind](stream) for stream in range(1, 2 * STREAMS, 2))
        assert attacker.ended() == ENHANCE_YOUR_CALM
        assert has_cost_little(attacker, watch)
    target.forgive()
