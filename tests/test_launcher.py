"""The `thalweg` binary, which has no Python in it and starts an interpreter in its own place.

It is `$THALWEG_BINARY`, else what Cargo built into `target`; its tests are skipped where neither is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

import program
from program import ANY, Program, run

if TYPE_CHECKING:
    from conftest import Certificate

TARGET = Path(__file__).parent.parent / "target"


@pytest.fixture(autouse=True)
def binary(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes the binary the program under test."""
    built = [TARGET / profile / "thalweg" for profile in ("debug", "release")]
    found = [path for path in built if path.exists()]
    path = Path(os.environ["THALWEG_BINARY"]) if "THALWEG_BINARY" in os.environ else None
    if path is None:
        if not found:
            pytest.skip("there is no target/debug/thalweg and no target/release/thalweg")
        path = max(found, key=lambda path: path.stat().st_mtime)
    monkeypatch.setenv("THALWEG", str(path))
    assert program.thalweg() == str(path)
    return path


def test_it_serves_in_its_own_place_over_both_ports(certificate: Certificate) -> None:
    arguments = [
        *("--http", ANY),
        *(
            "--https2",
            f"addr={ANY},cert={certificate.certificate},key={certificate.key}",
        ),
        "pages:app",
    ]
    with Program(arguments) as served:
        assert httpx.get(f"{served.url}/hello").text == "Hello, world!\n"
        with httpx.Client(http2=True, verify=certificate.trusting()) as client:
            assert client.get(f"{served.tls_url}/hello").http_version == "HTTP/2"
        # The same process: whoever started it signals the server itself.
        assert "python" in os.readlink(f"/proc/{served.pid}/exe")


def test_it_needs_no_libpython(binary: Path) -> None:
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    assert "libpython" not in linked


def test_the_interpreter_can_be_chosen() -> None:
    arguments = ["--http", ANY, "--python", sys.executable, "pages:app"]
    with Program(arguments, env={"VIRTUAL_ENV": "/nonexistent"}) as served:
        assert httpx.get(f"{served.url}/hello").status_code == 200


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    outcome = run("--http", ANY, "--python", str(missing), "pages:app")
    assert outcome.status == 1
    assert outcome.stderr.startswith("thalweg: ")
    assert str(missing) in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_an_interpreter_without_the_wheel_is_told_of(tmp_path: Path) -> None:
    """With what to do, instead of Python's own words."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    outcome = run(*("--http", ANY, "--virtualenv", str(tmp_path / "venv"), "pages:app"))
    assert outcome.status == 1
    assert outcome.stderr.startswith("thalweg: ")
    assert outcome.stderr.count("\n") == 1
    assert str(tmp_path / "venv") in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_mistakes_are_found_before_any_interpreter_runs() -> None:
    outcome = run("--http", ANY, "--thread", "1", "--python", "/bin/false", "pages:app")
    assert outcome.status == 2
    assert "--threads" in outcome.stderr
