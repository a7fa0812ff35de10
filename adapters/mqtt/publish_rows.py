"""PUBLISH packets in a row that go the same way and are of one length, published in one step (reading.py).

The first of a row was looked at; those behind it begin with the same bytes.  What differs is the payload and, in QoS 1,
the packet identifier, which is only taken from there for the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec.short_answers import ANSWER_BYTES, PUBACK_START
from warren.adapters.mqtt.sessions.publishing import PERSISTENT
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.routing.known_routes import KnownRoute

ANY_ANSWER: Final = PUBACK_START + b"\0\0"
"""A PUBACK whose packet identifier is put in afterwards."""


def length_of_row(data: bytes, position: int, end: int, step: int, alike: bytes) -> int:
    """How many packets of `step` bytes each begin so, one behind the other from `position` on; the first of them does.

    alike: empty where the first is looked at alone.
    """
    count = 1
    if alike:
        size = len(alike)
        last = end - step
        position += step
        # A slice takes fewer instructions than `startswith` with a position, whose arguments C parses from a tuple.
        while position <= last and data[position : position + size] == alike:
            count += 1
            position += step
    return count


def without_properties(data: bytes, length_at: int, count: int, step: int) -> int:
    """How many of a row of MQTT 5 come before the first with properties.  length_at: of those of the first."""
    lengths = data[length_at : length_at + count * step : step]
    return count - len(lengths.lstrip(b"\0"))


def publish_row_at_most_once(
    broker: Broker, known: KnownRoute, data: bytes, position: int, count: int, step: int, body_at: int, framed_for: int
) -> None:
    """QoS 0.  body_at: of the payload in a packet.  Messages keep whole packets, which are `framed_for` somebody."""
    first, address, now_ms, size = broker.sequence + 1, known.address, broker.now_ms, step - body_at
    messages = [
        Message(sequence, address, EMPTY, data[at : at + step], body_at, size, framed_for, now_ms)
        for sequence, at in zip(
            range(first, first + count), range(position, position + count * step, step), strict=True
        )
    ]
    broker.sequence += count
    _give(known, messages, count * size)


def publish_row_at_least_once(
    broker: Broker, known: KnownRoute, data: bytes, position: int, count: int, step: int, size: int
) -> None:
    """QoS 1.  size: of the payload, which is the end of a packet."""
    first, address, now_ms = broker.sequence + 1, known.address, broker.now_ms
    start = position + step - size
    messages = [
        Message(sequence, address, PERSISTENT, data[at : at + size], 0, size, 0, now_ms)
        for sequence, at in zip(range(first, first + count), range(start, start + count * step, step), strict=True)
    ]
    broker.sequence += count
    _give(known, messages, count * size)
    if known.store_ids:
        broker.store.append_all(messages, known.store_ids)


def answers_of_row(data: bytes, id_at: int, count: int, step: int) -> bytes:
    """The PUBACKs of a row, up to the first packet identifier of 0, which is an error; the first is at `id_at`."""
    stop = id_at + count * step
    upper, lower = data[id_at:stop:step], data[id_at + 1 : stop + 1 : step]
    if 0 in upper and 0 in lower:
        for number in range(count):
            if not upper[number] and not lower[number]:
                count = number
                upper, lower = upper[:number], lower[:number]
                break
    answers = bytearray(ANY_ANSWER * count)
    answers[2::ANSWER_BYTES] = upper
    answers[3::ANSWER_BYTES] = lower
    return bytes(answers)


def _give(known: KnownRoute, messages: list[Message], size_bytes: int) -> None:
    """To all queues of their route."""
    last = messages[-1]
    if len(messages) == 1:
        for queue in known.queues:
            queue.append(last)
    else:
        for queue in known.queues:
            queue.append_all(messages, size_bytes, queue.row_of(last))
