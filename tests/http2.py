"""A client of HTTP/2 that sees every event and chooses when credit is returned, on Python's `h2`."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import h2.settings
import hyperframe.frame

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from program import Program

READ = 1 << 18
# What the server may send on all streams together before credit comes back.
CONNECTION_WINDOW = 1 << 24


@dataclass
class Answer:
    """What came back on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    # The error code of RST_STREAM, if there was one.
    reset: int | None = None
    # Whether the stream is over, either way.
    ended: bool = False

    @property
    def status(self) -> int:
        return int(self.headers[":status"])

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """One connection. Nothing is read but while one of its methods waits."""

    def __init__(
        self,
        connected: socket.socket,
        *,
        stream_window: int,
        checked: bool = True,
    ) -> None:
        """`checked` is whether what is sent is held to the rules that `h2` knows."""
        self.answers: dict[int, Answer] = {}
        # The error code of GOAWAY, if there was one, and the last stream it names.
        self.goaway: int | None = None
        self.last_stream: int | None = None
        self.closed = False
        self.scheme = "https" if isinstance(connected, ssl.SSLSocket) else "http"
        # Streams whose DATA is answered with stream credit: all of them, but for those in here.
        self.unread: set[int] = set()
        self.connected = connected
        # The beginning of a frame.
        self._incoming = bytearray()
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=checked,
                normalize_outbound_headers=checked,
            )
        )
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: stream_window,
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW)
        self.flush()

    @classmethod
    def plain(cls, program: Program, *, stream_window: int = 1 << 20, checked: bool = True) -> Self:
        """Over cleartext, by prior knowledge."""
        return cls(program.connect(), stream_window=stream_window, checked=checked)

    @classmethod
    def tls(
        cls, program: Program, context: ssl.SSLContext, *, stream_window: int = 1 << 20
    ) -> Self:
        connected = program.connect_tls(context)
        assert connected.selected_alpn_protocol() == "h2"
        return cls(connected, stream_window=stream_window)

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
    def peer_streams(self) -> int:
        """SETTINGS_MAX_CONCURRENT_STREAMS of the server; settings are read if none came yet."""
        self.settle(lambda: self._settings_seen)
        return self._h2.remote_settings.max_concurrent_streams

    _settings_seen = False

    def request(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        end: bool = True,
    ) -> int:
        """Sends a request with all its body; the stream's number. `end` false leaves the stream open for more."""
        stream = self._h2.get_next_available_stream_id()
        self.answers[stream] = Answer()
        head = [
            (":method", method),
            (":scheme", self.scheme),
            (":authority", "localhost"),
            (":path", path),
            *headers,
        ]
        self._h2.send_headers(stream, head, end_stream=end and body is None)
        self.flush()
        if body is not None:
            self.send(stream, body, end=end)
        return stream

    def get(self, path: str, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        """A request without a body and all of its answer."""
        return self.answer(self.request(path, headers=headers))

    def room(self, stream: int) -> int:
        """Octets that the server lets us send on the stream now."""
        return self._h2.local_flow_control_window(stream)

    def send(self, stream: int, body: bytes, *, end: bool = True) -> None:
        """Sends octets of a request's body, reading while there is no credit; gives up on a stream that is over."""
        rest = memoryview(body)
        while rest:
            self.settle(lambda: self.room(stream) > 0 or self.answers[stream].ended)
            if self.answers[stream].ended:
                return
            size = min(self.room(stream), self._h2.max_outbound_frame_size, len(rest))
            self._h2.send_data(stream, bytes(rest[:size]), end_stream=end and size == len(rest))
            rest = rest[size:]
            self.flush()
        if end and not body:
            self._h2.end_stream(stream)
            self.flush()

    def send_unchecked(self, stream: int, body: bytes) -> None:
        """Ends a stream with these octets, whatever length its head has announced."""
        self.flush()
        frame = hyperframe.frame.DataFrame(stream, data=body, flags=["END_STREAM"])
        self.connected.sendall(frame.serialize())

    def fill(self, stream: int) -> int:
        """Sends octets of a body until the server gives no more credit for half a second; how many."""
        sent = 0
        while True:
            if (room := self.room(stream)) == 0:
                if not self.step(0.5):
                    return sent
                continue
            size = min(room, self._h2.max_outbound_frame_size)
            self._h2.send_data(stream, bytes(size))
            sent += size
            self.flush()

    def forget_limit(self) -> None:
        """Lets more streams be opened than the server allows."""
        self._h2.remote_settings.max_concurrent_streams = 1 << 20
        self._h2.remote_settings.acknowledge()

    def reset(self, stream: int) -> None:
        self._h2.reset_stream(stream, 8)  # CANCEL
        self.flush()

    def credit(self, stream: int, octets: int) -> None:
        """Lets the server send so many octets more on the stream."""
        self._h2.increment_flow_control_window(octets, stream)
        self.flush()

    def ping(self) -> None:
        """Returns once the server has answered a PING, and so has seen all that was sent before."""
        self._pongs = 0
        self._h2.ping(b"are you?")
        self.flush()
        self.settle(lambda: self._pongs > 0)

    _pongs = 0

    def answer(self, stream: int, timeout: float = 20) -> Answer:
        """The answer on a stream once it is over."""
        answer = self.answers[stream]
        self.settle(lambda: answer.ended, timeout)
        return answer

    def settle_body(self, stream: int, size: int) -> None:
        """Reads until at least so many octets of an answer's body are here."""
        self.settle(lambda: len(self.answers[stream].body) >= size)

    def settle(self, done: Callable[[], bool], timeout: float = 20) -> None:
        """Reads until it is so."""
        until = time.monotonic() + timeout
        while not done():
            if self.closed:
                raise ConnectionError(f"the server closed the connection (GOAWAY {self.goaway})")
            if not self.step(max(0.0, until - time.monotonic())) and time.monotonic() >= until:
                raise TimeoutError(f"still waiting after {timeout} s")

    def step(self, timeout: float) -> bool:
        """Reads once and returns credit; whether anything came."""
        self.connected.settimeout(max(timeout, 0.001))
        try:
            data = self.connected.recv(READ)
        except TimeoutError:
            return False
        if not data:
            self.closed = True
            return True
        for event in self._h2.receive_data(self._look_for_goaway(data)):
            self._see(event)
        self.flush()
        return True

    def flush(self) -> None:
        if data := self._h2.data_to_send():
            self.connected.settimeout(20)
            self.connected.sendall(data)

    def _look_for_goaway(self, data: bytes) -> bytes:
        """Notes GOAWAY and leaves it out: `h2` takes it for the connection's end, while streams go on after it."""
        self._incoming += data
        whole = bytearray()
        while len(self._incoming) >= 9:
            end = 9 + int.from_bytes(self._incoming[:3], "big")
            if len(self._incoming) < end:
                break
            frame = self._incoming[:end]
            if frame[3] == 7:
                self.last_stream = int.from_bytes(frame[9:13], "big")
                self.goaway = int.from_bytes(frame[13:17], "big")
            else:
                whole += frame
            del self._incoming[:end]
        return bytes(whole)

    def _see(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived(stream_id=stream, headers=headers):
                self.answers[stream].headers = {str(name): str(value) for name, value in headers}
            case h2.events.DataReceived(stream_id=stream, data=data, flow_controlled_length=size):
                self.answers[stream].body += data
                if size and stream in self.unread:
                    self._h2.increment_flow_control_window(size)
                elif size:
                    self._h2.acknowledge_received_data(size, stream)
            case h2.events.StreamEnded(stream_id=stream):
                self.answers[stream].ended = True
            case h2.events.StreamReset(stream_id=stream, error_code=code):
                self.answers[stream].reset = int(code)
                self.answers[stream].ended = True
            case h2.events.RemoteSettingsChanged():
                self._settings_seen = True
            case h2.events.PingAckReceived():
                self._pongs += 1
