"""Applications as people write them: Flask, Django, werkzeug's own, unmodified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from certificates import Certificate
    from conftest import Serve


@pytest.fixture
def visit(serve: Serve, certificate: Certificate) -> Iterator[Callable[[str], httpx.Client]]:
    """Starts an application; a client that speaks HTTP/2 to it."""
    stack = []

    def start(app: str) -> httpx.Client:
        program = serve(app=app)
        running = program.__enter__()
        client = httpx.Client(base_url=running.tls_url, http2=True, verify=certificate.trusting())
        stack.append((program, client))
        return client

    yield start
    for program, client in stack:
        client.close()
        program.__exit__(None, None, None)


def test_flask_serves_pages_forms_files_and_streams(visit: Callable[[str], httpx.Client]) -> None:
    client = visit("flask_app:app")
    assert client.get("/").text == "Flask over HTTP/2"
    answer = client.post("/form", data={"name": "Änne"}, files={"file": ("a.txt", b"content")})
    assert answer.json() == {"name": "Änne", "file": "content"}
    assert client.get("/stream").text == "line 0\nline 1\nline 2\n"
    assert client.get("/nowhere").status_code == 404


def test_django_serves_pages_and_forms(visit: Callable[[str], httpx.Client]) -> None:
    client = visit("django_app:application")
    assert client.get("/").text == "Django over HTTP/2"
    answer = client.post("/form", data={"name": "x" * 10_000})
    assert answer.json() == {"name": "x" * 10_000, "secure": True}


def test_the_test_application_of_werkzeug_serves_its_page(
    visit: Callable[[str], httpx.Client],
) -> None:
    client = visit("werkzeug.testapp:test_app")
    answer = client.get("/")
    assert answer.status_code == 200
    assert "WSGI Information" in answer.text
