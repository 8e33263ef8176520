"""The real programs that the tests talk through: found, run, and missed loudly.

A peer that is not installed skips its tests with a line at the end of the run. Under `CI=true` it fails them.
"""

import os
import shutil
from typing import NoReturn

import pytest


def need(program: str) -> str:
    """The path of a peer's program; ends the test when it is not installed."""
    path = shutil.which(program)
    if path is None:
        missing(f"{program} is not installed: run `make peers`")
    return path


def missing(what: str) -> NoReturn:
    """Ends the test for the want of a peer."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
