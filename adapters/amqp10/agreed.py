"""What SASL and open settled between a client and the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.amqp10.codec.performatives import CHANNELS_MOST, FRAME_BYTES_MOST

if TYPE_CHECKING:
    from warren.adapters.amqp10.codec.values import ValueMap


class Agreed:
    """frame_bytes_max: the largest frame that the client takes.  channel_max: the highest channel.  container_id: what
    the client calls itself.  properties: what it says of itself."""

    __slots__ = ("channel_max", "container_id", "frame_bytes_max", "mechanism", "properties")

    def __init__(self) -> None:
        self.mechanism = ""
        self.container_id = ""
        self.frame_bytes_max = FRAME_BYTES_MOST
        self.channel_max = CHANNELS_MOST
        self.properties: ValueMap = {}
