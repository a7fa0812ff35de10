"""What list_connections shows of TLS, the same for every protocol (spec F.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.transport import TlsState


def describe_tls(tls: TlsState | None) -> dict[str, object]:
    """The columns of a connection with this TLS, or with none."""
    if tls is None:
        return {"ssl": False}
    return {
        "ssl": True,
        "ssl_protocol": tls.protocol,
        "ssl_cipher": tls.cipher,
        "peer_cert_subject": tls.peer_subject,
        "peer_cert_issuer": tls.peer_issuer,
        "peer_cert_validity": tls.peer_validity,
    }
