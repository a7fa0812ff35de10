"""What stands under a session's own numbers in the message store (session.py): messages whose headers say what of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.headers import PACKET_ID, RELEASED, SOURCE
from warren.adapters.mqtt.sessions.outgoing import RELEASED_BY_CLIENT, SENT, Outgoing
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties

if TYPE_CHECKING:
    from warren.core.broker import Broker

_ADDRESS: Final = Address("", "")


def make_record(broker: Broker, entries: Mapping[str, int | bool]) -> Message:
    """A record without a message."""
    properties = encode_properties(delivery_mode=2, headers=entries)
    return Message(broker.next_sequence(), _ADDRESS, properties, b"", 0, 0, 0, broker.now_ms)


def outbound_copy(message: Message, outgoing: Outgoing) -> Message:
    """The message together with its packet identifier and where it came from."""
    return Message(
        message.sequence,
        message.address,
        message.properties.with_header_entries({PACKET_ID: outgoing.packet_id, SOURCE: outgoing.source}),
        message.content,
        message.body_at,
        message.body_size,
        0,
        message.published_at_ms,
    )


def unsent_copy(message: Message) -> Message:
    """The other way round: the message as its queue had it."""
    return Message(
        message.sequence,
        message.address,
        message.properties.with_header_entries({}, [PACKET_ID, SOURCE]),
        message.content,
        message.body_at,
        message.body_size,
        0,
        message.published_at_ms,
    )


def packet_id_of(record: Message) -> int:
    """The packet identifier of any record."""
    return int(str((record.properties.headers or {}).get(PACKET_ID, 0)))


def outgoing_of(record: Message) -> Outgoing:
    """What an outbound record stands for."""
    headers = record.properties.headers or {}
    released = RELEASED in headers
    outgoing = Outgoing(packet_id_of(record), None if released else record, None, 2, str(headers.get(SOURCE, "")))
    outgoing.state = RELEASED_BY_CLIENT if released else SENT
    outgoing.record = record
    return outgoing
