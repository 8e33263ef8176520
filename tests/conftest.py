"""What every test may ask for: certificates, a program of its own, and one that is shared."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

import peers
from certificates import Certificate, issue
from program import ANY, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


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
