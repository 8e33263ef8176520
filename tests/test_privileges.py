"""As root: addresses are bound and keys read, then all power is given up, then the application is loaded."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from program import ANY, HOST, Program, need_powerless, run

if TYPE_CHECKING:
    from conftest import Certificate

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")

NOBODY = pwd.getpwnam("nobody")


def low_port() -> int:
    """A free port that only root may bind."""
    for port in range(1023, 511, -1):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    pytest.skip("no free port below 1024")


@pytest.fixture
def private(certificate: Certificate, tmp_path: Path) -> Certificate:
    """The certificate with a key that only root can read."""
    key = tmp_path / "private.key"
    shutil.copy(certificate.key, key)
    key.chmod(0o600)
    return type(certificate)(certificate.certificate, key, certificate.authority)


@pytest.fixture(autouse=True)
def nobody_can_run_python() -> None:
    need_powerless()


@pytest.mark.parametrize("group", [None, "daemon"])
def test_the_application_runs_with_no_power_left(private: Certificate, group: str | None) -> None:
    port = low_port()
    arguments = [
        *("--http", f"{HOST}:{port}"),
        *("--https2", f"addr={ANY},cert={private.certificate},key={private.key}"),
        *("--uid", "nobody"),
        *(("--gid", group) if group else ()),
        "pages:app",
    ]
    with Program(arguments) as program:
        assert httpx.get(f"{program.url}/hello").status_code == 200
        answer = httpx.get(f"{program.tls_url}/hello", verify=private.trusting())
        assert answer.status_code == 200
        user = str(NOBODY.pw_uid)
        expected = str(grp.getgrnam(group).gr_gid if group else NOBODY.pw_gid)
        # Every thread has its own credentials.
        tasks = Path(f"/proc/{program.pid}/task")
        for thread in os.listdir(tasks):
            status = dict(
                line.split(":\t", 1)
                for line in (tasks / thread / "status").read_text().splitlines()
                if ":\t" in line
            )
            assert status["Uid"].split() == [user] * 4
            assert status["Gid"].split() == [expected] * 4
            assert set(status["Groups"].split()) <= {expected}
            for powers in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                assert int(status[powers], 16) == 0, powers


@pytest.mark.parametrize(("option", "name"), [("--uid", "nobody-here"), ("--gid", "no-group-here")])
def test_an_unknown_user_or_group_is_named(option: str, name: str) -> None:
    outcome = run("--http", ANY, option, name, "pages:app")
    assert outcome.status in (1, 2)
    assert outcome.stderr.startswith("thalweg: ")
    assert name in outcome.stderr
    assert outcome.stderr.count("\n") == 1
