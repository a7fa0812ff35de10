"""What a client has said of itself, and what was agreed on with it in the handshake (AMQP 0-9-1 2.2.4; spec A.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warren.adapters.amqp091.codec.constants import FRAME_MAX_INITIAL_BYTES

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue


class Agreed:
    """Of one connection; the handshake fills it in, everybody else reads.

    mechanism: how the client logs in.  client_properties: what it says of itself, whose `capabilities` that are true
    and `connection_name` stand here by themselves too.  frame_max: the largest frame in bytes; channel_max: how many
    channels may be open, 0 for any number; heartbeat_s: 0 for none.
    """

    __slots__ = (
        "capabilities",
        "channel_max",
        "client_properties",
        "frame_max",
        "heartbeat_s",
        "mechanism",
        "provided_name",
    )

    def __init__(self, channel_max: int) -> None:
        self.mechanism = ""
        self.client_properties: Mapping[str, FieldValue] = {}
        self.capabilities: frozenset[str] = frozenset()
        self.provided_name = ""
        self.frame_max = FRAME_MAX_INITIAL_BYTES
        self.channel_max = channel_max
        self.heartbeat_s = 0
