"""Finds the application that a command line names.

What goes wrong here is told in one line, as a ``LoadError``. An exception in the user's own code is shown
with its traceback first, from the user's first frame on: ours and the import system's say nothing to anybody.
"""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType
from typing import Any

DEFAULT_NAMES = ("application", "app")


class LoadError(Exception):
    """There is no application to run; the message says why, in one line."""


def load(
    module: str | None,
    file: str | None,
    name: str | None,
    chdir: str | None,
    pythonpath: Sequence[str],
) -> Callable[..., Any]:
    """Import ``module``, or run ``file``, and return the callable ``name`` of it."""
    if chdir is not None:
        try:
            os.chdir(chdir)
        except OSError as error:
            raise LoadError(f"cannot change to the directory '{chdir}': {error.strerror}") from None
    extend_path(pythonpath)
    if file is not None:
        return find(run_file(file), f"the file '{file}'", name)
    assert module is not None
    return find(import_module(module), f"the module '{module}'", name)


def extend_path(pythonpath: Sequence[str]) -> None:
    """Put the given folders first on ``sys.path``, then the current one, as ``python -m`` has it."""
    here = os.getcwd()
    ours = [os.path.abspath(folder) for folder in pythonpath]
    sys.path[:] = [*ours, here, *(entry for entry in sys.path if entry not in ("", here, *ours))]
    importlib.invalidate_caches()


def import_module(name: str) -> ModuleType:
    """Import a module, telling one that is missing from one that fails."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name
        # One that the module itself imports is the user's matter, and shown as such.
        if missing is not None and (name == missing or name.startswith(f"{missing}.")):
            raise LoadError(
                f"there is no module '{missing}' (looked for in {', '.join(sys.path[:3])} "
                "and the interpreter's own folders); --chdir and --pythonpath add folders"
            ) from None
        raise failed(f"the module '{name}'", error) from None
    except BaseException as error:
        raise failed(f"the module '{name}'", error) from None


def run_file(path: str) -> ModuleType:
    """Run a file as a module of its own, whatever its name ends in."""
    stem = os.path.splitext(os.path.basename(path))[0]
    name = "wsgi_file_" + "".join(letter if letter.isalnum() else "_" for letter in stem)
    loader = SourceFileLoader(name, os.path.abspath(path))
    spec = importlib.util.spec_from_file_location(name, loader.path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    try:
        code = loader.get_code(name)
    except OSError as error:
        raise LoadError(f"cannot read the file '{path}': {error.strerror}") from None
    except BaseException as error:
        raise failed(f"the file '{path}'", error) from None
    assert code is not None
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        raise failed(f"the file '{path}'", error) from None
    return module


def find(module: ModuleType, where: str, name: str | None) -> Callable[..., Any]:
    """Return the callable of a module; dots in its name lead into attributes."""
    if name is None:
        for default in DEFAULT_NAMES:
            if hasattr(module, default):
                name = default
                break
        else:
            raise LoadError(
                f"{where} has neither '{DEFAULT_NAMES[0]}' nor '{DEFAULT_NAMES[1]}'; --callable names another"
            )
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise LoadError(f"{where} has no '{name}'") from None
        except BaseException as error:
            raise failed(f"'{name}' of {where}", error) from None
    if not callable(found):
        raise LoadError(f"'{name}' of {where} is not callable: it is of type {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def failed(what: str, error: BaseException) -> LoadError:
    """Show the user's traceback, and return the line that follows it."""
    traceback.print_exception(type(error), error, without_ours(error.__traceback__))
    if isinstance(error, SystemExit):
        return LoadError(f"{what} called sys.exit({error.code!r}) while it was imported")
    return LoadError(f"{what} raised {type(error).__name__} while it was imported")


def without_ours(frames: TracebackType | None) -> TracebackType | None:
    """Drop the frames of this file and of the import system from the start of a traceback."""
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if file not in (__file__, importlib.__file__) and not file.startswith("<frozen importlib"):
            break
        frames = frames.tb_next
    return frames
