"""The loop over the frames of a read.

Theory of operation
-------------------
`parse` is one function, as it runs for every message.  It knows by heart a basic.publish whose method frame, as raw
bytes, was seen before on this connection, and a basic.ack of one delivery.  What the publish's bytes led to is
remembered (core.routing.known_routes), and its header and body frames follow in the same buffer in nearly all cases, so
exchange, routing key, flags and permissions are neither parsed nor checked again.  Everything else goes frame by frame
through `Connection.frame`, the cold path, which is also where every error but that of a broken frame comes from.

A known publish in the buffer (AMQP 0-9-1 4.2.3, 4.2.6; u16 and so on are big-endian).  An envelope is 7 octets, so a
payload begins at + 7, and the body of a message 8 behind the end octet of its header frame:

    from        envelope                      payload                                           end
    position    type=1  channel u16  size u32 | class u16 = 60, method u16 = 40, arguments      | 0xCE at stop
    header      type=2  channel u16  size u32 | class u16 = 60, weight u16 = 0, body size u64,
                                              | property flags and list, from header + 19       | 0xCE at header_stop
    body - 7    type=3  channel u16  size u32 | the body; no frame at all if it is empty        | 0xCE at body_stop

and an acknowledgement: type=1, channel, size=13 | 60, 80, delivery tag u64 at + 11, an octet for multiple | 0xCE.
A message keeps the bytes from `header` to its end as they came: they are what consumers on channels that take frames as
large are sent.

Most traffic comes in rows.  A publish whose bytes up to the body are those of one before (known_publishes.py) isn't
looked at any further, and those that follow it and are the same again are given to their queues together.
Publishes that take turns are rows, too: each remembers which one has followed it.
Acknowledgements of one delivery after the other are taken many at a time, too (consecutive_acks.py).

Longer than 400 lines because it is one loop, and what it takes in one step stands beside it.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec.constants import (
    BASIC_ACK,
    BASIC_PUBLISH,
    CLASS_BASIC,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_METHOD,
    FRAME_OVERHEAD_BYTES,
    FRAME_PREFIX_BYTES,
)
from warren.adapters.amqp091.codec.framing import FRAMED_FOR_CHANNEL
from warren.adapters.amqp091.consecutive_acks import ACK_FRAME_BYTES, ACK_PAYLOAD_BYTES, ACK_TAG_AT
from warren.adapters.amqp091.counting import Counting
from warren.adapters.amqp091.fitting import FRAMED_HEADER_BYTES_MAX
from warren.adapters.amqp091.frame_errors import frame_error
from warren.adapters.amqp091.known_publishes import KnownRow
from warren.core.limit_hits import limited
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.amqp091.channel import Channel
    from warren.adapters.amqp091.connection import Connection
    from warren.adapters.amqp091.known_publishes import KnownPublish
    from warren.core.broker import Broker
    from warren.core.messages.properties import Properties

_unpack_method_frame: Final = Struct(">BHIHH").unpack_from
_unpack_content_header: Final = Struct(">BHIHHQ").unpack_from
_unpack_ack: Final = Struct(">11sQBB").unpack_from
_unpack_envelope: Final = Struct(">BHI").unpack_from

METHOD_FRAME_LEAST: Final = 12
"""Envelope, class id, method id and end octet: what the loop needs to see of a method frame."""

ENVELOPE_BYTES: Final = 7
"""Type, channel and size; behind the payload of that size comes the end octet."""

FRAME_LEAST: Final = 8
"""Envelope and end octet: a frame without a payload."""

SIZE_AT: Final = 5
"""The lower half of the size in an envelope, which is all of it for a method that is remembered."""

METHOD_ID_AT: Final = 10
"""The lower octet of the method id."""

HEADER_PROPERTIES_AT: Final = 19
"""Where the property list begins in a content header frame, envelope included."""


NO_ROWS: Final[dict[bytes, KnownRow]] = {}


def parse(connection: Connection, data: bytes, position: int) -> int:
    """Handle all whole frames from `position`; the position of the first frame that isn't whole, or has to wait."""
    end = len(data)
    broker = connection.broker
    agreed = connection.agreed
    channels = connection.channels.by_number
    known_properties = connection.known_properties.by_bytes
    message_max = connection.settings.message_bytes_max
    payload_max = min(agreed.frame_max, message_max)
    header_max = min(payload_max, FRAMED_HEADER_BYTES_MAX)
    known = connection.known_now()
    rows, content_bytes = _rows(connection, known)
    counting = Counting(broker)
    last_properties: Properties | None = None
    last_size = 0
    before: KnownRow | None = None
    kind: int
    number: int
    size: int
    class_id: int
    method_id: int
    header_kind: int
    header_number: int
    header_size: int
    header_class: int
    weight: int
    body_size: int
    try:
        while end - position >= METHOD_FRAME_LEAST:
            if rows and data[position + METHOD_ID_AT] == BASIC_PUBLISH:
                # The two octets before these are 0 in all that is known: a size of four, and a method of two.
                header = position + FRAME_LEAST + (data[position + SIZE_AT] << 8 | data[position + SIZE_AT + 1])
                row = rows.get(data[position : header + content_bytes])
                if row is not None and end - position < row.size:
                    # All that is missing is the end of its body: it goes on as a whole when that has come.
                    break
                if row is not None and data[position + row.size - 1] == FRAME_END:
                    if row.publish is not counting.publish or row.body_size != counting.size:
                        counting.change(row.publish, row.body_size)
                    if before is not None:
                        before.followed_by(row)
                    position, before = _publish(broker, row, data, position, end)
                    continue
            kind, number, size, class_id, method_id = _unpack_method_frame(data, position)
            stop = position + 7 + size
            if method_id == BASIC_PUBLISH and class_id == CLASS_BASIC and stop < end:
                known_publish = known.get(data[position:stop])
                header = stop + 1
                if known_publish is not None and end - header > HEADER_PROPERTIES_AT:
                    (
                        header_kind,
                        header_number,
                        header_size,
                        header_class,
                        weight,
                        body_size,
                    ) = _unpack_content_header(data, header)
                    header_stop = header + 7 + header_size
                    if body_size:
                        body = header_stop + 8
                        body_stop = body + body_size
                        whole = (
                            body_stop < end
                            and _unpack_envelope(data, body - 7) == (FRAME_BODY, number, body_size)
                            and data[body_stop] == FRAME_END
                            and body_size <= payload_max
                        )
                    else:
                        body_stop = header_stop
                        body = header_stop + 1
                        whole = header_stop < end
                    if (
                        whole
                        and header_kind == FRAME_HEADER
                        and header_number == number
                        and header_class == CLASS_BASIC
                        and not weight
                        and data[stop] == FRAME_END
                        and data[header_stop] == FRAME_END
                        and header_size <= header_max
                    ):
                        properties = known_properties.get(data[header + HEADER_PROPERTIES_AT : header_stop])
                        if properties is None:
                            properties = connection.known_properties.parse(
                                data[header + HEADER_PROPERTIES_AT : header_stop]
                            )
                        if not properties.special:
                            if known_publish is not counting.publish or body_size != counting.size:
                                counting.change(known_publish, body_size)
                            if properties is last_properties and body_size == last_size:
                                beginning = data[position:body]
                                row = KnownRow(
                                    known_publish, properties, beginning, header - position, body_size, number
                                )
                                connection.known.add_row(row)
                                rows, content_bytes = _rows(connection, known)
                                position, before = _publish(broker, row, data, position, end)
                                continue
                            last_properties = properties
                            last_size = body_size
                            content = data[header : body_stop + 1]
                            framed_for = FRAMED_FOR_CHANNEL + number
                            _publish_one(broker, known_publish, properties, content, body - header, framed_for)
                            position = body_stop + 1
                            continue
            elif (
                method_id == BASIC_ACK
                and size == ACK_PAYLOAD_BYTES
                and class_id == CLASS_BASIC
                and kind == FRAME_METHOD
                and stop < end
            ):
                channel = channels.get(number)
                if (
                    channel is not None
                    and channel.transaction is None
                    and channel.content is None
                    and not channel.closing
                ):
                    first = position
                    position = _acknowledge(channel, data, position)
                    if position != first:
                        continue
            if stop >= end:
                check_size(connection, kind, size)
                break
            _check_end(data, kind, position, stop)
            counting.pause()
            before = None
            connection.frame(kind, number, data, position, stop)
            position = stop + 1
            if not connection.takes_frames:
                return position
            payload_max = min(agreed.frame_max, message_max)
            header_max = min(payload_max, FRAMED_HEADER_BYTES_MAX)
            known = connection.known_now()
            rows, content_bytes = _rows(connection, known)
    finally:
        counting.end()
    return _parse_short(connection, data, position) if FRAME_LEAST <= end - position < METHOD_FRAME_LEAST else position


