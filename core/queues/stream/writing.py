"""How the message that was published last is written, and those that are like it but for their bodies."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.core.queues.stream.arguments import FILTER_VALUE
from warren.core.streams.chunk import record_entry
from warren.core.streams.form import form

if TYPE_CHECKING:
    from warren.core.messages.address import Address
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue

_pack_size: Final = Struct(">I").pack


class Writing:
    """address, properties, body_size: of the messages.

    head: what their entries begin with, up to the body; empty where each is to be looked at.  value: for filters.
    """

    __slots__ = ("address", "body_size", "head", "properties", "value")

    def __init__(self, queue: Queue | None, message: Message | None) -> None:
        self.address: Address | None = None
        self.properties: Properties | None = None
        self.body_size = -1
        self.head = b""
        self.value: bytes | None = None
        if queue is None or message is None:
            return
        self.address = message.address
        self.properties = properties = message.properties
        self.body_size = message.body_size
        if properties.has_headers:
            value = (properties.headers or {}).get(FILTER_VALUE)
            if isinstance(value, str):
                self.value = value.encode("utf-8", "surrogateescape")
        front = form().front(queue, message)
        if front:
            self.head = _pack_size(len(front) + message.body_size) + front

    def entry(self, queue: Queue, message: Message) -> bytes:
        """The entry of a message that is to be looked at."""
        return record_entry(form().encode(queue, message))


NOTHING_WRITTEN: Final = Writing(None, None)
"""Like no message."""
