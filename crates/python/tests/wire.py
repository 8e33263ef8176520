"""Clients of one connection that show what is on the wire, where httpx would hide it."""

import socket
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events

GOAWAY = 7


def http1(connection: socket.socket, request: bytes) -> bytes:
    """Send octets, and return all that comes until the server closes."""
    connection.sendall(request)
    return until_closed(connection)


def until_closed(connection: socket.socket) -> bytes:
    """Read until the end."""
    received = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


@dataclass
class Answer:
    """What came on one stream."""

    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(dict(self.headers)[b":status"])


class Http2:
    """An HTTP/2 client by prior knowledge, which reads only when it is told to."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.h2.initiate_connection()
        self.flush()
        self.answers: dict[int, Answer] = {}
        self.drained = False
        self.partial = b""

    def flush(self) -> None:
        self.socket.sendall(self.h2.data_to_send())

    def request(
        self,
        path: str,
        method: str = "GET",
        fields: list[tuple[str, str]] | None = None,
        body: bytes | None = None,
        end: bool = True,
    ) -> int:
        """Send a request, and return its stream; with ``end=False`` its body goes on."""
        stream: int = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path)]
        self.h2.send_headers(stream, [*head, *(fields or [])], end_stream=body is None and end)
        self.answers[stream] = Answer()
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.flush()
        return stream

    def data(self, stream: int, octets: bytes, end: bool = False) -> None:
        self.h2.send_data(stream, octets, end_stream=end)
        self.flush()

    def receive(self) -> None:
        """Read once, and keep what came."""
        octets = self.socket.recv(65536)
        if not octets:
            raise ConnectionResetError("the server has closed the connection")
        for event in self.h2.receive_data(self.without_goaway(octets)):
            if isinstance(event, h2.events.ResponseReceived):
                self.answers[event.stream_id].headers = list(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                self.answers[event.stream_id].body += event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                self.answers[event.stream_id].ended = True
            elif isinstance(event, h2.events.StreamReset):
                self.answers[event.stream_id].reset = event.error_code
        self.flush()

    def without_goaway(self, octets: bytes) -> bytes:
        """Note GOAWAY frames, and drop them: after one the library takes no more of anything."""
        self.partial += octets
        kept = b""
        while len(self.partial) >= 9:
            end = 9 + int.from_bytes(self.partial[:3], "big")
            if len(self.partial) < end:
                break
            frame, self.partial = self.partial[:end], self.partial[end:]
            if frame[3] == GOAWAY:
                self.drained = True
            else:
                kept += frame
        return kept

    def answer(self, stream: int) -> Answer:
        """Read until a stream is over, one way or another."""
        answer = self.answers[stream]
        while not answer.ended and answer.reset is None:
            self.receive()
        return answer
