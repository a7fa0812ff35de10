"""Messages that can't be sent in frames as long as the client agreed on (AMQP 0-9-1 4.2.3, 4.2.6).

A body goes in as many frames as it takes, but all properties in one content header.  They may be longer than a consumer
agreed on, as its publisher may have agreed on more, and then nothing can be sent that the client would have to
understand: a longer frame is an error on its side.  So the connection is closed with 501, and the message returns to
its queue, where it counts as a failed delivery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.codec.constants import FRAME_MAX_LEAST_BYTES, FRAME_OVERHEAD_BYTES
from warren.core.errors import FrameError

if TYPE_CHECKING:
    from warren.adapters.amqp091.connection import Connection

HEADER_FIXED_BYTES: Final = 12
"""Class, weight and body size, before the properties of a content header."""

FRAMED_HEADER_BYTES_MAX: Final = FRAME_MAX_LEAST_BYTES - FRAME_OVERHEAD_BYTES
"""A content header up to this size fits whatever a client agreed on, so its message may go on as it came."""


def properties_bytes_max(body_frame_max: int) -> int:
    """How long a message's properties may be, in bytes, for a client that takes frames with so much in them."""
    return body_frame_max - HEADER_FIXED_BYTES


def does_not_fit(connection: Connection, queue: str, properties_bytes: int) -> None:
    """A message of `queue` has properties that are too long for the client: end the connection with this batch.

    Not at once: its queue is in the middle of delivering.
    """
    frame_max = connection.agreed.frame_max
    needed = properties_bytes + HEADER_FIXED_BYTES + FRAME_OVERHEAD_BYTES
    error = FrameError(
        f"a message of queue '{queue}' has {properties_bytes} octets of properties, which don't fit into a frame of "
        f"{frame_max} (frame_max); connect with a frame_max of {needed} or more"
    )
    connection.broker.at_end_of_batch(lambda: connection.cannot_go_on(error))
