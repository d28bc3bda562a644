"""The fault proxy's certificate, and its CA."""

from __future__ import annotations

import datetime
from pathlib import Path

from . import pki


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Create a CA and a server certificate for loopback, valid for one day. Return the paths of the CA, and of key and chain."""
    authority = pki.make_authority("fault proxy CA")
    server = pki.issue(
        authority,
        "fault proxy",
        names=["localhost"],
        addresses=["127.0.0.1", "::1"],
        lifetime=datetime.timedelta(days=1),
    )
    authority_path, chain_path = folder / "ca.crt", folder / "server.pem"
    authority_path.write_bytes(authority.certificate)
    chain_path.touch(mode=0o600)
    chain_path.write_bytes(server.key + server.certificate)
    return authority_path, chain_path
