"""AMQP 1.0 clients of a simulated broker: frames are sent as any bytes, cut anywhere, and what comes back is parsed.

Frames are written and read with the adapter's own codec, which the codec's tests hold against Qpid Proton; clients that
share nothing with it are in tests/interop.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import proton

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.composites import decode_composite, encode_composite
from warren.adapters.amqp10.codec.framing import AMQP_HEADER, SASL_FRAME, SASL_HEADER, frame, frame_of
from warren.adapters.amqp10.codec.performatives import (
    Attach,
    Begin,
    Close,
    Detach,
    Disposition,
    End,
    Flow,
    Open,
    Transfer,
)
from warren.adapters.amqp10.codec.termini import Accepted, Source, Target
from warren.adapters.amqp10.connection import Connection
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.adapters.amqp10.transactions import CoordinatorLink
from warren.core.messages.message import Message
from warren.core.queues.base import Queue


class Frame:
    """A frame that the broker sent.  body: None for an empty one."""

    def __init__(self, channel: int, body: Any, payload: bytes) -> None:
        self.channel = channel
        self.body = body
        self.payload = payload

    def __repr__(self) -> str:
        return f"{type(self.body).__name__}({vars(self.body) if self.body is not None else ''}) {self.payload!r}"


def frames_of(data: bytes) -> list[Frame]:
    """The frames, and protocol headers as frames whose body is bytes."""
    found = []
    at = 0
    while at < len(data):
        if data[at : at + 4] == b"AMQP":
            found.append(Frame(0, data[at : at + 8], b""))
            at += 8
            continue
        size = int.from_bytes(data[at : at + 4], "big")
        body, stop = None, at + 8
        if size > 8:
            body, stop = decode_composite(data, at + data[at + 4] * 4, at + size)
        found.append(Frame(int.from_bytes(data[at + 6 : at + 8], "big"), body, data[stop : at + size]))
        at += size
    assert at == len(data)
    return found


class Amqp10Client:
    """One connection to a simulated broker.  frames: all that came and nobody took."""

    def __init__(
        self, simulated: SimulatedBroker, settings: Amqp10Settings | None = None, peer_host: str = "127.0.0.1"
    ) -> None:
        self.simulated = simulated
        self.transport = SimulatedTransport(peer_host, 40_000)
        self.transport.unkept = simulated.broker.unkept
        self.connection = Connection(simulated.broker, self.transport, settings or Amqp10Settings())
        self.transport.session = self.connection
        self.transport.outbox = self.connection.outbox
        self.next_delivery_id = 0

    @property
    def closed(self) -> bool:
        """Whether the broker has closed the connection, or is about to."""
        return self.transport.closing or self.transport.closed

    def unacknowledged(self) -> Iterator[tuple[Queue, Message]]:
        """What this client has and hasn't settled, by the broker's books; also what a transaction is to settle."""
        for session in self.connection.sessions.values():
            for delivery in session.deliveries.unacked.values():
                yield delivery[:2]
            for link in session.links.values():
                if isinstance(link, CoordinatorLink):
                    yield from self._enlisted(link)

    def _enlisted(self, controller: CoordinatorLink) -> Iterator[tuple[Queue, Message]]:
        for transaction in self.connection.transactions.of(controller):
            for settlements in transaction.settlements.values():
                for each in settlements:
                    for delivery in each.deliveries.values():
                        yield delivery[:2]

    def send_bytes(self, data: bytes, cut: str = "whole") -> list[Frame]:
        """Send bytes, whole, "byte by byte", or cut as the seed in `cut` says; what is answered."""
        if cut == "whole":
            pieces = [data]
        elif cut == "byte by byte":
            pieces = [data[at : at + 1] for at in range(len(data))]
        else:
            chance = random.Random(cut)
            cuts = sorted(chance.randrange(len(data) + 1) for _ in range(1 + len(data) // 7))
            pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for piece in pieces:
            self.transport.receive(piece)
        self.simulated.settle()
        return self.take()

    def take(self) -> list[Frame]:
        """What has come since the last call."""
        self.simulated.settle()
        return frames_of(self.transport.take())

    def send(self, body: object, payload: bytes = b"", channel: int = 0) -> list[Frame]:
        """Send a frame; what is answered."""
        return self.send_bytes(frame_of(channel, encode_composite(body) + payload))

    def log_in(self, user: str = "guest", password: str = "guest") -> list[Frame]:
        """SASL PLAIN and the second header."""
        init = sasl.SaslInit()
        init.mechanism = "PLAIN"
        init.initial_response = f"\0{user}\0{password}".encode()
        self.send_bytes(SASL_HEADER)
        self.send_bytes(frame(0, init, SASL_FRAME))
        return self.send_bytes(AMQP_HEADER)

    def open(self, **fields: Any) -> Amqp10Client:
        """Log in, and open."""
        self.log_in()
        body = Open("test")
        for name, value in fields.items():
            setattr(body, name, value)
        (answer,) = self.send(body)
        assert isinstance(answer.body, Open), answer
        return self

    def begin(self, channel: int = 0, window: int = 2048) -> Amqp10Client:
        """Begin a session."""
        body = Begin()
        body.incoming_window = window
        body.outgoing_window = window
        (answer,) = self.send(body, channel=channel)
        assert isinstance(answer.body, Begin), answer
        assert answer.body.remote_channel == channel
        return self

    def attach_sender(
        self, address: str | None, handle: int = 0, channel: int = 0, name: str = "", **fields: Any
    ) -> list[Frame]:
        """A link that we send by; what is answered."""
        body = Attach()
        body.name = name or f"sender-{handle}"
        body.handle = handle
        body.role = False
        body.initial_delivery_count = 0
        body.source = Source()
        body.target = Target()
        body.target.address = address
        for field, value in fields.items():
            setattr(body, field, value)
        return self.send(body, channel=channel)

    def attach_receiver(
        self, address: str | None, handle: int = 1, channel: int = 0, name: str = "", **fields: Any
    ) -> list[Frame]:
        """A link that we receive by; what is answered."""
        body = Attach()
        body.name = name or f"receiver-{handle}"
        body.handle = handle
        body.role = True
        body.source = Source()
        body.source.address = address
        body.target = Target()
        for field, value in fields.items():
            setattr(body, field, value)
        return self.send(body, channel=channel)

    def credit(self, count: int, handle: int = 1, channel: int = 0, **fields: Any) -> list[Frame]:
        """Give credit; what comes."""
        body = Flow()
        body.next_incoming_id = 0
        body.incoming_window = 2048
        body.outgoing_window = 2048
        body.handle = handle
        body.delivery_count = 0
        body.link_credit = count
        for field, value in fields.items():
            setattr(body, field, value)
        return self.send(body, channel=channel)

    def publish(
        self, payload: bytes, handle: int = 0, channel: int = 0, *, settled: bool = False, **fields: Any
    ) -> list[Frame]:
        """Send a message; what is answered."""
        body = Transfer()
        body.handle = handle
        body.delivery_id = self.next_delivery_id
        body.delivery_tag = b"%d" % self.next_delivery_id
        body.message_format = 0
        body.settled = settled
        for field, value in fields.items():
            setattr(body, field, value)
        if body.delivery_id is None and "delivery_tag" not in fields:
            body.delivery_tag = None
        self.next_delivery_id += 1
        return self.send(body, payload, channel)

    def settle(
        self, first: int, last: int | None = None, state: object = None, *, settled: bool = True, channel: int = 0
    ) -> list[Frame]:
        """Say what becomes of deliveries; accepted by default."""
        body = Disposition()
        body.role = True
        body.first = first
        body.last = last
        body.settled = settled
        body.state = Accepted() if state is None else state
        return self.send(body, channel=channel)

    def detach(self, handle: int, channel: int = 0, *, closed: bool = True) -> list[Frame]:
        """Detach a link."""
        return self.send(Detach(handle, closed=closed), channel=channel)

    def end(self, channel: int = 0) -> list[Frame]:
        """End a session."""
        return self.send(End(), channel=channel)

    def close(self) -> list[Frame]:
        """Close the connection."""
        return self.send(Close())


def of(kind: type, frames: list[Frame]) -> list[Any]:
    """The performatives of a class among frames."""
    return [each.body for each in frames if isinstance(each.body, kind)]


def only(kind: type, frames: list[Frame]) -> Any:
    """The one frame that there is, which is of this class."""
    (found,) = frames
    assert isinstance(found.body, kind), found
    return found.body


def messages(frames: list[Frame]) -> list[proton.Message]:
    """The messages in transfers, decoded by Proton."""
    found = []
    whole = b""
    for each in frames:
        if isinstance(each.body, Transfer):
            whole += each.payload
            if not each.body.more:
                message = proton.Message()
                message.decode(whole)
                found.append(message)
                whole = b""
    return found


def annotations_of(message: proton.Message) -> dict[str, Any]:
    """The message annotations."""
    return {str(name): value for name, value in (message.annotations or {}).items()}


def body_of(message: proton.Message) -> Any:
    """A body, bytes as bytes."""
    body = message.body
    return bytes(body) if isinstance(body, memoryview) else body


def data(content: bytes) -> bytes:
    """A message of one data section."""
    return b"\x00\x53\x75\xb0" + len(content).to_bytes(4, "big") + content
