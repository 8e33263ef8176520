"""The server that is attacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Serve
    from program import Program


@pytest.fixture(scope="module")
def target(serve: Serve) -> Iterator[Program]:
    """A program with the default limits."""
    with serve("--threads", "8") as program:
        yield program
        program.forgive()
        program.accept_any_status()
