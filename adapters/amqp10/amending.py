"""What a receiver writes on a message that it gives back: the annotations of the outcome modified (part 3, 3.4.5).

They are annotations of the message from then on, for consumers of every protocol by the table of docs/conversions.md,
also when it is dead-lettered; what would be larger than annotations may be isn't written.  `x-opt-delivery-time` and
`x-opt-delivery-delay` put the message off instead: it goes back to its queue when that time has come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warren.adapters.amqp10 import kept
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.encoding import encode, map_of
from warren.adapters.amqp10.codec.sections import SECTION_BYTES_MAX
from warren.adapters.amqp10.reading import COPIES, DELIVERY_DELAY, DELIVERY_TIME, delivery_ms, headers_of_annotations
from warren.adapters.amqp10.writing import annotations_of_headers
from warren.core.declaring.deferring import put_off
from warren.core.queues.amending import amend, with_properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp10.amqp_session import AmqpSession
    from warren.adapters.amqp10.codec.termini import Modified
    from warren.adapters.amqp10.codec.values import Value, ValueMap
    from warren.adapters.amqp10.ranges import TagRange
    from warren.adapters.session.deliveries import Verdict
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue

AMENDED_PER_SLICE: Final = 100
"""Messages that are written on in one turn: some fifty microseconds each."""

_NOT_KEPT: Final = frozenset({COPIES, DELIVERY_TIME, DELIVERY_DELAY})
"""What a receiver can't write on a message: where it goes was its publisher's to say."""


def annotations_of(state: Any) -> ValueMap:
    """The annotations of an outcome that has such; nothing of any other."""
    found = getattr(state, "message_annotations", None)
    return found if isinstance(found, dict) else {}


def settle_modified(session: AmqpSession, found: TagRange, state: Modified, verdict: Verdict) -> None:
    """Settle these deliveries, with what the outcome writes on their messages."""
    if found.work <= AMENDED_PER_SLICE:
        _settle(session, found.tags(), state, verdict)
    else:
        session.connection.settling.begin(_in_slices(session, found, state, verdict))


def _in_slices(session: AmqpSession, found: TagRange, state: Modified, verdict: Verdict) -> Iterator[None]:
    for tags in found.lists():
        for at in range(0, len(tags), AMENDED_PER_SLICE):
            _settle(session, tags[at : at + AMENDED_PER_SLICE], state, verdict)
            yield


def _settle(session: AmqpSession, tags: list[int], state: Modified, verdict: Verdict) -> None:
    deliveries = session.deliveries
    broker = session.connection.broker
    annotations = annotations_of(state)
    at_ms = None if verdict == "discard" else due_at_ms(annotations, broker.now_ms)
    broker.store.begin_group()
    try:
        for tag in tags:
            if tag not in deliveries.unacked:
                continue
            queue, message, consumer = deliveries.unacked[tag]
            if at_ms is not None:
                put_off(queue, with_properties(message, amended(message.properties, annotations)), at_ms)
            else:
                deliveries.unacked[tag] = (queue, amended_message(queue, message, annotations), consumer)
        deliveries.settle_these(tags, verdict if at_ms is None else "ack")
    finally:
        broker.store.end_group()


def due_at_ms(annotations: ValueMap, now_ms: int) -> int | None:
    """When the message is to come again; None for at once."""
    at_ms = delivery_ms(annotations, DELIVERY_TIME)
    delay_ms = delivery_ms(annotations, DELIVERY_DELAY)
    if at_ms is None and delay_ms is not None:
        at_ms = now_ms + delay_ms
    return at_ms if at_ms is not None and at_ms > now_ms else None


def amended_message(queue: Queue, message: Message, annotations: ValueMap) -> Message:
    """The message that takes the place of one that is unacknowledged; within a group of the store."""
    properties = amended(message.properties, annotations)
    return message if properties is message.properties else amend(queue, message, properties)


def amended(properties: Properties, annotations: ValueMap) -> Properties:
    """The properties of a message with further annotations."""
    written: ValueMap = {
        key: value for key, value in annotations.items() if isinstance(key, str) and key not in _NOT_KEPT
    }
    if not written:
        return properties
    headers = properties.headers or {}
    entries: dict[bytes, bytes] = {}
    raw = headers.get(kept.ANNOTATIONS)
    if isinstance(raw, bytes):
        found: Value = decode(raw)[0]
        if isinstance(found, dict):
            entries = {encode(key): encode(value) for key, value in found.items()}
    elif kept.BARE not in headers:
        entries = annotations_of_headers(properties.typed_headers())
    entries.update({encode(key): encode(value) for key, value in written.items()})
    whole = map_of([each for pair in entries.items() for each in pair])
    if len(whole) > SECTION_BYTES_MAX:
        return properties
    return properties.with_header_entries({**headers_of_annotations(written), kept.ANNOTATIONS: whole})
