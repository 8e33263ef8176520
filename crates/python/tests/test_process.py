"""The process around the application: finding it, forks, signals, sys.exit and the end (docs/python.md)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import wire
from conftest import PATIENCE, Server, eventually, free_port, start

Serve = Callable[..., Server]


def attempt(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is to fail before it serves."""
    return subprocess.run(
        [sys.executable, "-m", "thalweg", "--http", f"127.0.0.1:{free_port()}", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


HELLO = """
def {name}(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{name} of {where}"]
"""


# --- finding the application ---


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--module", "given"], "application of given"),
        (["given:other"], "other of given"),
        (["given:inner.deeper"], "deeper of given"),
        (["--module", "given", "--callable", "other"], "other of given"),
        (["--wsgi-file", "file.wsgi"], "app of file"),
        (["--wsgi-file", "file.wsgi", "--callable", "other"], "other of file"),
        (["--chdir", "sub", "--module", "below"], "app of below"),
        (["--pythonpath", "sub", "--module", "below"], "app of below"),
    ],
)
def test_applications_are_found(tmp_path: Path, arguments: list[str], answer: str) -> None:
    (tmp_path / "given.py").write_text(
        HELLO.format(name="application", where="given")
        + HELLO.format(name="app", where="given")
        + HELLO.format(name="other", where="given")
        + HELLO.format(name="deeper", where="given")
        + "\nclass inner:\n    deeper = staticmethod(deeper)\n"
    )
    (tmp_path / "file.wsgi").write_text(
        HELLO.format(name="app", where="file") + HELLO.format(name="other", where="file")
    )
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "below.py").write_text(HELLO.format(name="app", where="below"))
    server = start(tmp_path / "log", arguments, cwd=tmp_path)
    try:
        with server.client() as client:
            assert client.get("/").text == answer
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--module", "missing"], "there is no module 'missing'"),
        (["--module", "package.missing"], "there is no module 'package.missing'"),
        (["--module", "empty"], "has neither 'application' nor 'app'"),
        (["empty:nothing"], "the module 'empty' has no 'nothing'"),
        (["empty:number"], "'number' of the module 'empty' is not callable: it is of type int"),
        (["--wsgi-file", "missing.py"], "cannot read the file 'missing.py'"),
        (["--chdir", "missing", "--module", "empty"], "cannot change to the directory 'missing'"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    (tmp_path / "empty.py").write_text("number = 5\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    ended = attempt(tmp_path, *arguments)
    assert ended.returncode == 1
    assert line in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("source", "shown", "line"),
    [
        ("import os\n1 / 0\n", "ZeroDivisionError", "the module 'broken' raised ZeroDivisionError"),
        ("import not_there\n", "not_there", "the module 'broken' raised ModuleNotFoundError"),
        ("def f(:\n", "SyntaxError", "the module 'broken' raised SyntaxError"),
        ("import sys\nsys.exit(5)\n", "SystemExit", "the module 'broken' called sys.exit(5)"),
    ],
)
def test_an_import_that_fails_shows_the_users_traceback_only(
    tmp_path: Path, source: str, shown: str, line: str
) -> None:
    (tmp_path / "broken.py").write_text(source)
    ended = attempt(tmp_path, "--module", "broken")
    assert ended.returncode == 1
    assert shown in ended.stderr
    assert "broken.py" in ended.stderr
    assert line in ended.stderr.splitlines()[-1]
    assert "thalweg/" not in ended.stderr
    assert "importlib" not in ended.stderr


# --- os.fork ---


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("return", "0 "),
        ("exit", "7 "),
        ("sockets", "0 "),
        ("read", "0 this process was made by os.fork: the request belongs to its parent"),
    ],
)
def test_a_forked_child_does_not_serve(http: httpx.Client, what: str, answer: str) -> None:
    assert http.post(f"/forks?{what}", content=iter([b"abc"])).text == answer
    assert http.get("/hello").content == b"hello\n", "the parent goes on"


def test_a_signal_for_a_forked_child_is_none_for_the_server(serve: Serve) -> None:
    server = serve(
        source="""
import os, signal, time
def application(environ, start_response):
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.2)
    os.kill(child, signal.SIGTERM)
    _, status = os.waitpid(child, 0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.waitstatus_to_exitcode(status)).encode()]
"""
    )
    for _ in range(2):
        with server.client() as client:
            assert client.get("/").text == str(-signal.SIGTERM)


def test_a_forked_child_does_not_keep_the_port(serve: Serve) -> None:
    server = serve(
        source="""
import os, time
def application(environ, start_response):
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(child).encode()]
"""
    )
    with server.client() as client:
        child = int(client.get("/").text)
    try:
        server.stop()

        def refused() -> list[str] | None:
            try:
                server.connect().close()
            except ConnectionRefusedError:
                return []
            return None

        eventually(refused)
    finally:
        os.kill(child, signal.SIGKILL)


