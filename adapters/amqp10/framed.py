"""Messages of a stream that come with their sections ready to be sent (core.queues.framing).

Those of a row differ in their bodies and in the annotation `x-stream-offset`, so what stands around these is made once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp10.reading import AMQP_TYPE
from warren.adapters.amqp10.unsent import HEAD_BYTES
from warren.adapters.amqp10.writing import body_head, parts_of
from warren.core.messages.message import Message
from warren.core.queues.framing import Framing

if TYPE_CHECKING:
    from warren.adapters.amqp10.outgoing_link import LinkConsumer
    from warren.core.messages.address import Address
    from warren.core.messages.properties import Properties

FRAMED_FOR_LINK: Final = 0x30000
"""`Message.framed_for` of what stands in a stream, with its sections as its consumer sends them."""

_NUMBERS: Final = (0x1111_1111_1111_1111, 0x2222_2222_2222_2222)
"""Any two without an octet in common in one place: where sections made with them differ, the number stands."""

_NUMBER_BYTES: Final = 8


def framing_of(
    consumer: LinkConsumer, address: Address, properties: Properties, number_name: str, body_size: int
) -> Framing | None:
    """The sections up to the number, and those from behind it up to the body's content.

    None where each message has to be looked at by itself, such as one that doesn't fit a frame of the peer's.
    """
    if properties.type == AMQP_TYPE or consumer.link.attached != 1:
        # Whether a body is what that type says has to be seen each time; tags of later attachments are longer.
        return None
    most = consumer.link.session.connection.agreed.frame_bytes_max - HEAD_BYTES - body_size
    fronts: list[bytes] = []
    for number in _NUMBERS:
        numbered = properties.with_header_entries({number_name: number}, (number_name,))
        message = Message(0, address, numbered, bytes(body_size), 0, body_size, 0, 0)
        front, tail = parts_of(consumer.queue, message, redelivered=False)
        front += body_head(message)
        if tail or len(front) > most:
            return None
        fronts.append(front)
    one, other = fronts
    at = next((place for place in range(min(len(one), len(other))) if one[place] != other[place]), len(one))
    after = at + _NUMBER_BYTES
    if after > len(one) or one[after:] != other[after:]:
        return None
    return Framing(one[:at], one[after:], b"", FRAMED_FOR_LINK)
