"""The Rust half: the server itself."""

from collections.abc import Iterator, Sequence
from typing import final

__version__: str

def run(arguments: Sequence[str], /) -> int:
    """Run the ``thalweg`` command and return its exit status.

    A server that has started does not return: it ends the process itself, after the last request.
    """

class ClientGone(ConnectionResetError):
    """The client has left, or given the request up: there is nobody to read from or to write to.

    ``wsgi.input`` and ``write()`` raise it. An application that lets it pass is not blamed in the log.
    """

@final
class FileWrapper:
    """``wsgi.file_wrapper``: the rest of a file as blocks of bytes."""

    def __new__(cls, file: object, block_size: int = 65536, /) -> FileWrapper: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None:
        """Close the file, if it can be closed."""
