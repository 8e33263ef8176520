"""What an attack costs the server, and whether an honest client is served meanwhile and after it."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from http2 import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from program import Program

KIB, MIB = 1 << 10, 1 << 20
# A tenth of what one core does to copy memory; the dearest flood takes a tenth of it with a program that is
# optimised as little as the one under test.
PER_OCTET = 200e-9
# For the honest client, and what the attack's own requests cost.
PROCESSOR = 0.5
PAUSE = 0.05


def processor(program: Program) -> float:
    """Processor seconds of all its threads, to the nanosecond."""
    total = 0
    for thread in os.listdir(f"/proc/{program.pid}/task"):
        with open(f"/proc/{program.pid}/task/{thread}/schedstat") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Honest:
    """A client that asks for a page again and again, on a thread of its own, each time on a new connection."""

    def __init__(self, program: Program) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self._program = program
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Honest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def ask(self) -> None:
        try:
            with Client.plain(self._program) as client:
                answer = client.get("/hello")
            if answer.status == 200:
                self.answers += 1
            else:
                self.failures.append(f"status {answer.status}")
        except (OSError, KeyError) as error:
            self.failures.append(repr(error))

    def _run(self) -> None:
        while not self._done.wait(PAUSE):
            self.ask()


class Watch:
    """Measures a program from one moment on."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._resident = program.resident()
        program.mark_peak()
        self._processor = processor(program)

    def grown(self) -> int:
        """Octets by which the memory has grown at most."""
        return self._program.peak() - self._resident

    def processor(self) -> float:
        """Processor seconds used."""
        return processor(self._program) - self._processor


@contextmanager
def attacked(program: Program, *, memory: int) -> Iterator[Watch]:
    """An attack on a program that must not take more memory than this for it. An honest client is served all
    the time, and afterwards all descriptors are closed and the memory can be used again."""
    with Client.plain(program) as client:
        assert client.get("/hello").status == 200
    descriptors = quiet(program)
    with Honest(program) as honest:
        watch = Watch(program)
        yield watch
        honest.ask()
    assert not honest.failures, f"{honest.failures[:5]}, {honest.answers} answers"
    assert honest.answers > 0
    grown = watch.grown()
    assert grown <= memory, f"{grown >> 10} KiB of at most {memory >> 10}"
    left = quiet(program, descriptors)
    assert left <= descriptors, f"{left} descriptors are open, of {descriptors}"
    program.assert_no_fault()


def quiet(program: Program, most: int = 0) -> int:
    """Open descriptors, once they are at most so many, or no longer become fewer."""
    end = time.monotonic() + 10
    now, since = program.descriptors(), time.monotonic()
    while now > most and time.monotonic() < end and time.monotonic() - since < 3:
        time.sleep(0.1)
        before, now = now, program.descriptors()
        if now < before:
            since = time.monotonic()
        elif most == 0 and time.monotonic() - since > 0.3:
            break
    return now
