"""What is lent to the network comes back."""

from collections.abc import Callable
from pathlib import Path

from conftest import Server, eventually

MIB = 1 << 20


def resident(server: Server) -> int:
    """Octets in memory, as the process' status tells them."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def test_large_blocks_are_released_without_a_further_request(serve: Callable[..., Server]) -> None:
    server = serve(
        source="""
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x" * (64 << 20)]
"""
    )
    for version in ("HTTP/1.1", "HTTP/2"):
        with server.client(version) as client:
            assert len(client.get("/").content) == 64 * MIB
    eventually(lambda: [] if resident(server) < 48 * MIB else None)


def test_blocks_do_not_gather_while_the_threads_are_busy(serve: Callable[..., Server]) -> None:
    server = serve(
        "--threads",
        "1",
        source="""
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(512):
        yield b"x" * (1 << 20)
""",
    )
    most = 0
    for version in ("HTTP/1.1", "HTTP/2"):
        with server.client(version) as client, client.stream("GET", "/") as answer:
            received = 0
            for number, part in enumerate(answer.iter_raw()):
                received += len(part)
                if number % 500 == 0:
                    most = max(most, resident(server))
            assert received == 512 * MIB
    assert most < 64 * MIB
