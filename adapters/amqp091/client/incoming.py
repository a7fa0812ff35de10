"""A message that another broker has sent, delivered or returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties


class Incoming:
    """tag: the delivery tag on its channel.  redelivered: it was delivered before."""

    __slots__ = ("body", "exchange", "properties", "redelivered", "routing_key", "tag")

    def __init__(
        self, tag: int, redelivered: bool, exchange: str, routing_key: str, properties: Properties, body: bytes
    ) -> None:
        self.tag = tag
        self.redelivered = redelivered
        self.exchange = exchange
        self.routing_key = routing_key
        self.properties = properties
        self.body = body
