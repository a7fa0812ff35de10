"""TLS around a load's connection, as a socket that behaves as those without: what can't go on raises BlockingIOError.

A readable socket is read until nothing is left within the TLS library, since nothing would say later that there is.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

RECORD_BYTES_MAX = 16 * 1024
"""What a record holds at most (RFC 8446 5.1): a read with so much room leaves nothing of one behind."""


class TlsSocket(ssl.SSLSocket):
    """A client's connection, for ends of the load loop."""

    def send(self, data: Any, flags: int = 0) -> int:
        """As much as the socket takes."""
        try:
            return super().send(data, flags)
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            raise BlockingIOError from None

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """All that is there, or that there is surely room for."""
        view = memoryview(buffer)
        filled = 0
        while len(view) - filled >= RECORD_BYTES_MAX:
            try:
                count = super().recv_into(view[filled:], nbytes, flags)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            if not count:
                return filled
            filled += count
        if not filled:
            raise BlockingIOError
        return filled

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Some of what is there."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None


def wrapped(connection: socket.socket) -> TlsSocket:
    """The connection after its handshake.  The load is on this machine, so that nobody's certificate is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = TlsSocket
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    made = context.wrap_socket(connection)
    assert isinstance(made, TlsSocket)
    return made
