"""Rows: messages of a stream that differ in their bodies alone, read without looking into each (see Framing).

A record is looked into once; what its entry begins with, up to the body, and its size then tell those that are like it
(`Record.body_at`), and their properties differ in the offset alone.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.queues.stream.arguments import OFFSET

if TYPE_CHECKING:
    from collections import deque

    from warren.core.messages.address import Address
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.framing import Framing
    from warren.core.streams.chunk import Entries

_pack_size: Final = Struct(">I").pack
_pack_offset: Final = Struct(">q").pack

OFFSET_BYTES: Final = 8


class Row:
    """What messages have in common.

    head: what their entries begin with, up to the body.  size: of such an entry, in bytes.  is_wanted: False for those
    that a filter leaves out.  A consumer is asked what goes around them when a second one comes: many have none like
    them.
    """

    __slots__ = (
        "_address",
        "_consumer",
        "_flags",
        "_framing",
        "_is_persistent",
        "_properties",
        "_raw_after",
        "_raw_before",
        "body_size",
        "head",
        "is_wanted",
        "size",
    )

    def __init__(self, record: bytes, body_at: int, address: Address, properties: Properties) -> None:
        self.head = _pack_size(len(record)) + record[:body_at]
        self.body_size = len(record) - body_at
        self.size = len(self.head) + self.body_size
        self.is_wanted = True
        self._address = address
        self._properties = properties
        with_offset, at = properties.with_number_last(OFFSET)
        self._raw_before = with_offset.raw[:at]
        self._raw_after = with_offset.raw[at + OFFSET_BYTES :]
        self._flags = with_offset.flags
        self._is_persistent = properties.persistent
        self._framing: Framing | None = None
        self._consumer: Consumer | None = None

    def use(self, consumer: Consumer) -> None:
        """Have messages framed for their consumer, from now on."""
        self._consumer = consumer

    def _ask(self, consumer: Consumer) -> None:
        self._consumer = None
        self._framing = consumer.framing(self._address, self._properties, OFFSET, self.body_size)

    def take(self, entries: Entries, ahead: deque[Message | int], most: int, time_ms: int) -> int:
        """Put the next messages ahead, as far as they are of this row, at most so many; how many they were."""
        data, at = entries.data, entries.at
        head, size, body_from = self.head, self.size, len(self.head)
        left = min(entries.left, most, (len(data) - at) // size)
        first = entries.offset
        count = 0
        if not self.is_wanted:
            while count < left and data[at : at + body_from] == head:
                at += size
                count += 1
            entries.took(count, count * size)
            return count
        if self._consumer is not None and left and data.startswith(head, at):
            self._ask(self._consumer)
        address, body_size = self._address, self.body_size
        raw_before, raw_after, flags, persistent = self._raw_before, self._raw_after, self._flags, self._is_persistent
        framing = self._framing
        before = between = after = b""
        framed_for = body_at = 0
        if framing is not None:
            before, between, after, framed_for = framing.before, framing.between, framing.after, framing.framed_for
            body_at = len(before) + OFFSET_BYTES + len(between)
        while count < left and data[at : at + body_from] == head:
            offset = first + count
            number = _pack_offset(offset)
            content = data[at + body_from : at + size]
            if framed_for:
                content = before + number + between + content + after
            properties = Properties(raw_before + number + raw_after, flags, persistent, None)
            ahead.append(Message(offset, address, properties, content, body_at, body_size, framed_for, time_ms))
            at += size
            count += 1
        entries.took(count, count * size)
        return count
