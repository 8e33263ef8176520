"""PEP 3333, calling and output: requirements 1 to 14."""

from collections.abc import Callable

import httpx
import pytest
import wire
from conftest import Server


def test_01_a_generator_sets_status_and_headers_late(http: httpx.Client) -> None:
    answer = http.get("/late")
    assert (answer.status_code, answer.headers["x-late"], answer.content) == (201, "yes", b"one two")


def test_02_write_precedes_the_iterable(http: httpx.Client) -> None:
    assert http.get("/written").content == b"first second third"


def test_03_exc_info_replaces_headers_that_were_not_sent(http: httpx.Client) -> None:
    answer = http.get("/replaced")
    assert (answer.status_code, answer.headers["x-head"]) == (503, "second")
    assert answer.content == b"replaced"


def test_03_exc_info_raises_again_once_headers_were_sent(
    http: httpx.Client, server: Server, key: str
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"/too_late?{key}")
    assert server.wait_for(key, "after the head")


def test_04_a_second_start_response_without_exc_info_raises(
    http: httpx.Client, server: Server, key: str
) -> None:
    answer = http.get(f"/twice?{key}")
    assert (answer.status_code, answer.content) == (200, b"once")
    assert server.seen(key) == ["refused"]


def test_05_each_block_is_sent_before_the_next_is_asked_for(
    http: httpx.Client, server: Server, key: str
) -> None:
    with http.stream("GET", f"/stepwise?{key}") as answer:
        blocks = answer.iter_raw()
        assert next(blocks) == b"first"
        with server.client() as other:
            other.get(f"/release?{key}")
        assert b"".join(blocks) == b" second"


def test_05_headers_wait_for_the_first_block_that_is_not_empty(http: httpx.Client) -> None:
    answer = http.get("/slow_head")
    assert (answer.status_code, answer.content) == (202, b"done")


@pytest.mark.parametrize(
    ("path", "blocks"), [("closed", 2), ("closed_after_error", 1), ("close_fails", 1), ("too_long", 2)]
)
def test_06_close_is_called_once(
    http: httpx.Client, server: Server, path: str, blocks: int, key: str
) -> None:
    try:
        http.get(f"/{path}?{key}")
    except httpx.RemoteProtocolError:
        assert path == "closed_after_error"
    assert server.wait_for(key, "close") == ["block"] * blocks + ["close"]


def test_06_close_is_called_once_when_the_client_leaves(http: httpx.Client, server: Server, key: str) -> None:
    with http.stream("GET", f"/endless?{key}") as answer:
        next(answer.iter_raw())
    http.close()
    assert server.wait_for(key, "close").count("close") == 1
    assert "ClientGone" not in server.log, "that is no fault of the application"


@pytest.mark.parametrize("path", ["silent", "silent_and_empty"])
def test_07_without_start_response_there_is_a_500(http: httpx.Client, path: str) -> None:
    assert http.get(f"/{path}").status_code == 500


def test_07_no_blocks_make_an_empty_body(http: httpx.Client) -> None:
    answer = http.get("/empty")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "0", b"")


@pytest.mark.parametrize("path", ["fails", "yields_text", "returns_none"])
def test_08_an_exception_before_output_is_a_500(http: httpx.Client, server: Server, path: str) -> None:
    assert http.get(f"/{path}").status_code == 500
    assert http.get("/hello").content == b"hello\n", "the connection stays usable"
    server.wait_for_log("TypeError" if path == "yields_text" else "Traceback")


def test_08_the_traceback_goes_to_the_log_and_not_to_the_client(http: httpx.Client, server: Server) -> None:
    answer = http.get("/fails")
    assert "this application fails at once" not in answer.text
    server.wait_for_log("RuntimeError: this application fails at once")
    assert "applications.py" in server.log


