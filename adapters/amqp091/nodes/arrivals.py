"""The loop over what another node sends: deliveries, which come in rows, and confirms; all else goes frame by frame.

A delivery is its method frame, header frame and body frame (AMQP 0-9-1 4.2.6), here of one that is whole and has one
body frame, or none:

    position   envelope 7 | class 60, method 60 | consumer tag | delivery tag u64 | redelivered | exchange, key | CE
    header     envelope 7 | class 60, weight, body size | property flags and list                              | CE
    body       envelope 7 | the body                                                                           | CE

Deliveries of a row differ in delivery tag and body alone, so a row is known by what stands before the tag, and by what
stands between it and the body.  The content is made such as the consumer's own channel wants it, where that speaks AMQP
0-9-1 and nothing has to be taken off: the frames' envelopes are changed to its number once for each row.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec.constants import (
    BASIC_ACK,
    CLASS_BASIC,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_METHOD,
    FRAME_PREFIX_BYTES,
)
from warren.adapters.amqp091.codec.framing import FRAMED_FOR_CHANNEL, content_frames
from warren.adapters.peers.errors import PeerError
from warren.core.messages.address import Address
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from warren.adapters.amqp091.nodes.connection import LinkConnection
    from warren.adapters.amqp091.nodes.far_channel import FarChannel
    from warren.core.messages.properties import Properties

_unpack_method_frame: Final = Struct(">BHIHH").unpack_from
_unpack_content_header: Final = Struct(">BHIHHQ").unpack_from
_unpack_envelope: Final = Struct(">BHI").unpack_from
_unpack_ack: Final = Struct(">QB").unpack_from

BASIC_DELIVER: Final = 60
METHOD_FRAME_LEAST: Final = 12
FRAME_LEAST: Final = 8
CONSUMER_TAG_AT: Final = 11
HEADER_PROPERTIES_AT: Final = 19
TAG_BYTES: Final = 8


class Row:
    """Deliveries that differ in tag and body alone.

    before, behind: what stands before the delivery tag, and from it to the body.  size: of all of it.
    head: what the content begins with, up to the body; body_at: its size.
    """

    __slots__ = (
        "address",
        "before",
        "behind",
        "body_at",
        "body_size",
        "body_starts",
        "consumer_tag",
        "framed_for",
        "head",
        "properties",
        "redelivered",
        "size",
    )

    def __init__(
        self,
        before: bytes,
        behind: bytes,
        body_size: int,
        consumer_tag: str,
        redelivered: bool,
        address: Address,
        properties: Properties,
    ) -> None:
        self.before = before
        self.behind = behind
        self.body_size = body_size
        self.body_starts = len(before) + TAG_BYTES + len(behind)
        self.size = self.body_starts + body_size + (1 if body_size else 0)
        self.consumer_tag = consumer_tag
        self.redelivered = redelivered
        self.address = address
        self.properties = properties
        self.framed_for = 0
        self.head = b""
        self.body_at = 0

    def frame_for(self, channel_number: int) -> None:
        """Make contents such as they are on this channel of the consumer's connection."""
        frames = content_frames(channel_number, self.properties.raw, bytes(self.body_size), self.body_size)
        self.head = frames[: len(frames) - self.body_size - 1] if self.body_size else frames
        self.body_at = len(self.head)
        self.framed_for = FRAMED_FOR_CHANNEL + channel_number


