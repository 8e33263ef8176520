"""The `thalweg` binary, which has no Python in it and starts an interpreter in its own place.

Its mistakes are found without any interpreter, so that they are tried as a user without power here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import httpx
import pytest

from program import ANY, HOST, Program, refused, run

if TYPE_CHECKING:
    from pathlib import Path

    from certificates import Certificate

pytestmark = pytest.mark.usefixtures("binary")


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


def test_an_unreadable_key_is_named(certificate: Certificate) -> None:
    # Not `tmp_path`, whose parents are ours alone.
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        public = shutil.copy(certificate.certificate, directory)
        os.chmod(public, 0o644)
        key = shutil.copy(certificate.key, directory)
        os.chmod(key, 0)
        https2 = f"addr={ANY},cert={public},key={key}"
        outcome = run("--https2", https2, "pages:app", powerless=True)
    assert key in refused(outcome, 1)


def test_a_privileged_port_is_named_with_what_to_do() -> None:
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as setting:
        first = int(setting.read())
    if first <= 443:
        pytest.skip(f"every port from {first} on may be bound by everybody here")
    line = refused(run("--http", f"{HOST}:443", "pages:app", powerless=True), 1)
    assert f"{HOST}:443" in line
    assert "1024" in line or "root" in line, "what to do about it"


def test_only_root_may_become_somebody_else() -> None:
    line = refused(run("--http", ANY, "--uid", "root", "pages:app", powerless=True), 1)
    assert "root" in line
