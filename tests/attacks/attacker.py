"""An attacker: a client of HTTP/2 that keeps no rule, makes its frames by hand and sends them as fast as it can."""

from __future__ import annotations

import select
import struct
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
(
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
) = range(10)
PRIORITY_UPDATE = 16
ACK, END_STREAM, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 3, 8, 11
LARGEST_WINDOW = (1 << 31) - 1

# How much is handed to the kernel at a time.
BURST = 1 << 16


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """A frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*entries: tuple[int, int]) -> bytes:
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *entry) for entry in entries))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))


def line(name: bytes, value: bytes) -> bytes:
    """A field that enters no table (RFC 7541, section 6.2.2)."""
    return b"\0" + string(name) + string(value)


def string(octets: bytes) -> bytes:
    """A string without Huffman's code (RFC 7541, section 5.2)."""
    return integer(len(octets), 7) + octets


def integer(value: int, bits: int, first: int = 0) -> bytes:
    """An integer behind the other bits of its first octet (RFC 7541, section 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    octets, value = bytearray([first | most]), value - most
    while value >= 128:
        octets.append(value % 128 + 128)
        value //= 128
    return bytes([*octets, value])


def block(path: str = "/hello", method: str = "GET") -> bytes:
    """The field block of a request that enters no table: 0x86 is the scheme, names 2, 4 and 1 are the others'."""
    return (
        b"\x02"
        + string(method.encode())
        + b"\x86\x04"
        + string(path.encode())
        + b"\x01"
        + string(b"localhost")
    )


def request(stream: int, path: str = "/hello", method: str = "GET", *, end: bool = True) -> bytes:
    flags = END_HEADERS | (END_STREAM if end else 0)
    return frame(HEADERS, flags, stream, block(path, method))


@dataclass(frozen=True)
class Received:
    """A frame of the server."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return int.from_bytes(self.payload[at : at + 4], "big")


class Attacker:
    """One connection of HTTP/2, on which both sides have agreed on their settings."""

    def __init__(self, connected: socket.socket, *entries: tuple[int, int]) -> None:
        self.connected = connected
        # How many frames of each kind have come, and those that say that something ends.
        self.seen: Counter[int] = Counter()
        self.ends: list[Received] = []
        self.sent = 0
        # The server has closed the connection, or reset it.
        self.closed = False
        self._incoming = bytearray()
        connected.setblocking(False)
        self.send(PREFACE + settings(*entries))
        # Whoever does not agree is cut off for that in the end.
        self.settle(lambda: self.seen[SETTINGS] > 0)
        self.send(frame(SETTINGS, ACK))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.connected.close()

    @property
    def goaway(self) -> int | None:
        """The error code of the last GOAWAY, if there was one."""
        codes = [end.code for end in self.ends if end.kind == GOAWAY]
        return codes[-1] if codes else None

    def resets(self) -> Counter[int]:
        """How often each error code came in RST_STREAM."""
        return Counter(end.code for end in self.ends if end.kind == RST_STREAM)

    def send(self, octets: bytes, *, read: bool = True, timeout: float = 30) -> bool:
        """Sends all of it, reading meanwhile unless told not to; false when the server has ended the connection
        before, or, where nothing is read, takes no more for a second."""
        rest = memoryview(octets)
        until = time.monotonic() + timeout
        while rest:
            if self.closed or self.goaway is not None:
                return False
            if time.monotonic() > until:
                raise TimeoutError(f"{len(rest)} octets are still to be sent")
            readable, writable, _ = select.select(
                [self.connected] if read else [], [self.connected], [], 1
            )
            if readable:
                self._receive()
            elif not writable and not read:
                return False
            if writable and not self.closed:
                try:
                    sent = self.connected.send(rest[:BURST])
                except BlockingIOError:
                    continue
                except OSError:
                    # What it said before it went is still there to be read.
                    while not self.closed:
                        self._receive()
                    return False
                self.sent += sent
                rest = rest[sent:]
        return True

    def flood(self, octets: bytes, most: int, *, read: bool = True) -> None:
        """Sends the same octets again and again, until the server ends the connection or `most` have left."""
        until = self.sent + most
        while self.sent < until and self.send(octets, read=read):
            pass

    def send_each(self, pieces: Iterable[bytes]) -> None:
        """Sends the pieces in bursts, until the server ends the connection."""
        burst = bytearray()
        for piece in pieces:
            burst += piece
            if len(burst) >= BURST:
                if not self.send(bytes(burst)):
                    return
                burst.clear()
        self.send(bytes(burst))

    def settle(self, done: Callable[[], bool], timeout: float = 20) -> None:
        """Reads until it is so."""
        until = time.monotonic() + timeout
        while not done():
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"still waiting after {timeout} s")
            if self.closed:
                raise ConnectionError(f"the server has closed the connection: {self.ends}")
            if select.select([self.connected], [], [], left)[0]:
                self._receive()

    def ended(self, timeout: float = 20) -> int | None:
        """The error code of GOAWAY, once the server has ended the connection; None where none came."""
        self.settle(lambda: self.goaway is not None or self.closed, timeout)
        return self.goaway

    def await_close(self, timeout: float = 20) -> None:
        self.settle(lambda: self.closed, timeout)

    def ping(self) -> None:
        """Returns once the server has seen all that was sent before."""
        before = self.seen[PING]
        self.send(frame(PING, payload=b"are you?"))
        self.settle(lambda: self.seen[PING] > before)

    def _receive(self) -> None:
        try:
            data = self.connected.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        self._incoming += data
        at = 0
        while len(self._incoming) - at >= 9:
            length = int.from_bytes(self._incoming[at : at + 3], "big")
            if len(self._incoming) - at < 9 + length:
                break
            kind, flags, stream = struct.unpack_from(">BBI", self._incoming, at + 3)
            self.seen[kind] += 1
            if kind in (RST_STREAM, GOAWAY):
                payload = bytes(self._incoming[at + 9 : at + 9 + length])
                self.ends.append(Received(kind, flags, stream, payload))
            at += 9 + length
        del self._incoming[:at]