def parse(connection: LinkConnection, data: bytes) -> int:
    """Handle all whole frames; where the first one begins that isn't whole.  PeerError for what mustn't come."""
    position = 0
    end = len(data)
    channels = connection.far_channels
    while end - position >= METHOD_FRAME_LEAST:
        kind, number, size, class_id, method_id = _unpack_method_frame(data, position)
        stop = position + FRAME_PREFIX_BYTES + size
        if stop >= end:
            break
        if data[stop] != FRAME_END:
            raise PeerError(f"a frame of the peer's ends with octet {data[stop]:#04x}, not 0xce")
        if kind == FRAME_METHOD and class_id == CLASS_BASIC:
            channel = channels.get(number)
            if channel is None:
                pass
            elif method_id == BASIC_DELIVER:
                row = _row(connection, channel, data, position, stop, end)
                if row is not None:
                    position = _take_row(connection, channel, row, data, position, end)
                    continue
            elif method_id == BASIC_ACK:
                tag, multiple = _unpack_ack(data, position + CONSUMER_TAG_AT)
                channel.near.confirmed(tag, multiple=multiple != 0, taken=True)
                position = stop + 1
                continue
        connection.frame(kind, number, data[position + FRAME_PREFIX_BYTES : stop])
        position = stop + 1
        if connection.closed is not None:
            return end
    while FRAME_LEAST <= end - position < METHOD_FRAME_LEAST:
        kind, number, size = _unpack_envelope(data, position)
        stop = position + FRAME_PREFIX_BYTES + size
        if stop >= end:
            break
        if data[stop] != FRAME_END:
            raise PeerError(f"a frame of the peer's ends with octet {data[stop]:#04x}, not 0xce")
        connection.frame(kind, number, data[position + FRAME_PREFIX_BYTES : stop])
        position = stop + 1
    return position


def _take_row(connection: LinkConnection, channel: FarChannel, row: Row, data: bytes, position: int, end: int) -> int:
    """Hand on the delivery at `position`, which is of this row, and those behind it that are, too; where they end."""
    broker = connection.broker
    now_ms = broker.now_ms
    before, behind, head = row.before, row.behind, row.head
    address, properties, framed_for = row.address, row.properties, row.framed_for
    size, body_at, body_size, body_starts = row.size, row.body_at, row.body_size, row.body_starts
    content_size = body_size if not framed_for else size - body_starts
    tag_starts = len(before)
    behind_starts = tag_starts + TAG_BYTES
    behind_bytes = len(behind)
    sequence = broker.sequence
    tags: list[int] = []
    messages: list[Message] = []
    while True:
        body = position + body_starts
        content = data[body : body + content_size]
        if framed_for:
            content = head + content
        sequence += 1
        messages.append(Message(sequence, address, properties, content, body_at, body_size, framed_for, now_ms))
        tags.append(int.from_bytes(data[position + tag_starts : position + behind_starts], "big"))
        position += size
        if (
            position + size > end
            or data[position : position + tag_starts] != before
            or data[position + behind_starts : position + behind_starts + behind_bytes] != behind
            or data[position + size - 1] != FRAME_END
        ):
            break
    broker.sequence = sequence
    channel.near.arrived(row.consumer_tag, tags, messages, redelivered=row.redelivered)
    return position


def _row(
    connection: LinkConnection, channel: FarChannel, data: bytes, position: int, stop: int, end: int
) -> Row | None:
    """What the delivery at `position` is one of; None where it isn't whole, or isn't in one body frame."""
    header = stop + 1
    if header + HEADER_PROPERTIES_AT not in range(end):
        return None
    header_kind, header_number, header_size, _, _, body_size = _unpack_content_header(data, header)
    header_stop = header + FRAME_PREFIX_BYTES + header_size
    body = header_stop + 1 + (FRAME_PREFIX_BYTES if body_size else 0)
    body_stop = body + body_size if body_size else header_stop
    body_envelope = (FRAME_BODY, channel.number, body_size)
    if not (
        body_stop < end
        and header_kind == FRAME_HEADER
        and header_number == channel.number
        and data[header_stop] == FRAME_END
        and data[body_stop] == FRAME_END
        and (not body_size or _unpack_envelope(data, body - FRAME_PREFIX_BYTES) == body_envelope)
    ):
        return None
    tag_size = data[position + CONSUMER_TAG_AT]
    at = position + CONSUMER_TAG_AT + 1 + tag_size
    key = data[position:at], data[at + TAG_BYTES : body]
    found = channel.rows.get(key)
    if found is None:
        raw = data[header + HEADER_PROPERTIES_AT : header_stop]
        properties = connection.properties(raw)
        consumer_tag = data[position + CONSUMER_TAG_AT + 1 : at].decode("utf-8", "surrogateescape")
        address = connection.address(data[at + TAG_BYTES + 1 : stop])
        found = Row(*key, body_size, consumer_tag, data[at + TAG_BYTES] != 0, address, properties)
        channel_number = channel.consumer_channels.get(consumer_tag, 0)
        if channel_number and without_internal(properties) is properties:
            found.frame_for(channel_number)
        channel.remember(key, found)
    return found