def _rows(connection: Connection, known: dict[bytes, KnownPublish]) -> tuple[dict[bytes, KnownRow], int]:
    """The rows that may be used now, and how much of a publish there is between its method frame and its body."""
    if not known:
        return NO_ROWS, 0
    return connection.known.rows, connection.known.content_bytes


def _publish_one(
    broker: Broker, publish: KnownPublish, properties: Properties, content: bytes, body_at: int, framed_for: int
) -> None:
    """Publish a message that isn't of a row.  content: its header and body frames."""
    broker.sequence = sequence = broker.sequence + 1
    body_size = max(len(content) - body_at - 1, 0)
    message = Message(sequence, publish.address, properties, content, body_at, body_size, framed_for, broker.now_ms)
    if publish.late is not None:
        publish.late.publish([message], body_size, persistent=properties.persistent)
        return
    for queue in publish.queues:
        queue.append(message)
    confirms = publish.confirms
    if confirms is not None:
        confirms.published += 1
    if properties.persistent and publish.store_ids:
        broker.store.append(message, publish.store_ids)
        if confirms is not None:
            confirms.last_stored = confirms.published
    elif publish.kept and confirms is not None:
        confirms.last_stored = confirms.published


def _publish(broker: Broker, row: KnownRow, data: bytes, position: int, end: int) -> tuple[int, KnownRow]:
    """Publish the message at `position`, which is whole, and those behind it that are of its row, or of one that has
    followed before; the position after them, and the row of the last.
    """
    now_ms = broker.now_ms
    while True:
        stop = position + row.size
        next_stop = stop + row.size
        beginning = row.beginning
        # Compiled, a slice takes fewer instructions than `startswith` with a position, which is a call with a tuple.
        if next_stop <= end and data[stop : stop + len(beginning)] == beginning and data[next_stop - 1] == FRAME_END:
            position = _publish_row(broker, row, data, position, end)
        else:
            publish, properties = row.publish, row.properties
            broker.sequence = sequence = broker.sequence + 1
            content = data[position + row.header_at : stop]
            message = Message(
                sequence, publish.address, properties, content, row.body_at, row.body_size, row.framed_for, now_ms
            )
            if publish.late is not None:
                publish.late.publish([message], row.body_size, persistent=properties.persistent)
                position = stop
                return position, row
            for queue in publish.queues:
                queue.append(message)
            if row.store_ids:
                broker.store.append(message, row.store_ids)
            if (confirms := publish.confirms) is not None:
                confirms.published += 1
                if row.store_ids or publish.kept:
                    confirms.last_stored = confirms.published
            position = stop
        follower = row.follower
        if follower is None:
            return position, row
        beginning = follower.beginning
        if data[position : position + len(beginning)] != beginning:
            return position, row
        stop = position + follower.size
        if stop > end or data[stop - 1] != FRAME_END:
            return position, row
        row = follower


