"""Messages that need several frames, as far as they haven't been sent: their frames are made when there is room.

The peer says how large its frames are, from 512 bytes on, and how many of them its session takes; a message may need a
hundred thousand.  So frames go out as the session's window and the connection's outbox have room, in as many turns as
that takes, and nothing else of the session's messages in between, since parts of several deliveries on one link may not
be mixed (part 2, 2.6.14).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from warren.adapters.amqp10.codec import quick
from warren.adapters.amqp10.codec.encoding import uint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.adapters.amqp10.amqp_session import AmqpSession


HEAD_BYTES: Final = 64
"""What a frame has in front of its payload, at most."""

Part: TypeAlias = tuple[bytes, bytes]
"""A frame: what stands before the payload, and the payload."""


class Unsent:
    """Of one session; true while there is any."""

    __slots__ = ("_messages", "_session")

    def __init__(self, session: AmqpSession) -> None:
        self._session = session
        self._messages: deque[Iterator[Part]] = deque()

    def __len__(self) -> int:
        """How many messages."""
        return len(self._messages)

    def __bool__(self) -> bool:
        return len(self) > 0

    def add(self, parts: Iterator[Part]) -> None:
        """Send a message, behind those that wait.  parts: its frames, of which one is asked for when it can be sent."""
        self._messages.append(parts)
        if len(self._messages) == 1:
            self.send()

    def send(self) -> None:
        """As far as there is room; `resume` goes on where it is the outbox that has none."""
        session, messages = self._session, self._messages
        broker, outbox = session.connection.broker, session.connection.outbox
        while messages and session.window > 0:
            if outbox.room <= 0:
                outbox.park(self)
                return
            part = next(messages[0], None)
            if part is None:
                messages.popleft()
                continue
            head, payload = part
            outbox.write(head)
            outbox.write(payload)
            session.sent(1)
            # A frame takes as long as a message of its own.
            broker.deliveries_left -= 1
        session.resume_parked()

    def resume(self) -> None:
        """The outbox has room again (core.clients.outbox.Resumable)."""
        self.send()

    def clear(self) -> None:
        """The session has ended."""
        self._messages.clear()


def parts_of_message(
    session: AmqpSession, handle: int, delivery_id: int, payload: bytes, *, settled: bool, tag_prefix: bytes = b""
) -> Iterator[Part]:
    """The frames of a message, each with as much of it as the peer's frames have room for.

    tag_prefix: stands before the delivery-id in the delivery's tag.
    """
    part_bytes = session.connection.agreed.frame_bytes_max - HEAD_BYTES
    for at in range(0, len(payload), part_bytes):
        part = payload[at : at + part_bytes]
        yield (
            quick.part_head(
                session.channel,
                uint(handle),
                None if at else delivery_id,
                settled=settled,
                more=at + part_bytes < len(payload),
                payload_bytes=len(part),
                tag_prefix=tag_prefix,
            ),
            part,
        )
