"""The environ over TLS and over a Unix socket."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from conftest import PATIENCE, Server, free_port


@pytest.fixture
def identity(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of our own, and its key."""
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    how = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command = ["openssl", *how.split(), "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_25_over_tls_the_scheme_is_https(
    serve: Callable[..., Server], identity: tuple[Path, Path], version: str
) -> None:
    port = free_port()
    serve("--https2", f"addr=127.0.0.1:{port},cert={identity[0]},key={identity[1]}")
    with httpx.Client(verify=False, http2=version == "HTTP/2", timeout=PATIENCE, trust_env=False) as client:
        environ = client.get(f"https://127.0.0.1:{port}/environment").json()
    assert environ["SERVER_PROTOCOL"] == version
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTPS"] == "on"
    assert environ["SERVER_PORT"] == str(port)


def test_24_the_required_keys_are_there_over_a_unix_socket(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    serve("--http", str(path))
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=PATIENCE) as client:
        environ = json.loads(client.get("http://example.org/environment").content)
    assert environ["SERVER_NAME"] == "localhost"
    assert environ["SERVER_PORT"] == "80"
    assert environ["REMOTE_ADDR"] == ""
    assert environ["HTTP_HOST"] == "example.org"