def _publish_row(broker: Broker, row: KnownRow, data: bytes, position: int, end: int) -> int:
    """Publish the message at `position` and those of its row behind it, all at once; the position after them."""
    publish, properties, beginning = row.publish, row.properties, row.beginning
    step, header_at, body_at, body_size = row.size, row.header_at, row.body_at, row.body_size
    framed_for, address, now_ms = row.framed_for, publish.address, broker.now_ms
    beginning_bytes = len(beginning)
    last = end - step
    sequence = broker.sequence
    messages: list[Message] = []
    while True:
        sequence += 1
        content = data[position + header_at : position + step]
        message = Message(sequence, address, properties, content, body_at, body_size, framed_for, now_ms)
        messages.append(message)
        position += step
        if (
            position > last
            or data[position : position + beginning_bytes] != beginning
            or data[position + step - 1] != FRAME_END
        ):
            break
    broker.sequence = sequence
    count = len(messages)
    if publish.late is not None:
        publish.late.publish(messages, count * body_size, persistent=properties.persistent)
        return position
    for queue in publish.queues:
        queue.append_all(messages, count * body_size, queue.row_of(message))
    confirms = publish.confirms
    if confirms is not None:
        confirms.published += count
    if row.store_ids:
        broker.store.append_all(messages, row.store_ids)
        if confirms is not None:
            confirms.last_stored = confirms.published
    elif publish.kept and confirms is not None:
        confirms.last_stored = confirms.published
    return position


