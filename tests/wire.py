"""Frames of HTTP/2 as octets, for what no client of a library would send (RFC 9113, section 4.1)."""

from __future__ import annotations

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)

ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def frames(received: bytes) -> list[tuple[int, int, int, bytes]]:
    """Whole frames: type, flags, stream and payload."""
    found = []
    while len(received) >= 9:
        length = int.from_bytes(received[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", received[3:9])
        found.append((kind, flags, stream, received[9 : 9 + length]))
        received = received[9 + length :]
    return found


def settings(*entries: tuple[int, int]) -> bytes:
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *entry) for entry in entries))


def line(name: str, value: str) -> bytes:
    """A literal that touches no table; both shorter than 127 octets."""
    texts = (name.encode("latin-1"), value.encode("latin-1"))
    return b"\0" + b"".join(bytes([len(text)]) + text for text in texts)


def head(*lines: tuple[str, str]) -> bytes:
    """A field block."""
    return b"".join(line(name, value) for name, value in lines)
