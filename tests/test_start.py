"""Starting: the command lines that are promised, and one clear line for each that cannot work."""

from __future__ import annotations

import os
import re
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from certificates import Certificate, issue
from program import ANY, APPS, HOST, Outcome, Program, refused, run

if TYPE_CHECKING:
    from pathlib import Path


STATUS_USAGE = 2
STATUS_ELSE = 1


def https2(certificate: Certificate, more: str = "") -> str:
    return f"addr={ANY},cert={certificate.certificate},key={certificate.key}{more}"


# ---- command lines that work


def test_the_command_line_of_uwsgis_router_serves(certificate: Certificate) -> None:
    arguments = [
        "--https2",
        https2(certificate, ",spdy=1"),
        "--module",
        "werkzeug.testapp:test_app",
    ]
    with Program(arguments) as program:
        with httpx.Client(http2=True, verify=certificate.trusting()) as client:
            answer = client.get(f"{program.tls_url}/")
        assert answer.http_version == "HTTP/2"
        assert "WSGI Information" in answer.text
        assert re.search(r"SPDY.*not built in", program.log), (
            "the log does not say that there is no SPDY"
        )


def test_the_long_command_line_serves_both_ports(certificate: Certificate) -> None:
    arguments = [
        *("--http", ANY, "--https2", https2(certificate)),
        *("--wsgi-file", "pages.py", "--callable", "app", "--threads", "8"),
    ]
    with Program(arguments) as program:
        assert httpx.get(f"{program.url}/hello").text == "Hello, world!\n"
        trusting = certificate.trusting()
        assert httpx.get(f"{program.tls_url}/hello", verify=trusting).text == "Hello, world!\n"


def test_the_short_form_serves_on_port_8000() -> None:
    with closing(socket.socket()) as probe:
        if probe.connect_ex((HOST, 8000)) == 0:
            pytest.skip("something else listens on port 8000 of this machine")
    with Program(["pages:app"]) as program:
        assert httpx.get(f"{program.url}/hello").text == "Hello, world!\n"


def test_the_version_is_told() -> None:
    outcome = run("--version")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert re.fullmatch(r"thalweg \d+\.\d+\.\d+\n", outcome.stdout)


def test_help_names_the_options_that_matter() -> None:
    outcome = run("--help")
    assert (outcome.status, outcome.stderr) == (0, "")
    for option in ("--http", "--https2", "--module", "--wsgi-file", "--callable", "--threads"):
        assert re.search(rf"{option}\b", outcome.stdout), option


def test_an_application_is_found_from_another_directory(tmp_path: Path) -> None:
    for arguments in (["--chdir", str(APPS)], ["--pythonpath", str(APPS)]):
        command = ["--http", ANY, *arguments, "pages:app"]
        with Program(command, cwd=tmp_path) as program:
            assert httpx.get(f"{program.url}/hello").status_code == 200


def test_a_listener_on_a_unix_socket_serves(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    arguments = ["--http", ANY, "--http", str(path), "pages:app"]
    with Program(arguments):
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            assert client.get("/hello").text == "Hello, world!\n"


# ---- command lines that make no sense: status 2


def test_an_unknown_option_is_answered_with_the_nearest_name() -> None:
    line = refused(run("--thread", "8", "pages:app"), STATUS_USAGE)
    assert "--thread" in line
    assert "--threads" in line
    assert "--callable" in refused(run("--calable", "app", "pages:app"), STATUS_USAGE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "application"),
        (["--threads", "many", "pages:app"], "--threads"),
        (["--threads", "0", "pages:app"], "--threads"),
        (["--threads"], "--threads"),
        (["--http", "nowhere", "pages:app"], "--http"),
        (["--http", "127.0.0.1:70000", "pages:app"], "--http"),
        (["--https2", "addr=:1", "pages:app"], "--https2"),
        (["--https2", "addr=:1,cert=a,key=b,spdi=1", "pages:app"], "spdi"),
        (["--head-timeout", "soon", "pages:app"], "--head-timeout"),
    ],
)
def test_values_that_make_no_sense_are_named(arguments: list[str], said: str) -> None:
    assert said in refused(run(*arguments), STATUS_USAGE)


# ---- what is not as it must be: status 1


def start_with(certificate: Path, key: Path) -> Outcome:
    return run("--https2", f"addr={ANY},cert={certificate},key={key}", "pages:app")


def test_a_missing_certificate_or_key_is_named(certificate: Certificate, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    assert str(missing) in refused(start_with(missing, certificate.key), STATUS_ELSE)
    assert str(missing) in refused(start_with(certificate.certificate, missing), STATUS_ELSE)


def test_a_file_without_a_certificate_or_key_is_named(
    certificate: Certificate, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    for content in (
        "",
        "not PEM at all\n",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    ):
        other.write_text(content)
        assert str(other) in refused(start_with(other, certificate.key), STATUS_ELSE)
        assert str(other) in refused(start_with(certificate.certificate, other), STATUS_ELSE)


def test_a_key_that_does_not_match_is_refused(certificate: Certificate, tmp_path: Path) -> None:
    stranger = issue(tmp_path)
    line = refused(start_with(certificate.certificate, stranger.key), STATUS_ELSE)
    assert str(stranger.key) in line or str(certificate.certificate) in line


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("no_such_module:app", "no_such_module"),
        ("pages:no_such_name", "no_such_name"),
        ("pages:CHUNK", "CHUNK"),
        ("no_such_package.module:app", "no_such_package"),
    ],
)
def test_an_application_that_is_not_there_is_named(app: str, said: str) -> None:
    line = refused(run("--http", ANY, app), STATUS_ELSE)
    assert said in line


def test_a_file_that_is_not_there_is_named() -> None:
    outcome = run("--http", ANY, "--wsgi-file", "no_such_file.py")
    assert "no_such_file.py" in refused(outcome, STATUS_ELSE)


def test_an_application_that_raises_on_import_is_told_of_with_its_own_traceback() -> None:
    outcome = run("--http", ANY, "raises_on_import:app")
    assert outcome.status == STATUS_ELSE
    assert "RuntimeError: no database today" in outcome.stderr
    (line,) = [line for line in outcome.stderr.splitlines() if line.startswith("thalweg: ")]
    assert "raises_on_import" in line
    # The traceback is the application's alone: it begins where its file was run.
    shown = re.findall(r'File "([^"]+)"', outcome.stderr)
    assert not [file for file in shown if "thalweg" in os.path.basename(os.path.dirname(file))], (
        shown
    )


def test_a_port_in_use_is_named() -> None:
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
        line = refused(run("--http", f"{HOST}:{port}", "pages:app"), STATUS_ELSE)
    assert f"{HOST}:{port}" in line
    assert "in use" in line


def test_an_address_that_is_not_ours_is_named() -> None:
    line = refused(run("--http", "192.0.2.1:0", "pages:app"), STATUS_ELSE)
    assert "192.0.2.1" in line
