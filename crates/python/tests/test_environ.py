"""PEP 3333, environ: requirements 23 to 26."""

import json
import os
from typing import Any

import httpx
import pytest
import wire
from conftest import Server


def environ_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200
    return answer.json()  # type: ignore[no-any-return]


def raw(server: Server, request: bytes) -> dict[str, Any]:
    """The environ of a request written by hand."""
    with server.connect() as connection:
        answer = wire.http1(connection, request)
    return json.loads(answer.partition(b"\r\n\r\n")[2])  # type: ignore[no-any-return]


def test_23_it_is_a_dict_of_native_strings(http: httpx.Client) -> None:
    environ = environ_of(http.get("/environment/caf%C3%A9?q=%C3%A9"))
    assert environ["environ is a dict"]
    assert environ["native"]


def test_23_the_path_is_decoded_to_latin_1(http: httpx.Client) -> None:
    environ = environ_of(http.get("/environment/caf%C3%A9%20%2Fx%ff"))
    assert environ["PATH_INFO"].encode("latin-1") == "/café /x".encode() + b"\xff"
    assert environ["SCRIPT_NAME"] == "/environment", "as the application itself has shifted it"
    assert environ["REQUEST_URI"] == "/environment/caf%C3%A9%20%2Fx%ff"


@pytest.mark.parametrize(
    "path", ["/environment/%", "/environment/%4", "/environment/%zz", "/environment/%%41"]
)
def test_23_a_percent_sign_without_digits_stays(server: Server, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    environ = raw(server, request.encode())
    assert environ["PATH_INFO"] == path.removeprefix("/environment").replace("%41", "A")


def test_23_the_query_is_not_decoded(http: httpx.Client) -> None:
    environ = environ_of(http.get("/environment?a=%20b?c"))
    assert environ["QUERY_STRING"] == "a=%20b?c"
    assert environ_of(http.get("/environment"))["QUERY_STRING"] == ""


def test_24_the_required_keys_are_there(http: httpx.Client, server: Server) -> None:
    environ = environ_of(http.get("/environment"))
    version = "HTTP/2" if http._transport._pool._http2 else "HTTP/1.1"  # type: ignore[attr-defined]
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["SERVER_NAME"] == "127.0.0.1"
    assert environ["SERVER_PORT"] == str(server.port)
    assert environ["SERVER_PROTOCOL"] == version
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["REMOTE_PORT"].isdigit()
    assert environ["HTTP_HOST"] == f"127.0.0.1:{server.port}"
    assert ("HTTP2" in environ) == (version == "HTTP/2")
    assert ("H2_STREAM_ID" in environ) == (version == "HTTP/2")
    assert "HTTPS" not in environ


def test_24_the_environment_of_the_process_is_not_copied_in(http: httpx.Client) -> None:
    assert not environ_of(http.get("/environment")).keys() & os.environ.keys()


def test_24_the_stream_number_is_that_of_the_client(server: Server) -> None:
    with server.connect() as connection:
        client = wire.Http2(connection)
        for expected in ("1", "3"):
            answer = client.answer(client.request("/environment"))
            assert json.loads(answer.body)["H2_STREAM_ID"] == expected


def test_24_http_1_0_without_a_host_has_no_http_host(server: Server) -> None:
    environ = raw(server, b"GET /environment HTTP/1.0\r\n\r\n")
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in environ
    assert environ["SERVER_NAME"]


def test_24_an_absolute_target_decides_over_the_host_field(server: Server) -> None:
    environ = raw(
        server, b"GET http://a.example/environment HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"
    )
    assert environ["HTTP_HOST"] == "a.example"
    assert environ["SCRIPT_NAME"] == "/environment"


@pytest.mark.parametrize(("threads", "multithread"), [("1", False), ("2", True)])
def test_25_the_mode_is_told_truly(serve: Any, threads: str, multithread: bool) -> None:  # noqa: ANN401
    with serve("--threads", threads).client() as client:
        environ = environ_of(client.get("/environment"))
    assert environ["wsgi.version"] == [1, 0]
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.multithread"] is multithread
    assert environ["wsgi.multiprocess"] is False
    assert environ["wsgi.run_once"] is False


def test_25_content_type_and_length_have_no_prefix(http: httpx.Client) -> None:
    environ = environ_of(http.post("/environment", content=b"abc", headers={"Content-Type": "text/x"}))
    assert environ["CONTENT_TYPE"] == "text/x"
    assert environ["CONTENT_LENGTH"] == "3"
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & environ.keys()
    without = environ_of(http.get("/environment"))
    assert not {"CONTENT_TYPE", "CONTENT_LENGTH"} & without.keys(), "nothing is left of the request before"


def test_25_objects_are_what_pep_3333_names(http: httpx.Client) -> None:
    environ = environ_of(http.get("/environment"))
    assert environ["wsgi.input"] == "Input"
    assert environ["wsgi.file_wrapper"] == "type"
    assert environ["wsgi.errors"] == "TextIOWrapper"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
def test_26_the_validator_of_the_standard_library_passes(http: httpx.Client, method: str) -> None:
    body = b"a body" if method in ("POST", "PUT") else b""
    answer = http.request(method, "/validated?a=b", content=body)
    assert answer.status_code == 200
    assert answer.content == (b"" if method == "HEAD" else b"valid " + body)
