"""httpx, over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certificates import Certificate
    from program import Program


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def client(
    request: pytest.FixtureRequest, site: Program, certificate: Certificate
) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=site.tls_url,
        http1=request.param == "HTTP/1.1",
        http2=request.param == "HTTP/2",
        verify=certificate.trusting(),
    ) as client:
        assert client.get("/hello").http_version == request.param
        yield client


def test_a_page_arrives(client: httpx.Client) -> None:
    answer = client.get("/hello")
    assert answer.status_code == 200
    assert answer.text == "Hello, world!\n"
    assert answer.headers["content-length"] == "14"
    assert "date" in answer.headers


def test_fields_and_target_reach_the_application(client: httpx.Client) -> None:
    answer = client.get(
        "/environ",
        params={"q": "ä b"},
        headers={"x-name": "value", "cookie": "a=1; b=2", "accept": "text/html, */*;q=0.1"},
    )
    environ = answer.json()
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["PATH_INFO"] == "/environ"
    assert environ["QUERY_STRING"] in ("q=%C3%A4+b", "q=%C3%A4%20b")
    assert environ["HTTP_X_NAME"] == "value"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_ACCEPT"] == "text/html, */*;q=0.1"
    assert environ["HTTP_HOST"] == f"127.0.0.1:{client.base_url.port}"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["SERVER_PORT"] == str(client.base_url.port)


def test_a_form_and_a_streamed_upload_arrive(client: httpx.Client) -> None:
    assert client.post("/count", data={"field": "x" * 100}).text.startswith("106 ")

    def blocks() -> Iterator[bytes]:
        for _ in range(50):
            yield b"y" * 10_000

    assert client.post("/count", content=blocks()).text.startswith("500000 ")


def test_a_streamed_answer_arrives_whole(client: httpx.Client) -> None:
    with client.stream("GET", "/octets", params={"size": 3_000_000}) as answer:
        assert sum(len(block) for block in answer.iter_bytes()) == 3_000_000


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_requests_at_the_same_time_are_all_answered(
    site: Program, certificate: Certificate, version: str
) -> None:
    """Asynchronously: with threads, httpx opens its HTTP/2 streams out of order now and then."""

    async def lengths() -> list[int]:
        async with httpx.AsyncClient(
            base_url=site.tls_url,
            http1=version == "HTTP/1.1",
            http2=version == "HTTP/2",
            verify=certificate.trusting(),
        ) as client:
            requests = [client.get(f"/octets?size={size}") for size in range(200)]
            return [len(answer.content) for answer in await asyncio.gather(*requests)]

    assert asyncio.run(lengths()) == list(range(200))


def test_an_unknown_page_is_the_applications_to_answer(client: httpx.Client) -> None:
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.text) == (404, "no such page\n")
