"""What every test may ask for: certificates, a program of its own, and one that is shared."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
import trustme

import peers
from program import ANY, HOST, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


@dataclass(frozen=True)
class Certificate:
    """A certificate for the loopback address with its key, and the authority that a client must trust for it."""

    certificate: Path
    key: Path
    authority: Path

    def trusting(self, *alpn: str) -> ssl.SSLContext:
        """A client's context that trusts it and offers these protocols."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def issue(directory: Path) -> Certificate:
    """A new authority and a certificate of it, in files of the directory."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST, "localhost")
    made = Certificate(
        directory / "server.crt", directory / "server.key", directory / "authority.crt"
    )
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(str(made.certificate), append=number > 0)
    issued.private_key_pem.write_to_path(str(made.key))
    authority.cert_pem.write_to_path(str(made.authority))
    return made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return issue(tmp_path_factory.mktemp("certificate"))


class Serve(Protocol):
    """Starts a program on a plain and a TLS listener, with these options beside."""

    def __call__(
        self, *options: str, app: str = ..., env: dict[str, str] | None = ...
    ) -> AbstractContextManager[Program]: ...


@pytest.fixture(scope="session")
def serve(certificate: Certificate) -> Serve:
    @contextmanager
    def start(
        *options: str, app: str = "pages:app", env: dict[str, str] | None = None
    ) -> Iterator[Program]:
        arguments = [
            *("--http", ANY),
            *("--https2", f"addr={ANY},cert={certificate.certificate},key={certificate.key}"),
            *("--module", app),
            *options,
        ]
        with Program(arguments, env=env) as program:
            yield program

    return start


@pytest.fixture(scope="session")
def shared(serve: Serve) -> Iterator[Program]:
    """A program with the pages of `apps/pages.py` and eight threads, for tests that leave it as they found it."""
    with serve("--threads", "8") as program:
        yield program


@pytest.fixture
def site(shared: Program) -> Program:
    """The shared program, still running."""
    assert shared.running(), shared.log
    return shared


@pytest.fixture
def binary(monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes the binary the program under test: `$THALWEG_BINARY`, else the newest that Cargo built."""
    target = Path(__file__).parent.parent / "target"
    built = [path for path in target.glob("*/thalweg") if path.is_file()]
    if "THALWEG_BINARY" in os.environ:
        path = os.environ["THALWEG_BINARY"]
    elif built:
        path = str(max(built, key=lambda path: path.stat().st_mtime))
    else:
        peers.missing(
            f"there is no thalweg in {target}: build it with `cargo build -p thalweg-cli`"
        )
    monkeypatch.setenv("THALWEG", path)
    return path
