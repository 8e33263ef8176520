"""Serves Python applications over HTTP/2 and HTTP/1.1, many streams over one connection.

The command is ``thalweg`` or ``python -m thalweg``; ``thalweg --help`` tells what it takes.
"""

from thalweg._thalweg import ClientGone, __version__

__all__ = ["ClientGone", "__version__"]
