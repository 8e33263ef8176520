"""The access log: a line for each request, in the combined format with the request's id after it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from http2 import Client

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve

LINE = re.compile(
    r"(?P<peer>\S+) - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
    r'"(?P<request>[^"]*)" (?P<status>\d{3}) (?P<octets>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
    r" id=(?P<id>\S+)( .*)?"
)


def lines(path: Path, count: int) -> list[re.Match[str]]:
    """The log's lines, once there are so many."""
    until = time.monotonic() + 10
    while len(found := path.read_text().splitlines()) < count:
        assert time.monotonic() < until, found
        time.sleep(0.02)
    matches = [LINE.fullmatch(line) for line in found]
    assert None not in matches, found
    return [match for match in matches if match]


def test_every_request_has_a_line_with_its_own_id(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serve("--access-log", str(log)) as program:
        with Client.plain(program) as client:
            client.get("/hello", [("user-agent", "tester"), ("referer", "http://elsewhere/")])
            client.get("/nowhere?a=b")
        with program.connect() as connection:
            connection.sendall(b"GET /octets?size=5 HTTP/1.1\r\nhost: localhost\r\n\r\n")
            connection.recv(65_536)
        first, second, third = lines(log, 3)
    assert first["peer"] == "127.0.0.1"
    assert first["request"] == "GET /hello HTTP/2"
    assert (first["status"], first["octets"]) == ("200", "14")
    assert (first["referer"], first["agent"]) == ("http://elsewhere/", "tester")
    assert (second["request"], second["status"]) == ("GET /nowhere?a=b HTTP/2", "404")
    assert (third["request"], third["octets"]) == ("GET /octets?size=5 HTTP/1.1", "5")
    assert (third["referer"], third["agent"]) == ("-", "-")
    assert len({first["id"], second["id"], third["id"]}) == 3


def test_a_client_cannot_forge_a_line(serve: Serve, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with serve("--access-log", str(log)) as program, program.connect() as connection:
        connection.sendall(
            b'GET /hello HTTP/1.1\r\nhost: localhost\r\nuser-agent: a" 200 1 "\xff\\\r\n\r\n'
        )
        connection.recv(65_536)
        (line,) = lines(log, 1)
    assert line["status"] == "200"
    assert line["agent"] == r"a\x22 200 1 \x22\xFF\x5C"


def test_the_log_can_go_to_standard_error(serve: Serve) -> None:
    with serve("--access-log", "-") as program:
        with Client.plain(program) as client:
            client.get("/hello")
        until = time.monotonic() + 10
        while '"GET /hello HTTP/2" 200 14' not in program.log:
            assert time.monotonic() < until, program.log
            time.sleep(0.02)
