"""What a broker's operator decides about its AMQP 0-9-1 connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec.constants import (
    AUTH_MECHANISMS,
    CHANNEL_MAX_DEFAULT,
    FRAME_MAX_DEFAULT_BYTES,
    FRAME_MAX_LEAST_BYTES,
    HEARTBEAT_DEFAULT_S,
)
from warren.adapters.amqp091.other_versions import OtherVersions
from warren.adapters.first_bytes import no_answer, no_hint
from warren.adapters.session.keys import (
    HANDSHAKE_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    PRODUCT,
    PRODUCT_VERSION,
    UNREAD_TIMEOUT_S,
)
from warren.core.configuration.key import Key, configured, milliseconds
from warren.core.configuration.values import several_of, size, text, whole_number, zero_or
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.adapters.amqp091.nodes.owning_end import NodeAccess

FRAME_MAX_MOST_BYTES: Final = 2**28
"""A frame is held in memory as a whole, for each connection that is sending one."""

CHANNELS_MOST: Final = 65535
"""The field is 16 bits wide (AMQP 0-9-1, connection.tune)."""


@frozen
class Amqp091Settings:
    """Limits and names offered in connection.start and connection.tune.

    unread_timeout_ms: how long a peer may leave its replies unread, once its commands wait for that.  own_version: of
    Warren itself, for the server properties.  anonymous_user: offer the mechanism ANONYMOUS, which logs in as this
    user.  hint: what a peer's first bytes look like, for the log.  answer_to_typing: what a person is told who types.
    other_versions: what else of AMQP is spoken on the same listener; None for nothing else.  nodes: connections
    are those of other nodes of a cluster, and nobody else's; None for those of clients.
    """

    heartbeat_s: int = configured(
        Key(
            "heartbeat_s",
            whole_number(0, 65535, "seconds"),
            HEARTBEAT_DEFAULT_S,
            "Heartbeat interval that clients are offered, in seconds; 0 offers none.",
            rabbitmq=("heartbeat",),
        )
    )
    frame_max_bytes: int = configured(
        Key(
            "frame_max",
            zero_or(size(FRAME_MAX_LEAST_BYTES, FRAME_MAX_MOST_BYTES)),
            FRAME_MAX_DEFAULT_BYTES,
            "Largest frame that clients are offered, in bytes; at least 4096, or 0 for no limit: then a frame may be "
            "as large as the largest message.",
            rabbitmq=("frame_max",),
        )
    )
    channel_max: int = configured(
        Key(
            "channel_max",
            whole_number(0, CHANNELS_MOST),
            CHANNEL_MAX_DEFAULT,
            "How many channels a connection may have open at once, whatever their numbers are; 0 for no limit.",
            rabbitmq=("channel_max", "max_channels_per_connection"),
        )
    )
    prefetch_default: int = configured(
        Key(
            "default_consumer_prefetch",
            whole_number(0, 65535, "messages"),
            0,
            "How many unacknowledged messages a consumer of AMQP 0-9-1 may hold whose channel has set "
            "no prefetch with basic.qos; 0 for any number.",
            rabbitmq=("default_consumer_prefetch",),
        )
    )
    auth_mechanisms: frozenset[str] = configured(
        Key(
            "amqp_auth_mechanisms",
            several_of(AUTH_MECHANISMS),
            frozenset(AUTH_MECHANISMS),
            "How AMQP 0-9-1 clients may log in: `PLAIN`, `AMQPLAIN` (both with a password), `EXTERNAL` (by their "
            "certificate). In a rabbitmq.conf: `auth_mechanisms.1` and so on.",
        )
    )
    cluster_name: str = configured(
        Key(
            "cluster_name",
            text,
            "",
            "Name of this broker in the server properties. Without it: `warren@` and the host's name.",
            rabbitmq=("cluster_name",),
            computed=True,
        )
    )
    handshake_timeout_ms: int = configured(HANDSHAKE_TIMEOUT_S, milliseconds)
    message_bytes_max: int = configured(MAX_MESSAGE_BYTES)
    product: str = configured(PRODUCT)
    version: str = configured(PRODUCT_VERSION)
    unread_timeout_ms: int = configured(UNREAD_TIMEOUT_S, milliseconds)
    own_version: str = ""
    anonymous_user: str | None = None
    hint: Callable[[bytes], str] = no_hint
    answer_to_typing: Callable[[bytes], bytes] = no_answer
    other_versions: OtherVersions | None = None
    nodes: NodeAccess | None = None
