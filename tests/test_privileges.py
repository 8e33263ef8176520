"""As root: addresses are bound and keys read, then all power is given up, then the application is loaded."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from program import ANY, APPS, HOST, Program, powers, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certificates import Certificate

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


@pytest.fixture(scope="module")
def interpreter() -> str:
    """An interpreter that nobody may run and that has our packages: ours, or the system's of the same version."""
    tried = []
    for candidate in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run(
                [candidate, "-c", "import thalweg._thalweg"],
                cwd=APPS,
                env=with_packages(),
                capture_output=True,
                text=True,
                check=True,
                **powers(less=True),
            )
        except subprocess.CalledProcessError as error:
            tried.append(f"{candidate}: {error.stderr.strip()}")
        except OSError as error:
            tried.append(str(error))
        else:
            return candidate
    pytest.skip(f"the user nobody can run no interpreter with our packages: {tried}")


def with_packages() -> dict[str, str]:
    return {"PYTHONPATH": sysconfig.get_path("platlib"), "PATH": os.defpath, "VIRTUAL_ENV": ""}


@pytest.fixture(params=["binary", "wheel"])
def started(
    request: pytest.FixtureRequest, interpreter: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """Both programs that start as root, in turn, as the program under test; the options that each needs."""
    if request.param == "binary":
        request.getfixturevalue("binary")
        yield ["--python", interpreter]
        return
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        script = Path(directory, "thalweg")
        script.write_text(
            f"#!{interpreter}\nimport sys\nfrom thalweg.__main__ import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("THALWEG", str(script))
        yield []


@pytest.mark.parametrize("group", [None, "daemon"])
def test_the_application_runs_with_no_power_left(
    private: Certificate, started: list[str], group: str | None
) -> None:
    port = low_port()
    arguments = [
        *started,
        *("--http", f"{HOST}:{port}"),
        *("--https2", f"addr={ANY},cert={private.certificate},key={private.key}"),
        *("--uid", "nobody"),
        *(("--gid", group) if group else ()),
        "pages:app",
    ]
    with Program(arguments, env=with_packages()) as program:
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
