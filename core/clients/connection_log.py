"""What the log says of each connection, at the level info: accepted, logged in, ended; one line each.

    connection 10.0.0.7:41522 -> 10.0.0.1:8883 accepted on mqtts
    connection 10.0.0.7:41522 -> 10.0.0.1:8883 logged in: user 'meter', vhost '/', MQTT 5-0, client 'meter-17', TLSv1.3
    connection 10.0.0.7:41522 -> 10.0.0.1:8883 ended: the peer closed the socket; 1204 bytes received, 388 sent

A storm of connects pays for each of these lines, so nothing is put together unless somebody reads it.  What a line says
is in its mapping, too, which is what a log in JSON has as fields (gateway/process/log.py); never a secret.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from warren.core.clients.transport import connection_name

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.clients.transport import Transport

_log: Final = logging.getLogger("warren.connection")


def log_accepted(transport: Transport, listener: str, level: int) -> None:
    """Somebody has connected.  listener: its name, such as `amqps`.  level: of this line and of `log_ended`."""
    if _log.isEnabledFor(level):
        _log.log(
            level,
            "connection %(connection)s accepted on %(listener)s",
            {"event": "accepted", "connection": connection_name(transport), "listener": listener},
        )


def log_logged_in(client: Client, transport: Transport, client_id: str) -> None:
    """A client has come in.  client_id: what it calls itself, empty for nothing."""
    if _log.isEnabledFor(logging.INFO):
        tls = transport.tls
        text = "connection %(connection)s logged in: user '%(user)s', vhost '%(vhost)s', %(protocol)s"
        if transport.is_websocket:
            text += " over WebSocket"
        if client_id:
            text += ", client '%(client_id)s'"
        _log.info(
            text + (", %(tls)s" if tls is not None else ", no TLS"),
            {
                "event": "logged_in",
                "connection": client.name,
                "user": client.user.name,
                "vhost": client.vhost.name,
                "client_id": client_id,
                "protocol": client.protocol,
                "websocket": transport.is_websocket,
                "tls": None if tls is None else tls.protocol,
            },
        )


def log_ended(transport: Transport, reason: str, level: int) -> None:
    """The connection is gone, or about to be: nothing of it is left with the broker."""
    if _log.isEnabledFor(level):
        _log.log(
            level,
            "connection %(connection)s ended: %(reason)s; %(received_bytes)d bytes received, %(sent_bytes)d sent",
            {
                "event": "ended",
                "connection": connection_name(transport),
                "reason": reason,
                "received_bytes": transport.received_bytes,
                "sent_bytes": transport.sent_bytes,
            },
        )
