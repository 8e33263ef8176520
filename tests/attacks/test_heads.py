"""Heads that are larger than they look, or never end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from attacker import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    RST_STREAM,
    Attacker,
    block,
    frame,
    integer,
    line,
    request,
    string,
)
from watch import KIB, MIB, PER_OCTET, PROCESSOR, attacked

if TYPE_CHECKING:
    from collections.abc import Callable

    from program import Program

MEMORY = 12 * MIB
# Heads that are below the limits wait for the application, and may take what the limits allow a connection: 256 open
# requests of 64 KiB. They were seen to take 8 to 12 MiB.
BELOW_LIMITS = {"table emptied and filled": 16 * MIB}
# Streams that an attacker opens at most.
STREAMS = 4000
# The largest frame that the server takes.
FRAME = 16 * KIB

# An entry that takes nearly all of a table, another name for it, and how a table is emptied and made again.
LARGE = b"\x40" + string(b"x") + string(b"y" * 4000)
AGAIN = b"\xbe"
EMPTIED = b"\x20" + integer(4096, 5, 0x20)
# Names of an octet, each of which goes into the table.
ENTERED = b"".join(b"\x40" + string(bytes([name])) + string(b"") for name in b"abcdefgh" * 400)


def whole(stream: int, octets: bytes) -> bytes:
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, octets)


HEADS: dict[str, Callable[[int], bytes]] = {
    "bomb": lambda stream: whole(stream, block() + (LARGE if stream == 1 else AGAIN * 15_000)),
    "bomb of Huffman's longest codes": lambda stream: whole(
        stream, block() + b"\0\1x" + integer(15_000, 7, 0x80) + b"\xff" * 15_000
    ),
    "table thrash": lambda stream: whole(stream, block() + ENTERED[: FRAME - 100]),
    "table emptied and filled": lambda stream: whole(stream, EMPTIED + block() + LARGE * 3),
    "fields": lambda stream: whole(stream, block() + line(b"x", b"y") * 3000),
    "cookies": lambda stream: whole(stream, block() + line(b"cookie", b"y") * 1000),
    "one large field": lambda stream: (
        frame(HEADERS, END_STREAM, stream, block() + b"\0\1x" + integer(100_000, 7))
        + b"".join(
            frame(CONTINUATION, END_HEADERS if last else 0, stream, b"y" * size)
            for size, last in [*[(FRAME, False)] * 6, (100_000 - 6 * FRAME, True)]
        )
    ),
    "a name without end": lambda stream: whole(stream, block() + line(b"x" * 16_000, b"")),
    "trailers": lambda stream: (
        request(stream, "/count", "POST", end=False) + whole(stream, line(b"x", b"y") * 3000)
    ),
}


@pytest.mark.parametrize("kind", HEADS)
def test_heads_above_the_limits_cost_little(target: Program, kind: str) -> None:
    """CVE-2016-1544, CVE-2016-6581: none takes more memory than the limits allow, whatever it expands to, and
    whoever goes on is cut off."""
    with (
        attacked(target, memory=BELOW_LIMITS.get(kind, MEMORY)) as watch,
        Attacker(target.connect()) as attacker,
    ):
        attacker.send_each(HEADS[kind](stream) for stream in range(1, 2 * STREAMS, 2))
        with contextlib.suppress(ConnectionError):
            attacker.ping()
        used = watch.processor()
        assert used <= PROCESSOR + attacker.sent * PER_OCTET, f"{used} s for {attacker.sent} octets"


def test_a_head_above_the_limits_is_answered_and_the_next_one_served(target: Program) -> None:
    """RFC 6585, section 5; RFC 9113, section 10.5.1."""
    with attacked(target, memory=MEMORY), Attacker(target.connect()) as attacker:
        for at, kind in enumerate(("bomb", "fields", "one large field")):
            attacker.send(HEADS[kind](1 + 2 * at))
        attacker.send(request(101))
        attacker.settle(lambda: attacker.seen[HEADERS] == 4)
        assert attacker.goaway is None


@pytest.mark.parametrize("size", [0, 1, FRAME])
def test_a_head_that_never_ends_ends_the_connection(target: Program, size: int) -> None:
    """CVE-2024-27316, CVE-2024-28182: nine frames at most."""
    with (
        attacked(target, memory=MEMORY),
        Attacker(target.connect()) as attacker,
    ):
        attacker.send(frame(HEADERS, END_STREAM, 1, block()))
        for _ in range(9):
            attacker.send(frame(CONTINUATION, 0, 1, bytes(size)))
        assert attacker.ended() == ENHANCE_YOUR_CALM


@pytest.mark.parametrize("kind", [RST_STREAM, DATA])
def test_a_head_that_is_interrupted_ends_the_connection(target: Program, kind: int) -> None:
    """RFC 9113, section 4.3."""
    with attacked(target, memory=MEMORY), Attacker(target.connect()) as attacker:
        attacker.send(frame(HEADERS, END_STREAM, 1, block()) + frame(kind, 0, 1, b"\0\0\0\x08"))
        assert attacker.ended() == 1
