"""nghttp, which shows each frame, and h2load."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

import peers

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve
    from program import Program


def run(program: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [peers.need(program), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(params=["h2c", "tls"])
def url(request: pytest.FixtureRequest, site: Program) -> str:
    return site.tls_url if request.param == "tls" else site.url


def test_get_shows_the_frames_of_a_well_run_connection(url: str) -> None:
    out = run("nghttp", "--verbose", f"{url}/hello")
    assert re.search(r"recv SETTINGS frame <.*stream_id=0>", out)
    assert "SETTINGS_MAX_CONCURRENT_STREAMS(0x03):256" in out
    assert re.search(r"recv SETTINGS frame <length=0, flags=0x01, stream_id=0>", out), (
        "no acknowledgement"
    )
    assert re.search(r"recv \(stream_id=\d+\) :status: 200", out)
    assert "Hello, world!" in out
    assert "recv RST_STREAM" not in out
    assert "recv GOAWAY" not in out


def test_an_upgrade_leads_to_http_2(site: Program, tmp_path: Path) -> None:
    """RFC 7540, section 3.2; nghttp offers with OPTIONS where it has content to send."""
    out = run("nghttp", "--upgrade", "--verbose", f"{site.url}/hello")
    assert "HTTP Upgrade success" in out
    assert re.search(r"recv \(stream_id=1\) :status: 200", out)
    assert "Hello, world!" in out
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * 300_000)
    out = run("nghttp", "--upgrade", "--data", upload, f"{site.url}/count")
    assert out.startswith("300000 ")
    out = run("nghttp", "--upgrade", "--null-out", "--stat", "--multiply=100", f"{site.url}/hello")
    assert len(re.findall(r"\b200\b\s+\d+\s+/hello", out)) == 100


def test_post_sends_a_body(url: str, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * 300_000)
    assert run("nghttp", "--data", upload, f"{url}/count").startswith("300000 ")


def test_a_body_with_trailers_arrives_whole(url: str, tmp_path: Path) -> None:
    """RFC 9113, section 8.1."""
    upload = tmp_path / "upload"
    upload.write_bytes(b"x" * 1000)
    out = run("nghttp", "--data", upload, "--trailer", "checksum: 1", f"{url}/count")
    assert out.startswith("1000 ")


def test_many_streams_are_answered_on_one_connection(url: str) -> None:
    out = run("nghttp", "--null-out", "--stat", "--multiply=100", f"{url}/hello")
    assert len(re.findall(r"\b200\b\s+\d+\s+/hello", out)) == 100


def test_padding_and_continuation_are_understood(url: str) -> None:
    """RFC 9113, sections 6.1, 6.2 and 6.10."""
    out = run("nghttp", "--padding=255", "--continuation", f"{url}/hello")
    assert out == "Hello, world!\n"


def test_a_header_table_of_another_size_is_respected(url: str) -> None:
    """RFC 7541, section 4.2."""
    for size in ("0", "16384"):
        assert run("nghttp", f"--header-table-size={size}", f"{url}/hello", f"{url}/environ")


def test_h2load_finishes_all_its_requests(url: str) -> None:
    out = run("h2load", "-n", "20000", "-c", "8", "-m", "100", f"{url}/hello")
    assert "20000 succeeded, 0 failed, 0 errored, 0 timeout" in out
    assert "status codes: 20000 2xx" in out


def test_h2load_finishes_all_its_requests_over_http_1_1(site: Program) -> None:
    out = run("h2load", "--h1", "-n", "5000", "-c", "16", f"{site.url}/hello")
    assert "5000 succeeded, 0 failed, 0 errored, 0 timeout" in out


def test_several_io_threads_share_the_connections(serve: Serve) -> None:
    with serve("--io-threads", "3") as program:
        for url in (program.url, program.tls_url):
            out = run("h2load", "-n", "20000", "-c", "30", "-m", "20", f"{url}/hello")
            assert "status codes: 20000 2xx" in out
