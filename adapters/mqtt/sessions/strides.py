"""Messages of QoS 1 on their way to a client, many at a time.

Most of what is under way is alike: the plain messages that one consumer was sent one behind the other, under packet
identifiers one behind the other, and most clients acknowledge them in that order.  Such a stride is kept as a list,
without an object for each message, and acknowledgements are compared with those that are expected, as bytes.

    first of the stride     PUBACK 0107 -> 40 02 01 07      as they were made for all that begin with 01, from 07 on
                            PUBACK 0108 -> 40 02 01 08
                            PUBACK 0109 -> 40 02 01 09

Whoever wants to see a message of its own (a retry, QoS 2, an acknowledgement out of order, a listing of what is
unacknowledged) has all strides unfolded first, which makes them what they would have been otherwise, in the order in
which they were sent (`MqttSession.outgoing`).  That is bounded by `MESSAGES_MAX`; what is more, isn't kept in strides.

The packet identifiers of a stride have one upper octet, so that neither these nor their acknowledgements are made
message by message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec.short_answers import ANSWER_BYTES, PUBACK_START
from warren.adapters.mqtt.sessions.outgoing import Outgoing

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

PACKET_ID_MAX: Final = 65_535

BLOCK_IDS: Final = 256
"""Packet identifiers with one upper octet."""

MESSAGES_MAX: Final = 4096
"""In strides, of one session: unfolding so many takes about two milliseconds."""

STRIDES_MAX: Final = 64
"""Of one session: the first is taken from the front of a list."""

_OCTETS: Final = [bytes((octet,)) for octet in range(BLOCK_IDS)]

_acks_by_upper: dict[int, bytes] = {}
"""PUBACKs of all packet identifiers with an upper octet, made when it is first met: a kilobyte each."""


class Stride:
    """Messages that lie unacknowledged in one queue.

    first_id: the packet identifier of the first of them.  first_number: its `Outgoing.number`.  source: see Outgoing.
    """

    __slots__ = ("first_id", "first_number", "messages", "queue", "source")

    def __init__(self, first_id: int, first_number: int, messages: list[Message], queue: Queue, source: str) -> None:
        self.first_id = first_id
        self.first_number = first_number
        self.messages = messages
        self.queue = queue
        self.source = source


class Strides:
    """Of one session, in the order of sending.  count: messages in them."""

    __slots__ = ("_strides", "count")

    def __init__(self) -> None:
        self._strides: list[Stride] = []
        self.count = 0

    def room(self, packet_id: int) -> int:
        """How many messages may be added under identifiers from this one on; it is that behind the last, if any."""
        strides = self._strides
        most = min(BLOCK_IDS - packet_id % BLOCK_IDS, MESSAGES_MAX - self.count)
        if not strides:
            return most
        if len(strides) >= STRIDES_MAX:
            return 0
        return min(most, (strides[0].first_id - packet_id) % PACKET_ID_MAX)

    def add(self, packet_id: int, number: int, messages: list[Message], queue: Queue, source: str) -> None:
        """So many as there is room for have been sent; the list is kept.  number: of the first."""
        self.count += len(messages)
        if self._strides:
            last = self._strides[-1]
            follows = last.first_id + len(last.messages)
            if follows == packet_id and packet_id % BLOCK_IDS and last.queue is queue and last.source == source:
                last.messages += messages
                return
        self._strides.append(Stride(packet_id, number, messages, queue, source))

    def acknowledged(self, data: bytes, position: int, end: int) -> int:
        """Settle what PUBACKs from `position` on are for, if they come in the order of sending: how many are taken.

        0 for all else: the first of these is for a message that isn't the first here, or wrong, or cut.
        """
        taken = 0
        while self._strides:
            stride = self._strides[0]
            messages = stride.messages
            count = _count(stride.first_id, len(messages), data, position, end)
            if not count:
                break
            taken += count
            position += count * ANSWER_BYTES
            self.count -= count
            is_through = count == len(messages)
            if is_through:
                del self._strides[0]
                settled = messages
            else:
                settled = messages[:count]
                del messages[:count]
                stride.first_id += count
                stride.first_number += count
            stride.queue.acknowledge_all(settled)
            if not is_through:
                break
        return taken

    def unfold(self, outgoing: dict[int, Outgoing]) -> None:
        """Put all of them behind what is in `outgoing`, each by itself; nothing is in strides then."""
        for stride in self._strides:
            packet_id, number = stride.first_id, stride.first_number
            for message in stride.messages:
                each = Outgoing(packet_id, message, stride.queue, 1, stride.source)
                each.number = number
                outgoing[packet_id] = each
                packet_id += 1
                number += 1
        self._strides = []
        self.count = 0


def _count(first_id: int, most: int, data: bytes, position: int, end: int) -> int:
    """How many PUBACKs from `position` on are for the packet identifiers from `first_id` on; at most `most`."""
    most = min(most, (end - position) // ANSWER_BYTES)
    upper = first_id >> 8
    acks = _acks_by_upper.get(upper)
    if acks is None:
        beginning = PUBACK_START + bytes((upper,))
        acks = _acks_by_upper[upper] = beginning + beginning.join(_OCTETS)
    start = first_id % BLOCK_IDS * ANSWER_BYTES
    while most > 0:
        size = most * ANSWER_BYTES
        if data[position : position + size] == acks[start : start + size]:
            return most
        most //= 2
    return 0
