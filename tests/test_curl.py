"""curl, over every way to speak HTTP/1.x and HTTP/2 to it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import peers

if TYPE_CHECKING:
    from certificates import Certificate
    from conftest import Serve
    from program import Program

# The three ways to a page that curl has over one port or the other.
WAYS = {"http1": ["--http1.1"], "h2c": ["--http2-prior-knowledge"], "http2-tls": ["--http2"]}

# Old curls (7.88) break a connection of prior knowledge when they use it again (their error 16).
reusing = pytest.mark.parametrize("way", ["http1", "http2-tls"], indirect=True)


def curl(*arguments: str | Path) -> str:
    """What curl wrote; fails unless it was content."""
    done = subprocess.run(
        [peers.need("curl"), "--silent", "--show-error", "--max-time", "60", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"curl: {done.stderr}"
    return done.stdout


@pytest.fixture(params=WAYS)
def way(
    request: pytest.FixtureRequest, site: Program, certificate: Certificate
) -> list[str | Path]:
    """curl's options for one way."""
    return [*WAYS[request.param], "--cacert", certificate.authority]


@pytest.fixture
def url(way: list[str | Path], site: Program) -> str:
    return site.tls_url if "--http2" in way else site.url


def test_a_page_arrives_over_each_protocol(way: list[str | Path], url: str) -> None:
    assert curl(*way, f"{url}/hello") == "Hello, world!\n"