def test_09_an_exception_in_the_middle_does_not_look_complete(http: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/fails_in_the_middle")


def test_09_over_http1_the_last_chunk_is_missing(server: Server) -> None:
    with server.connect() as connection:
        answer = wire.http1(connection, b"GET /fails_in_the_middle HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"the first part" in answer
    assert not answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("path", ["fails_in_the_middle", "too_short"])
def test_09_10_over_http2_only_the_stream_is_reset(server: Server, path: str) -> None:
    with server.connect() as connection:
        client = wire.Http2(connection)
        broken = client.answer(client.request(f"/{path}"))
        assert broken.reset is not None
        assert not broken.ended
        assert broken.body != b"", "what was sent before arrives"
        assert client.answer(client.request("/hello")).body == b"hello\n"
        assert not client.drained


@pytest.mark.parametrize("path", ["too_long", "too_long_written"])
def test_10_a_body_is_cut_at_its_content_length(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/{path}?cut")
    assert (answer.headers["content-length"], answer.content) == ("5", b"abcde")


def test_10_a_body_shorter_than_its_content_length_is_broken_off(http: httpx.Client) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/too_short")


def test_10_a_body_known_to_be_too_short_is_a_500(http: httpx.Client) -> None:
    assert http.get("/too_short_list").status_code == 500


@pytest.mark.parametrize("path", ["hello", "one_block"])
def test_11_one_block_has_its_length(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/{path}?length")
    assert answer.headers["content-length"] == str(len(answer.content))


def test_11_otherwise_the_body_is_chunked(server: Server) -> None:
    with server.client() as client:
        answer = client.get("/two_blocks")
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in answer.headers
        assert answer.content == b"two blocks"


def test_11_otherwise_end_stream_ends_it(server: Server) -> None:
    with server.connect() as connection:
        client = wire.Http2(connection)
        answer = client.answer(client.request("/two_blocks"))
    assert answer.ended
    assert answer.body == b"two blocks"
    assert not {b"content-length", b"transfer-encoding"} & dict(answer.headers).keys()


@pytest.mark.parametrize("path", ["no_content", "no_content_with_length"])
def test_12_204_has_no_body(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/{path}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not {"content-length", "transfer-encoding"} & answer.headers.keys()
    assert http.get("/hello").content == b"hello\n"


def test_12_304_has_no_body(http: httpx.Client) -> None:
    answer = http.get("/not_modified")
    assert (answer.status_code, answer.headers["etag"], answer.content) == (304, '"a"', b"")
    assert "transfer-encoding" not in answer.headers
    assert http.get("/hello").content == b"hello\n"


@pytest.mark.parametrize("path", ["hello", "late", "one_block", "file", "written", "cookies"])
def test_12_head_has_the_headers_of_get_and_no_body(http: httpx.Client, path: str) -> None:
    got = http.get(f"/{path}?get")
    head = http.head(f"/{path}?head")
    assert head.content == b""
    assert head.status_code == got.status_code
    changing = {"date", "transfer-encoding"}
    assert {name: value for name, value in head.headers.items() if name not in changing} == {
        name: value for name, value in got.headers.items() if name not in changing
    }
    assert http.get("/hello").content == b"hello\n"


def test_12_nothing_follows_the_head_over_http1(server: Server) -> None:
    with server.connect() as connection:
        answer = wire.http1(connection, b"HEAD /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


def test_13_file_wrapper_honours_the_position_and_closes(
    http: httpx.Client, server: Server, key: str
) -> None:
    assert http.get(f"/file?{key}").content == b"0123456789" * 1000
    assert server.wait_for(key, "close") == ["close"]


def test_13_file_wrapper_streams_a_real_file(http: httpx.Client) -> None:
    assert http.get("/real_file").content == b"x" * 200_000


def test_13_file_wrapper_needs_nothing_but_read(http: httpx.Client) -> None:
    assert http.get("/unclosable_file").content == b"part part part "


def test_14_set_cookie_lines_stay_separate_and_in_order(http: httpx.Client) -> None:
    assert http.get("/cookies").headers.get_list("set-cookie") == ["a=1", "b=2", "a=3"]


def test_large_bodies_arrive_whole(serve: Callable[..., Server]) -> None:
    """Blocks that are lent to the network rather than copied, many at once."""
    source = """
import hashlib
def application(environ, start_response):
    seed = environ["QUERY_STRING"].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    for number in range(64):
        yield hashlib.sha256(seed + b"%d" % number).hexdigest().encode() * 1024
"""
    server = serve(source=source)
    scope: dict[str, Callable[..., list[bytes]]] = {}
    exec(source, scope)
    for version in ("HTTP/1.1", "HTTP/2"):
        with server.client(version) as client:
            for seed in ("a", "b", "c"):
                expected = scope["application"]({"QUERY_STRING": seed}, lambda *_: None)
                assert client.get(f"/?{seed}").content == b"".join(expected)
