"""Certificates for servers under test, and the authority that their clients trust."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

from program import HOST


@dataclass(frozen=True)
class Certificate:
    """A certificate for the loopback address with its key, and the authority that a client must trust for it."""

    certificate: Path
    key: Path
    authority: Path

    def trusting(self, *alpn: str) -> ssl.SSLContext:
        """A client's context that trusts it and offers these protocols."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def issue(directory: Path) -> Certificate:
    """A new authority and a certificate of it, in files of the directory."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST, "localhost")
    made = Certificate(
        directory / "server.crt", directory / "server.key", directory / "authority.crt"
    )
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(str(made.certificate), append=number > 0)
    issued.private_key_pem.write_to_path(str(made.key))
    authority.cert_pem.write_to_path(str(made.authority))
    return made
