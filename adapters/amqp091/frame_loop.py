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

Most traffic comes in rows.  After two publishes of the same way, properties and size, one whose bytes up to the body
are the same again is published without another look at what they say; and acknowledgements are taken as long as the
bytes before the delivery tag are alike.
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
from warren.adapters.amqp091.fitting import FRAMED_HEADER_BYTES_MAX
from warren.adapters.amqp091.frame_errors import frame_error
from warren.core.limit_hits import limited
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.amqp091.connection import Connection
    from warren.adapters.amqp091.handlers.publish import KnownPublish
    from warren.core.messages.properties import Properties

_unpack_method_frame = Struct(">BHIHH").unpack_from
_unpack_content_header = Struct(">BHIHHQ").unpack_from
_unpack_ack = Struct(">11sQBB").unpack_from
_unpack_envelope = Struct(">BHI").unpack_from

METHOD_FRAME_LEAST: Final = 12
"""Envelope, class id, method id and end octet: what the loop needs to see of a method frame."""

ENVELOPE_BYTES: Final = 7
"""Type, channel and size; behind the payload of that size comes the end octet."""

FRAME_LEAST: Final = 8
"""Envelope and end octet: a frame without a payload."""

ACK_PAYLOAD_BYTES: Final = 13
"""basic.ack: ids, delivery tag, the octet of the multiple bit."""

ACK_TAG_AT: Final = 11
"""Where the delivery tag begins in a basic.ack frame: behind envelope and ids."""

ACK_FRAME_BYTES: Final = ACK_PAYLOAD_BYTES + FRAME_OVERHEAD_BYTES

HEADER_PROPERTIES_AT: Final = 19
"""Where the property list begins in a content header frame, envelope included."""


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
    # Publishes in a row that go the same way are counted together: so many as sequence numbers were given since.
    row: KnownPublish | None = None
    row_from = 0
    # So are those of one size, whatever their way.
    counted: KnownPublish | None = None
    sizes: dict[int, int] = {}
    size_from = broker.sequence
    last_properties: Properties | None = None
    last_size = 0
    try:
        while end - position >= METHOD_FRAME_LEAST:
            kind, number, size, class_id, method_id = _unpack_method_frame(data, position)
            stop = position + 7 + size
            if method_id == BASIC_PUBLISH and class_id == CLASS_BASIC and stop < end:
                publish = known.get(data[position:stop])
                header = stop + 1
                if publish is not None and end - header > HEADER_PROPERTIES_AT:
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
                        body = body_stop = header_stop
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
                            if publish is not row:
                                if row is not None:
                                    row.published(broker.sequence - row_from)
                                else:
                                    size_from = broker.sequence
                                row = publish
                                row_from = broker.sequence
                            if body_size != last_size:
                                sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
                                size_from = broker.sequence
                            alike = b""
                            if properties is last_properties and body_size == last_size and body_size:
                                alike = data[position:body]
                            last_properties = properties
                            last_size = body_size
                            step = body_stop + 1 - position
                            header_at = header - position
                            body_at = body - header
                            framed_for = FRAMED_FOR_CHANNEL + number
                            confirms = publish.confirms
                            store_ids = publish.store_ids if properties.persistent else ()
                            while True:
                                broker.sequence = sequence = broker.sequence + 1
                                message = Message(
                                    sequence,
                                    publish.address,
                                    properties,
                                    data[position + header_at : position + step],
                                    body_at,
                                    body_size,
                                    framed_for,
                                    broker.now_ms,
                                )
                                position += step
                                for queue in publish.queues:
                                    queue.append(message)
                                if store_ids:
                                    broker.store.append(message, store_ids)
                                    if confirms is not None:
                                        confirms.published += 1
                                        confirms.last_stored = confirms.published
                                elif confirms is not None:
                                    confirms.published += 1
                                if (
                                    not alike
                                    or end - position < step
                                    or not data.startswith(alike, position)
                                    or data[position + step - 1] != FRAME_END
                                ):
                                    break
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
                    acknowledge = channel.deliveries.acknowledge
                    first = position
                    ids = data[position : position + ACK_TAG_AT]
                    while end - position >= ACK_FRAME_BYTES:
                        before_tag, tag, multiple, mark = _unpack_ack(data, position)
                        if before_tag != ids or multiple or mark != FRAME_END or not acknowledge(tag):
                            break
                        position += ACK_FRAME_BYTES
                    if position != first:
                        continue
            if stop >= end:
                check_size(connection, kind, size)
                break
            _check_end(data, kind, position, stop)
            if row is not None:
                row.published(broker.sequence - row_from)
                counted, row = row, None
                sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
            connection.frame(kind, number, data, position, stop)
            position = stop + 1
            if not connection.takes_frames:
                return position
            payload_max = min(agreed.frame_max, message_max)
            header_max = min(payload_max, FRAMED_HEADER_BYTES_MAX)
            known = connection.known_now()
    finally:
        if row is not None:
            row.published(broker.sequence - row_from)
            counted = row
            sizes[last_size] = sizes.get(last_size, 0) + broker.sequence - size_from
        if counted is not None:
            counted.counts.sizes.add_all(sizes)
    return _parse_short(connection, data, position) if FRAME_LEAST <= end - position < METHOD_FRAME_LEAST else position


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
    """How many octets have to come at least before the frame at `position` is whole.

    1 where so little of it is there that nobody has looked at its size.  0 while frames aren't taken, and before there
    are any.
    """
    handshake = connection.handshake
    if not connection.takes_frames or (handshake is not None and not handshake.header_seen):
        return 0
    if len(data) - position < FRAME_LEAST:
        return 1
    size: int = _unpack_envelope(data, position)[2]
    return max(position + ENVELOPE_BYTES + size + 1 - len(data), 0)


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