# --- signals ---


def test_the_applications_handlers_run_in_the_main_thread(serve: Serve) -> None:
    server = serve()
    for count in (1, 2):
        server.signal(signal.SIGUSR1)
        eventually(lambda: seen if len(seen := server.seen("signals")) == count else None)  # noqa: B023
    assert server.seen("signals") == ["SIGUSR1 in MainThread"] * 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_drains(serve: Serve, number: signal.Signals) -> None:
    server = serve("--threads", "2")
    with server.connect() as connection:
        client = wire.Http2(connection)
        stream = client.request("/two_way", "POST", body=b"before\n", end=False)
        while client.answers[stream].body != b"BEFORE\n":
            client.receive()
        server.signal(number)
        while not client.drained:
            client.receive()
        assert server.process.poll() is None, "an open stream is waited for"
        client.data(stream, b"after\n", end=True)
        answer = client.answer(stream)
        assert (answer.body, answer.ended) == (b"BEFORE\nAFTER\n", True)
    assert server.wait() == 0


def test_the_second_signal_leaves_at_once(serve: Serve) -> None:
    server = serve()
    with server.connect() as connection:
        client = wire.Http2(connection)
        stream = client.request("/stepwise?never")
        while client.answers[stream].body != b"first":
            client.receive()
        server.signal(signal.SIGTERM)
        while not client.drained:
            client.receive()
        server.signal(signal.SIGTERM)
        server.process.wait(5)


def test_a_request_that_is_given_up_can_clean_up_after_itself(serve: Serve) -> None:
    server = serve(
        "--graceful-timeout",
        "1",
        source="""
import sys
def application(environ, start_response):
    print("begun", file=sys.stderr, flush=True)
    try:
        environ["wsgi.input"].read()
    finally:
        print("cleaned up", file=sys.stderr, flush=True)
""",
    )
    with server.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
        server.wait_for_log("begun")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "cleaned up" in server.log
    assert "still busy" not in server.log


HOLDS_THE_INTERPRETER = """
import ctypes, sys
def application(environ, start_response):
    print("held", file=sys.stderr, flush=True)
    ctypes.PyDLL(None).sleep(60)
"""


@pytest.mark.parametrize(("signals", "status"), [(1, 0), (2, 1)])
def test_a_thread_that_holds_the_interpreter_keeps_nobody_from_leaving(
    serve: Serve, signals: int, status: int
) -> None:
    server = serve("--graceful-timeout", "1", source=HOLDS_THE_INTERPRETER)
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_for_log("held")
        for _ in range(signals):
            server.signal(signal.SIGTERM)
            time.sleep(0.1)
        assert server.wait() == status


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_an_application_cannot_take_the_servers_signals_away(serve: Serve, name: str) -> None:
    server = serve(
        source=f"""
import signal
signal.signal(signal.{name}, signal.SIG_IGN)
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""
    )
    server.signal(getattr(signal, name))
    assert server.wait() == 0


def test_a_signal_handler_that_raises_is_logged(serve: Serve) -> None:
    server = serve(
        source="""
import signal
def handler(number, frame):
    raise RuntimeError("from the handler")
signal.signal(signal.SIGUSR1, handler)
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""
    )
    server.signal(signal.SIGUSR1)
    eventually(lambda: [] if "RuntimeError: from the handler" in server.log else None)
    with server.client() as client:
        assert client.get("/").text == "ok"


# --- sys.exit and the end ---


def test_sys_exit_in_a_request_ends_the_request_only(http: httpx.Client, server: Server) -> None:
    assert http.get("/exits").status_code == 500
    assert http.get("/hello").content == b"hello\n"
    server.wait_for_log("SystemExit")


def test_atexit_functions_run_and_output_is_flushed(serve: Serve) -> None:
    server = serve(
        source="""
import atexit, sys
atexit.register(lambda: sys.stdout.write("atexit has run"))
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""
    )
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "atexit has run" in server.log


def test_the_commands_are_the_same(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("thalweg")
    for option in ("--version", "--help"):
        by_module = subprocess.run(
            [sys.executable, "-m", "thalweg", option], capture_output=True, text=True, check=True
        )
        by_script = subprocess.run([script, option], capture_output=True, text=True, check=True)
        assert by_module.stdout == by_script.stdout != ""


def test_a_usage_error_has_status_2(tmp_path: Path) -> None:
    ended = attempt(tmp_path, "--no-such-option")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