@pytest.mark.parametrize(
    ("options", "tls", "said"),
    [
        (["--http1.0"], False, "1.0"),
        (["--http1.1"], False, "1.1"),
        (["--http2-prior-knowledge"], False, "2"),
        (["--http1.0"], True, "1.0"),
        (["--http1.1"], True, "1.1"),
        (["--http2"], True, "2"),
        (["--tls-max", "1.2", "--http2"], True, "2"),
        (["--no-alpn"], True, "1.1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_client_and_application_agree_on_the_protocol(
    site: Program, certificate: Certificate, options: list[str], tls: bool, said: str
) -> None:
    url = site.tls_url if tls else site.url
    out = curl(
        *options,
        *("--cacert", certificate.authority),
        *("--write-out", "\n%{http_version}"),
        f"{url}/environ",
    )
    body, _, version = out.rpartition("\n")
    environ = json.loads(body)
    # An answer to HTTP/1.0 may call itself 1.1 (RFC 9110, section 2.5).
    assert version == said or (said == "1.0" and version == "1.1")
    assert environ["SERVER_PROTOCOL"] == f"HTTP/{said}"
    assert environ["wsgi.url_scheme"] == ("https" if tls else "http")
    assert environ.get("HTTPS", "off") == ("on" if tls else "off")


def test_an_upgrade_to_h2c_is_served_over_http_2(site: Program) -> None:
    """RFC 7540, section 3.2: the request is the application's once, as one of HTTP/2."""
    out = curl("--http2", "--write-out", "\n%{http_version}", f"{site.url}/environ")
    body, _, version = out.rpartition("\n")
    environ = json.loads(body)
    assert (version, environ["SERVER_PROTOCOL"]) == ("2", "HTTP/2")
    assert "HTTP_UPGRADE" not in environ
    assert "HTTP_HTTP2_SETTINGS" not in environ
    out = curl("--http2", *[f"{site.url}/hello"] * 3)
    assert out == "Hello, world!\n" * 3


def test_an_upgrade_is_not_taken_with_content_or_through_a_proxy(site: Program) -> None:
    version = ("--write-out", " %{http_version}")
    out = curl("--http2", *version, "--data-binary", "abc", f"{site.url}/count")
    assert out.startswith("3 ")
    assert out.endswith(" 1.1")
    out = curl("--http2", *version, "--header", "X-Forwarded-For: 192.0.2.1", f"{site.url}/hello")
    assert out == "Hello, world!\n 1.1"


def test_an_upgrade_is_not_taken_where_it_is_off(serve: Serve) -> None:
    with serve("--h2c-upgrade", "off") as program:
        out = curl("--http2", "--write-out", "%{http_version}", f"{program.url}/hello")
        assert out == "Hello, world!\n1.1"


def test_http_1_0_ends_a_body_of_unknown_length_by_closing(site: Program) -> None:
    out = curl("--http1.0", "--include", "--data-binary", "some octets", f"{site.url}/echo")
    head, _, body = out.partition("\n\n") if "\r\n\r\n" not in out else out.partition("\r\n\r\n")
    assert body == "some octets"
    assert "transfer-encoding" not in head.lower()


def test_head_brings_the_fields_of_get_and_no_body(way: list[str | Path], url: str) -> None:
    head = curl(*way, "--head", f"{url}/hello")
    assert " 200" in head.splitlines()[0]
    assert "content-length: 14" in head.lower()


def test_a_body_with_its_length_arrives_whole(
    way: list[str | Path], url: str, tmp_path: Path
) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(bytes(range(256)) * 4096)
    echoed = tmp_path / "echoed"
    curl(*way, "--data-binary", f"@{upload}", "--output", echoed, f"{url}/echo")
    assert echoed.read_bytes() == upload.read_bytes()


def test_a_body_without_a_length_arrives_whole(way: list[str | Path], url: str) -> None:
    """Chunked over HTTP/1.1, bare DATA over HTTP/2."""
    with subprocess.Popen(["head", "-c", "1000000", "/dev/zero"], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [
                peers.need("curl"),
                "-sS",
                "--max-time",
                "60",
                *way,
                "--upload-file",
                "-",
                f"{url}/count",
            ],
            stdin=source.stdout,
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.split()[0] == "1000000"


def test_expect_100_continue_is_answered_when_the_body_is_read(site: Program) -> None:
    """RFC 9110, section 10.1.1. Without the 100, curl would wait for the whole minute."""
    out = curl(
        *("--http1.1", "--verbose", "--stderr", "-", "--expect100-timeout", "60"),
        *("--header", "Expect: 100-continue", "--data-binary", "wanted"),
        f"{site.url}/count",
    )
    assert "< HTTP/1.1 100 Continue" in out
    assert "\n6 " in out


def test_a_body_that_was_only_announced_is_not_asked_for_unless_read(site: Program) -> None:
    out = curl(
        *("--http1.1", "--verbose", "--stderr", "-", "--expect100-timeout", "60"),
        *("--header", "Expect: 100-continue", "--data-binary", "unwanted"),
        f"{site.url}/hello",
    )
    assert "100 Continue" not in out
    assert "Hello, world!" in out


@reusing
def test_requests_share_a_connection(way: list[str | Path], url: str) -> None:
    out = curl(*way, "--write-out", "%{num_connects}\n", *[f"{url}/hello"] * 3)
    connects = [line for line in out.splitlines() if line.isdigit()]
    assert connects == ["1", "0", "0"]


def test_streams_of_one_connection_answer_in_parallel(
    site: Program, certificate: Certificate
) -> None:
    out = curl(
        *("--http2", "--parallel", "--parallel-max", "50", "--cacert", certificate.authority),
        f"{site.tls_url}/octets?size=[1-50]",
    )
    assert len(out) == sum(range(1, 51))


@reusing
def test_a_failing_application_gives_500_and_the_connection_goes_on(
    site: Program, way: list[str | Path], url: str
) -> None:
    told = [*way, "--write-out", "%{http_code} %{num_connects}\n", "--output", "/dev/null"]
    out = curl(*told, f"{url}/fail", "--next", "--silent", *told, f"{url}/hello")
    assert out.splitlines() == ["500 1", "200 0"]
    # The client is told before the log is.
    until = time.monotonic() + 10
    while "this page always fails" not in site.log:
        assert time.monotonic() < until, site.log
        time.sleep(0.02)
    site.forgive()
