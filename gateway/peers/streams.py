"""A stream of bytes to another broker, with TLS or without, and in words why there is none."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.peers.errors import PeerError

if TYPE_CHECKING:
    from warren.adapters.peers.uri import PeerUri, TlsParameters

NO_NAME_CHECK: Final = "disable"
"""The value of server_name_indication that means no check of the name."""

KEEPALIVE_IDLE_S: Final = 60
KEEPALIVE_EVERY_S: Final = 10
KEEPALIVE_COUNT: Final = 3
"""When the kernel asks a peer that says nothing whether it is there, how often, and how often in vain: a machine that
is gone is noticed within a minute and a half, where heart-beats are off or the peer has none."""

_KEEPALIVE: Final = {
    "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
    "TCP_KEEPINTVL": KEEPALIVE_EVERY_S,
    "TCP_KEEPCNT": KEEPALIVE_COUNT,
}
"""Options by the names that Linux, macOS and Windows have for them, as far as they do."""


async def open_stream(uri: PeerUri) -> trio.abc.Stream:
    """Connect, and shake hands for TLS if the URI says so; PeerError, which names the host, if that can't be done."""
    where = f"{uri.host} port {uri.port}"
    context = None if uri.tls is None else tls_context(uri.tls)
    try:
        stream = await trio.open_tcp_stream(uri.host, uri.port)
    except OSError as error:
        raise PeerError(f"{where} can't be reached: {_reason(error)}") from error
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    _keep_alive(stream)
    if uri.tls is None or context is None:
        return stream
    name = uri.tls.server_name or uri.host
    secured = trio.SSLStream(stream, context, server_hostname=None if name == NO_NAME_CHECK else name)
    try:
        await secured.do_handshake()
    except (trio.BrokenResourceError, OSError) as error:
        await trio.aclose_forcefully(stream)
        raise PeerError(f"{where}: the TLS handshake failed: {_reason(error.__cause__ or error)}") from error
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return secured


def tls_context(tls: TlsParameters) -> ssl.SSLContext:
    """What a URI says of TLS; PeerError, which names the file, for one that can't be read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = tls.verify and tls.server_name != NO_NAME_CHECK
    context.verify_mode = ssl.CERT_REQUIRED if tls.verify else ssl.CERT_NONE
    try:
        if tls.cacertfile is not None:
            context.load_verify_locations(tls.cacertfile)
        elif tls.verify:
            context.load_default_certs()
    except (OSError, ssl.SSLError) as error:
        raise PeerError(f"the cacertfile {tls.cacertfile} can't be used: {_reason(error)}") from error
    if tls.certfile is not None:
        try:
            context.load_cert_chain(tls.certfile, tls.keyfile, lambda: tls.password or "")
        except (OSError, ssl.SSLError) as error:
            files = tls.certfile if tls.keyfile is None else f"{tls.certfile} with {tls.keyfile}"
            raise PeerError(f"the certificate {files} can't be used: {_reason(error)}") from error
    return context


def _keep_alive(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            stream.setsockopt(socket.IPPROTO_TCP, option, value)


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the peer's certificate isn't trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError) and error.strerror:
        # Trio writes the address before it, as Python does; who reads it knows the address.
        return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    causes = getattr(error.__cause__, "exceptions", None)
    if causes:
        return "; ".join(dict.fromkeys(_reason(each) for each in causes))
    return str(error.__cause__ or error) or type(error).__name__
