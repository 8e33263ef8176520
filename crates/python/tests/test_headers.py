"""PEP 3333, headers: requirements 15 to 18."""

from collections.abc import Callable

import applications
import httpx
import pytest
import wire
from conftest import Server


@pytest.mark.parametrize("case", sorted(applications.STATUS_AND_HEADERS))
def test_15_16_a_bad_head_is_refused_at_once(http: httpx.Client, case: str) -> None:
    answer = http.get(f"/refused/{case}")
    assert answer.status_code == 200
    assert answer.text.startswith(("ValueError: start_response: ", "TypeError: start_response: "))
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("case", ["crlf-in-value", "crlf-in-status", "transfer-encoding", "bytes-value"])
def test_15_16_a_bad_head_is_a_500_when_the_application_lets_it_pass(http: httpx.Client, case: str) -> None:
    answer = http.get(f"/unrefused/{case}")
    assert answer.status_code == 500
    assert "set-cookie" not in answer.headers


def test_15_latin_1_values_pass_unchanged(server: Server) -> None:
    with server.connect() as connection:
        answer = wire.http1(connection, b"GET /latin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 Tr\xe8s bien\r\n")
    assert b"x-name: Ren\xe9\r\n" in answer.lower().replace(b"ren\xe9", b"Ren\xe9")
    assert b"x-pad: in\r\n" in answer.lower()


def test_16_the_trailer_field_is_allowed(http: httpx.Client) -> None:
    assert http.get("/latin").headers["trailer"] == "x-sum"


def test_17_cookies_of_several_fields_are_joined_with_semicolons(server: Server) -> None:
    crumbs = [("cookie", "a=1"), ("x-many", "1"), ("cookie", "b=2"), ("x-many", "2"), ("cookie", "c=3")]
    with server.connect() as connection:
        client = wire.Http2(connection)
        environ = httpx.Response(
            200, content=client.answer(client.request("/environment", fields=crumbs)).body
        ).json()
    assert environ["HTTP_COOKIE"] == "a=1; b=2; c=3"
    assert environ["HTTP_X_MANY"] == "1, 2"


def test_17_repeated_fields_are_joined_with_commas(http: httpx.Client) -> None:
    fields = [("Accept", "text/html"), ("X-One", "1"), ("Accept", "text/plain"), ("Accept", "*/*")]
    environ = http.get("/environment", headers=httpx.Headers(fields)).json()
    assert environ["HTTP_ACCEPT"].endswith("text/html, text/plain, */*")
    assert environ["HTTP_X_ONE"] == "1"
    again = http.get("/environment", headers={"Accept": "image/png"}).json()
    assert again["HTTP_ACCEPT"] == "image/png", "nothing is left of the request before"


def test_17_more_names_than_are_kept_are_joined_as_well(http: httpx.Client) -> None:
    for batch in range(10):
        names = [f"x-{batch}-{number}" for number in range(40)]
        fields = [(name, value) for value in ("1", "2") for name in names]
        environ = http.get("/environment", headers=httpx.Headers(fields)).json()
        assert [environ[f"HTTP_X_{batch}_{number}"] for number in range(40)] == ["1, 2"] * 40


def test_names_that_clients_make_up_are_interned_within_bounds(serve: Callable[..., Server]) -> None:
    with serve("--threads", "1").client() as client:
        names = [[f"x-{batch}-{number}" for number in range(80)] for batch in range(5)]
        interned = [int(client.get("/interned", headers=dict.fromkeys(batch, "")).text) for batch in names]
    assert interned[0] == 80
    assert sum(interned) <= 256


def test_18_names_with_underscores_cannot_pass_for_others(http: httpx.Client) -> None:
    fields = [("X-User", "real"), ("X_User", "forged"), ("X_Only", "forged")]
    environ = http.get("/environment", headers=httpx.Headers(fields)).json()
    assert environ["HTTP_X_USER"] == "real"
    assert "HTTP_X_ONLY" not in environ


def test_18_no_field_becomes_http_proxy(http: httpx.Client) -> None:
    assert "HTTP_PROXY" not in http.get("/environment", headers={"Proxy": "evil:80"}).json()
