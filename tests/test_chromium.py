"""Headless chromium: what a user of a browser sees."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import peers

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Serve
    from program import Program


def dom(url: str, profile: Path) -> str:
    """The document at a URL, as it is once its scripts have run."""
    flags = [
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--ignore-certificate-errors",
        f"--user-data-dir={profile}",
    ]
    if os.geteuid() == 0:
        # Chromium's sandbox does not work for root.
        flags.append("--no-sandbox")
    done = subprocess.run(
        [peers.need("chromium"), *flags, "--dump-dom", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_browser_chooses_http_2_over_tls(site: Program, tmp_path: Path) -> None:
    assert "protocol=h2<" in dom(f"{site.tls_url}/protocol", tmp_path)


def test_the_browser_speaks_http_1_1_without_tls(site: Program, tmp_path: Path) -> None:
    assert "protocol=http/1.1<" in dom(f"{site.url}/protocol", tmp_path)


def test_the_browser_shows_the_test_application_of_werkzeug(serve: Serve, tmp_path: Path) -> None:
    with serve(app="werkzeug.testapp:test_app") as program:
        page = dom(f"{program.tls_url}/", tmp_path)
    assert "WSGI Information" in page
    assert "HTTP/2" in page
