"""The loop over the frames that another broker sends: deliveries and confirms in one go, the rest one by one.

A delivery whose header and only body frame follow in the same buffer is read without being decoded as a method
(AMQP 0-9-1 1.8.3.13, 4.2.6; big-endian):

    position    type=1  channel u16  size u32 | class u16 = 60, method u16 = 60, consumer tag shortstr from + 11,
                                              | delivery tag u64, redelivered u8, exchange and routing key shortstr
                                                                                                  | 0xCE at stop
    header      as in the broker's own loop (adapters.amqp091.frame_loop)

Exchange and routing key are looked up by their bytes, properties by theirs: both are mostly the same as before.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.client.channel import ADDRESSES_MAX, Confirm
from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.amqp091.codec.constants import (
    BASIC_ACK,
    CLASS_BASIC,
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_METHOD,
    FRAME_PREFIX_BYTES,
)
from warren.adapters.peers.errors import PeerError
from warren.core.errors import BrokerError
from warren.core.messages.properties import Properties

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.channel import ClientChannel
    from warren.adapters.amqp091.client.connection import ClientConnection

_unpack_method_frame = Struct(">BHIHH").unpack_from
_unpack_content_header = Struct(">BHIHHQ").unpack_from
_unpack_delivery = Struct(">QB").unpack_from
_unpack_envelope = Struct(">BHI").unpack_from

BASIC_DELIVER: Final = 60
METHOD_FRAME_LEAST: Final = 12
FRAME_LEAST: Final = 8
CONSUMER_TAG_AT: Final = 11
HEADER_PROPERTIES_AT: Final = 19
ADDRESS_AT: Final = 9
"""Exchange and routing key stand so far behind the consumer tag: after the delivery tag and the redelivered bit."""


def parse(connection: ClientConnection, data: bytes) -> int:
    """Handle all whole frames; where the first one begins that isn't whole.  PeerError for what mustn't come."""
    position = 0
    end = len(data)
    channels = connection.channels
    known_properties = connection.known_properties
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
                header = stop + 1
                if end - header > HEADER_PROPERTIES_AT:
                    header_kind, header_number, header_size, _, _, body_size = _unpack_content_header(data, header)
                    header_stop = header + FRAME_PREFIX_BYTES + header_size
                    body = header_stop + 8 if body_size else header_stop
                    body_stop = body + body_size
                    if (
                        body_stop < end
                        and header_kind == FRAME_HEADER
                        and header_number == number
                        and data[header_stop] == FRAME_END
                        and data[body_stop] == FRAME_END
                        and (not body_size or _unpack_envelope(data, body - 7) == (FRAME_BODY, number, body_size))
                    ):
                        raw = data[header + HEADER_PROPERTIES_AT : header_stop]
                        properties = known_properties.get(raw)
                        if properties is None:
                            properties = _properties(connection, raw)
                        at = position + CONSUMER_TAG_AT
                        at += 1 + data[at]
                        tag, redelivered = _unpack_delivery(data, at)
                        address = channel.addresses.get(data[at + ADDRESS_AT : stop])
                        if address is None:
                            address = _address(channel, data[at + ADDRESS_AT : stop])
                        channel.arrived.append(
                            Incoming(tag, redelivered != 0, *address, properties, data[body:body_stop])
                        )
                        position = body_stop + 1
                        continue
            elif method_id == BASIC_ACK:
                tag, multiple = _unpack_delivery(data, position + CONSUMER_TAG_AT)
                channel.confirmed.append(Confirm(tag, multiple != 0, True))
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


def _properties(connection: ClientConnection, raw: bytes) -> Properties:
    try:
        properties = Properties.parse(raw)
    except BrokerError as error:
        raise PeerError(f"the peer sent a message that can't be read: {error.text}") from error
    connection.remember(raw, properties)
    return properties


def _address(channel: ClientChannel, raw: bytes) -> tuple[str, str]:
    split = 1 + raw[0] if raw else 0
    if split >= len(raw) or split + 1 + raw[split] != len(raw):
        raise PeerError("the peer sent a delivery whose exchange and routing key can't be read")
    exchange = raw[1:split].decode("utf-8", "surrogateescape")
    routing_key = raw[split + 1 :].decode("utf-8", "surrogateescape")
    if len(channel.addresses) >= ADDRESSES_MAX:
        channel.addresses.clear()
    channel.addresses[raw] = exchange, routing_key
    return exchange, routing_key