def _acknowledge(channel: Channel, data: bytes, position: int) -> int:
    """Take acknowledgements of the channel, each of one delivery that is there; the position behind them."""
    deliveries, acks = channel.deliveries, channel.acks
    ids = data[position : position + ACK_TAG_AT]
    before_tag: bytes
    tag: int
    multiple: int
    mark: int
    while len(data) - position >= ACK_FRAME_BYTES:
        before_tag, tag, multiple, mark = _unpack_ack(data, position)
        if before_tag != ids or multiple or mark != FRAME_END:
            break
        count = acks.count(ids, tag, data, position)
        taken = deliveries.acknowledge_run(tag, count)
        position += taken * ACK_FRAME_BYTES
        if taken < count:
            break
    return position


def _parse_short(connection: Connection, data: bytes, position: int) -> int:
    """What the loop leaves: frames too short to be a method (heartbeats, empty bodies), or their beginning."""
    end = len(data)
    while end - position >= FRAME_LEAST and connection.takes_frames:
        kind, number, size = _unpack_envelope(data, position)
        stop = position + 7 + size
        if stop >= end:
            check_size(connection, kind, size)
            break
        _check_end(data, kind, position, stop)
        connection.frame(kind, number, data, position, stop)
        position = stop + 1
    return position


def missing_bytes(connection: Connection, data: bytes, position: int) -> int:
    """How many octets have to come at least before the frame at `position` is whole, and the publish if it is known.

    1 where so little of it is there that nobody has looked at its size.  0 while frames aren't taken, and before there
    are any.
    """
    handshake = connection.handshake
    if not connection.takes_frames or (handshake is not None and not handshake.header_seen):
        return 0
    if len(data) - position < FRAME_LEAST:
        return 1
    size: int = _unpack_envelope(data, position)[2]
    header = position + ENVELOPE_BYTES + size + 1
    if header >= len(data):
        return header - len(data)
    rows, content_bytes = _rows(connection, connection.known_now())
    row = rows.get(data[position : header + content_bytes])
    return 0 if row is None else max(position + row.size - len(data), 0)


def check_size(connection: Connection, kind: int, size: int) -> None:
    """FrameError (501) for a payload that is too large: frame_max counts the 8 octets around it, too (spec A.1).

    That much more is tolerated, as RabbitMQ does, since clients disagree about what frame_max counts.
    """
    frame_max = connection.agreed.frame_max
    if size > frame_max:
        allowed = frame_max - FRAME_OVERHEAD_BYTES
        wrong = f"{{frame_too_large,{size},{allowed}}}"
        raise limited(frame_error(kind, b"", wrong, "the negotiated frame_max allows no more"), "frame_max")


def _check_end(data: bytes, kind: int, start: int, stop: int) -> None:
    if data[stop] != FRAME_END:
        wrong = f"{{invalid_frame_end_marker,{data[stop]}}}"
        raise frame_error(kind, data[start + FRAME_PREFIX_BYTES : stop], wrong, "a frame ends with the octet 206")
