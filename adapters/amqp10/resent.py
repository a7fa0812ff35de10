"""Deliveries that are sent again by a link that is resumed (part 2, 2.6.13; part 3, 3.4.1).

A receiver that has some of a message says how much, and gets the rest.  Header and annotations are made anew for each
delivery, so a receiver that stopped within those is told to forget what it has, and the message goes back to its queue.
Credit counts for these deliveries as for any other, and they come before what is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.codec import quick
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import uint
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import Transfer
from warren.adapters.amqp10.codec.sections import PROPERTIES, sections_of
from warren.adapters.amqp10.codec.termini import Received
from warren.adapters.amqp10.writing import body_head, parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp10.outgoing_link import OutgoingLink
    from warren.adapters.amqp10.unsent import Part
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue

_IDS: Final = 0xFFFF_FFFF

_HEAD_BYTES: Final = 96
"""What the frame of a resumed delivery has in front of its payload, at most: the tag is among it."""


class Resumed:
    """One that is to be sent again.  tag: on the wire.  received: how much of it the peer has; None for nothing."""

    __slots__ = ("message", "queue", "received", "tag")

    def __init__(self, tag: bytes, queue: Queue, message: Message, received: Received | None) -> None:
        self.tag = tag
        self.queue = queue
        self.message = message
        self.received = received


def send_resumed(link: OutgoingLink) -> bool:
    """Send what there is credit and room for; True when nothing is left."""
    consumer = link.consumer
    session = link.session
    outbox = session.connection.outbox
    while link.resumed and consumer.has_room():
        resumed = link.resumed.popleft()
        consumer.credit -= 1
        consumer.delivery_count = (consumer.delivery_count + 1) & _IDS
        payload = _payload(resumed)
        if payload is None:
            _abort(link, resumed)
            continue
        tag = session.deliveries.adopt(resumed.queue, resumed.message, consumer)
        link.tags[tag] = resumed.tag
        session.unsent.add(_frames(link, resumed.tag, session.delivery_id(tag), payload))
    if link.resumed and consumer.credit > 0:
        if outbox.room <= 0:
            outbox.parked[consumer] = None
        else:
            session.parked[consumer] = None
    return not link.resumed


def give_up_resumed(link: OutgoingLink) -> None:
    """The link ends before: these go back to their queues."""
    while link.resumed:
        resumed = link.resumed.popleft()
        resumed.queue.requeue([resumed.message], failed=True)
    unsure, link.unsure = link.unsure, {}
    for queue, message in unsure.values():
        queue.requeue([message], failed=True)


def _payload(resumed: Resumed) -> bytes | None:
    """What the peer hasn't got of the message; None where that can't be said."""
    message = resumed.message
    front, tail = parts_of(resumed.queue, message, redelivered=True)
    whole = b"".join((front, body_head(message), message.body, tail))
    received = resumed.received
    if received is None or (received.section_number == 0 and received.section_offset == 0):
        return whole
    sections = sections_of(whole)
    if received.section_number == len(sections) and not received.section_offset:
        return b""
    if received.section_number >= len(sections):
        return None
    section = sections[received.section_number]
    at = section.at + received.section_offset
    return whole[at:] if section.code >= PROPERTIES and at <= section.end else None


def _abort(link: OutgoingLink, resumed: Resumed) -> None:
    session = link.session
    tag = session.deliveries.polled(resumed.queue, resumed.message, no_ack=True)
    made = _transfer(link, resumed.tag, session.delivery_id(tag))
    made.aborted = True
    session.unsent.add(iter([(frame_of(session.channel, encode_composite(made)), b"")]))
    resumed.queue.requeue([resumed.message], failed=True)


def settle_resumed(link: OutgoingLink, tag: bytes, state: object) -> None:
    """The receiver has said what becomes of it: that is done, and concluded by a transfer without a message."""
    session = link.session
    session.deliveries.delivery_tag += 1
    made = _transfer(link, tag, session.delivery_id(session.deliveries.delivery_tag))
    made.settled = True
    made.state = state
    session.unsent.add(iter([(frame_of(session.channel, encode_composite(made)), b"")]))


def _frames(link: OutgoingLink, tag: bytes, delivery_id: int, payload: bytes) -> Iterator[Part]:
    session = link.session
    part_bytes = session.connection.agreed.frame_bytes_max - _HEAD_BYTES
    made = _transfer(link, tag, delivery_id)
    made.more = len(payload) > part_bytes
    yield frame_of(session.channel, encode_composite(made) + payload[:part_bytes]), b""
    for at in range(part_bytes, len(payload), part_bytes):
        part = payload[at : at + part_bytes]
        more = at + part_bytes < len(payload)
        head = quick.part_head(
            session.channel, uint(link.handle), None, settled=False, more=more, payload_bytes=len(part)
        )
        yield head, part


def _transfer(link: OutgoingLink, tag: bytes, delivery_id: int) -> Transfer:
    made = Transfer()
    made.handle = link.handle
    made.delivery_id = delivery_id
    made.delivery_tag = tag
    made.message_format = 0
    made.settled = False
    made.resume = True
    return made
