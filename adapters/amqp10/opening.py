"""open: the virtual host, and what each side takes (part 2, 2.4.1 and 2.7.1; spec H.1)."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec.constants import FRAME_BYTES_LEAST, PROTOCOL
from warren.adapters.amqp10.codec.errors import INVALID_FIELD, NOT_ALLOWED, NOT_FOUND, UNAUTHORIZED_ACCESS, PeerMistake
from warren.adapters.amqp10.codec.performatives import Open
from warren.adapters.amqp10.codec.values import Symbol
from warren.adapters.session.admission import UnknownVirtualHost, VirtualHostRefused, enter
from warren.core.clients.rate_limits import TOLD_AS

if TYPE_CHECKING:
    from warren.adapters.amqp10.connection import Connection
from warren.core.messages.field_table import FieldValue

VHOST_PREFIX: Final = "vhost:"

CAPABILITIES: Final = ["LINK_PAIR_V1_0", "ANONYMOUS-RELAY"]

IDLE_LEAST_MS: Final = 100
"""Who wants to hear something more often than that wants the broker to do nothing else."""

FRAME_BYTES_SENT_MAX: Final = 131_072
"""Of our frames, however large the client takes them: a large message lets others have their turn in between."""


def open_connection(connection: Connection, body: Open) -> None:
    """Answer the client's open, or PeerMistake says what is wrong with it."""
    settings = connection.settings
    if body.max_frame_size < FRAME_BYTES_LEAST:
        raise PeerMistake(
            INVALID_FIELD, f"max-frame-size is {body.max_frame_size}, at least {FRAME_BYTES_LEAST}", clause="2.7.1"
        )
    timeout_ms = body.idle_time_out or 0
    if 0 < timeout_ms < IDLE_LEAST_MS:
        raise PeerMistake(
            NOT_ALLOWED, f"idle-time-out is {timeout_ms} ms; at least {IDLE_LEAST_MS} are possible", clause="2.4.5"
        )
    user = connection.agreed_user
    if user is None:
        raise PeerMistake(NOT_ALLOWED, "open before the login", clause="2.4.1")
    name = settings.default_vhost
    if body.hostname is not None and body.hostname.startswith(VHOST_PREFIX):
        name = body.hostname[len(VHOST_PREFIX) :]
    properties: dict[str, FieldValue] = {
        key: value
        for key, value in (body.properties or {}).items()
        if isinstance(key, str) and isinstance(value, str | int | bool)
    }
    try:
        client = enter(
            connection.broker,
            connection.transport,
            user,
            name,
            PROTOCOL,
            properties,
            has_channels=True,
            client_id=body.container_id,
        )
    except UnknownVirtualHost as unknown:
        raise PeerMistake(NOT_FOUND, unknown.text) from None
    except VirtualHostRefused as error:
        raise PeerMistake(UNAUTHORIZED_ACCESS, error.text) from None
    agreed = connection.agreed
    agreed.container_id = body.container_id
    agreed.frame_bytes_max = min(body.max_frame_size, FRAME_BYTES_SENT_MAX)
    agreed.channel_max = min(body.channel_max, settings.sessions_max - 1)
    agreed.properties = body.properties or {}
    answer = Open(settings.cluster_name or "warren")
    answer.max_frame_size = settings.frame_bytes_max
    answer.channel_max = settings.sessions_max - 1
    answer.idle_time_out = settings.idle_timeout_ms // 2 or None
    answer.offered_capabilities = CAPABILITIES
    answer.properties = {
        Symbol("product"): settings.product,
        Symbol("version"): settings.version,
        Symbol("cluster_name"): settings.cluster_name,
        Symbol("platform"): f"Python {platform.python_version()}",
        Symbol("copyright"): "Copyright the Warren developers",
        Symbol("information"): "Licensed under Apache-2.0",
        Symbol("warren"): settings.own_version,
    }
    rates = connection.broker.rate_limits.told(client)
    if rates:
        answer.properties[Symbol(TOLD_AS)] = rates
    connection.send(0, answer)
    connection.opened(client, timeout_ms)
