"""Credit that never comes, or is too much, and what comes after the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from attacker import (
    DATA,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    LARGEST_WINDOW,
    NO_ERROR,
    PROTOCOL_ERROR,
    RST_STREAM,
    Attacker,
    frame,
    request,
    settings,
    window_update,
)
from watch import KIB, MIB, PER_OCTET, PROCESSOR, attacked

if TYPE_CHECKING:
    from conftest import Serve
    from program import Program

MEMORY = 12 * MIB
INITIAL_WINDOW_SIZE = 4


def test_windows_that_never_open_are_given_up(serve: Serve) -> None:
    """CVE-2019-9517: an answer that waits for credit does so for the write time-out, and then is forgotten."""
    with (
        # 256 answers of 64 KiB wait in the meantime.
        serve("--write-timeout", "1s", "--threads", "8") as program,
        attacked(program, memory=32 * MIB),
        Attacker(program.connect(), (INITIAL_WINDOW_SIZE, 0)) as attacker,
    ):
        for stream in range(1, 400, 2):
            attacker.send(request(stream, "/octets?size=60000"))
        attacker.settle(lambda: attacker.resets().total() == 200)
        assert attacker.resets() == {ENHANCE_YOUR_CALM: 200}
        # Only those streams suffer.
        attacker.send(settings((INITIAL_WINDOW_SIZE, 1 << 20)) + request(1001))
        attacker.settle(lambda: attacker.seen[DATA] == 1)


def test_a_window_of_a_connection_that_never_opens_is_given_up(serve: Serve) -> None:
    with (
        serve("--write-timeout", "1s", "--threads", "8") as program,
        attacked(program, memory=MEMORY),
        Attacker(program.connect(), (INITIAL_WINDOW_SIZE, 1 << 20)) as attacker,
    ):
        for stream in range(1, 20, 2):
            attacker.send(request(stream, "/octets?size=60000"))
        attacker.settle(lambda: attacker.resets().total() >= 8)
        assert set(attacker.resets()) == {ENHANCE_YOUR_CALM}


def test_credit_octet_by_octet_is_given_up(serve: Serve) -> None:
    """CVE-2019-9511: the rate that counts is that of octets, not of frames."""
    with (
        serve("--write-timeout", "1s", "--threads", "8") as program,
        attacked(program, memory=MEMORY),
        Attacker(program.connect(), (INITIAL_WINDOW_SIZE, 0)) as attacker,
    ):
        attacker.send(request(1, "/octets?size=60000"))
        end = time.monotonic() + 15
        while not attacker.resets():
            assert time.monotonic() < end
            attacker.send(window_update(1, 1))
            attacker.ping()
            time.sleep(0.05)
        assert attacker.resets() == {ENHANCE_YOUR_CALM: 1}


def test_a_client_that_reads_nothing_is_given_up(serve: Serve) -> None:
    """Windows wide open, and a socket that nobody reads."""
    with (
        serve("--write-timeout", "1s", "--threads", "8") as program,
        attacked(program, memory=32 * MIB) as watch,
        Attacker(program.connect(), (INITIAL_WINDOW_SIZE, LARGEST_WINDOW)) as attacker,
    ):
        attacker.send(window_update(0, LARGEST_WINDOW - 65_535), read=False)
        for stream in range(1, 9, 2):
            attacker.send(request(stream, "/octets?size=100000000"), read=False)
        time.sleep(3)
        attacker.await_close()
        assert watch.processor() < PROCESSOR


@pytest.mark.parametrize("stream", [0, 1])
def test_a_window_above_the_largest_is_an_error(target: Program, stream: int) -> None:
    """RFC 9113, section 6.9.1: of its stream, or of the connection."""
    with attacked(target, memory=MEMORY), Attacker(target.connect()) as attacker:
        attacker.send(request(1, "/sleep?seconds=0.5", end=False))
        attacker.send(window_update(stream, LARGEST_WINDOW))
        if stream == 0:
            assert attacker.ended() == FLOW_CONTROL_ERROR
        else:
            attacker.settle(lambda: attacker.resets().total() > 0)
            assert attacker.resets() == {FLOW_CONTROL_ERROR: 1}


def test_settings_that_make_a_window_too_large_are_an_error(target: Program) -> None:
    """RFC 9113, section 6.9.2."""
    with attacked(target, memory=MEMORY), Attacker(target.connect()) as attacker:
        attacker.send(request(1, "/sleep?seconds=0.5", end=False) + window_update(1, 1 << 20))
        attacker.send(settings((INITIAL_WINDOW_SIZE, LARGEST_WINDOW)))
        assert attacker.ended() == FLOW_CONTROL_ERROR


def test_more_data_than_a_window_allows_is_an_error(target: Program) -> None:
    """RFC 9113, section 6.9.1: nothing of it is kept."""
    with attacked(target, memory=MEMORY), Attacker(target.connect()) as attacker:
        attacker.ping()
        attacker.send(request(1, "/sleep?seconds=1", "POST", end=False))
        attacker.send(frame(DATA, 0, 1, bytes(16 * KIB)) * 18)
        attacker.settle(lambda: attacker.resets().total() > 0)
        assert attacker.resets() == {FLOW_CONTROL_ERROR: 1}


def test_octets_after_the_end_cost_little(target: Program) -> None:
    """CVE-2026-27135 and its kin: after GOAWAY nothing is looked at, and little of it read."""
    with (
        attacked(target, memory=MEMORY) as watch,
        Attacker(target.connect()) as attacker,
    ):
        attacker.send(request(1) + frame(DATA, 0, 5, b"x"))
        assert attacker.ended() == PROTOCOL_ERROR
        attacker.ends.clear()
        for stream in range(7, 4000, 2):
            if not attacker.send(request(stream) + frame(DATA, END_STREAM, stream + 2) * 100):
                break
        attacker.await_close()
        assert attacker.goaway is None, "it was said once"
        used = watch.processor()
        assert used <= PROCESSOR + attacker.sent * PER_OCTET, f"{used} s for {attacker.sent} octets"


def test_requests_after_a_graceful_end_are_not_served(serve: Serve) -> None:
    """RFC 9113, section 6.8: they are passed over, up to a limit, and the server leaves in its time."""
    with serve("--graceful-timeout", "5s", "--threads", "8") as program:
        with Attacker(program.connect()) as attacker:
            attacker.send(request(1, "/sleep?seconds=3"))
            attacker.ping()
            program.signal()
            attacker.settle(lambda: len(attacker.ends) >= 2)
            codes = {end.code for end in attacker.ends}
            assert codes == {NO_ERROR}
            attacker.ends.clear()
            late = b"".join(request(stream) for stream in range(101, 2101, 2))
            attacker.send(late)
            attacker.settle(lambda: attacker.seen[HEADERS] == 1)
            attacker.await_close()
            assert attacker.seen[HEADERS] == 1
            assert attacker.seen[RST_STREAM] == 0
        assert program.wait() == 0
