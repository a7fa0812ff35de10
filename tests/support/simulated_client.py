"""The client's side of a simulated connection: methods in, events out, bytes in between.

An event is a method as it arrived, with its channel and, where content follows, properties and body.  Nothing is
answered by itself; what arrives stays in `events` until a test takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import (
    FRAME_BODY,
    FRAME_END,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    PROTOCOL_HEADER,
)
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME, content_frames
from warren.adapters.amqp091.connection import Connection
from warren.core.messages.properties import encode_properties

if TYPE_CHECKING:
    from tests.support.simulated_broker import SimulatedBroker
    from tests.support.simulated_transport import SimulatedTransport
    from warren.core.messages.field_table import FieldTable

NO_PROPERTIES = b"\0\0"
PERSISTENT = encode_properties(delivery_mode=2).raw
CAPABILITIES: FieldTable = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}
FRAME_MAX_BYTES = 4096
"""As small as may be, so that bodies of a few kilobytes need several frames."""

AnyMethod = TypeVar("AnyMethod", bound=methods.Method)


@dataclass(frozen=True)
class Event:
    """What came from the broker: a method with its content, if it has any; None stands for a heartbeat."""

    channel: int
    method: methods.Method | None
    properties: bytes = b""
    body: bytes = b""


class EventReader:
    """Puts frames together; raises AssertionError for what no client would understand."""

    def __init__(self) -> None:
        self._rest = b""
        self._methods: dict[int, methods.Method] = {}
        self._headers: dict[int, tuple[int, bytes]] = {}
        self._bodies: dict[int, bytes] = {}

    def read(self, data: bytes) -> list[Event]:
        """The events that are complete with `data`."""
        data = self._rest + data
        position = 0
        events = []
        while len(data) - position >= 7:
            kind, channel = data[position], int.from_bytes(data[position + 1 : position + 3])
            stop = position + 7 + int.from_bytes(data[position + 3 : position + 7])
            if stop >= len(data):
                break
            assert data[stop] == FRAME_END, data[position : stop + 1]
            event = self._frame(kind, channel, data[position + 7 : stop])
            if event is not None:
                events.append(event)
            position = stop + 1
        self._rest = data[position:]
        return events

    @property
    def is_between_frames(self) -> bool:
        """True when nothing is incomplete."""
        return not self._rest and not self._methods

    def _frame(self, kind: int, channel: int, payload: bytes) -> Event | None:
        if kind == FRAME_HEARTBEAT:
            return Event(channel, None)
        if kind == FRAME_HEADER:
            assert channel in self._methods, "a header without a method"
            self._headers[channel] = int.from_bytes(payload[4:12]), payload[12:]
            self._bodies[channel] = b""
        elif kind == FRAME_BODY:
            assert channel in self._headers, "a body without a header"
            assert payload, "an empty body frame"
            self._bodies[channel] += payload
        else:
            assert channel not in self._methods, "a method within a content"
            method = methods.decode(payload, 0, len(payload))
            if not method.has_content:
                return Event(channel, method)
            self._methods[channel] = method
            return None
        return self._content(channel)

    def _content(self, channel: int) -> Event | None:
        size, properties = self._headers[channel]
        if len(self._bodies[channel]) < size:
            return None
        assert len(self._bodies[channel]) == size, "more body than declared"
        del self._headers[channel]
        return Event(channel, self._methods.pop(channel), properties, self._bodies.pop(channel))


class SimulatedClient:
    """One connection; `send*` feeds the broker at once, `call` and `settle` let it work."""

    def __init__(self, broker: SimulatedBroker, transport: SimulatedTransport, connection: Connection) -> None:
        self.broker = broker
        self.transport = transport
        self.connection = connection
        self.events: list[Event] = []
        self._reader = EventReader()

    # Sending

    def send_bytes(self, data: bytes) -> None:
        """Any bytes."""
        self.transport.receive(data)

    def send(self, channel: int, method: methods.Method) -> None:
        """One method without content."""
        self.send_bytes(methods.encode_frame(channel, method))

    def publish(
        self,
        routing_key: str,
        body: bytes = b"",
        *,
        exchange: str = "",
        properties: bytes = NO_PROPERTIES,
        mandatory: bool = False,
        channel: int = 1,
    ) -> None:
        """One message in one piece."""
        self.send_bytes(
            publish_frames(
                routing_key, body, exchange=exchange, properties=properties, mandatory=mandatory, channel=channel
            )
        )

    def ack(self, tag: int, *, multiple: bool = False, channel: int = 1) -> None:
        """basic.ack."""
        self.send(channel, methods.BasicAck(tag, multiple))

    def nack(self, tag: int, *, multiple: bool = False, requeue: bool = True, channel: int = 1) -> None:
        """basic.nack."""
        self.send(channel, methods.BasicNack(tag, multiple, requeue))

    # Receiving

    def settle(self) -> None:
        """Let the broker finish what it has to do."""
        self.broker.settle()

    def collect(self) -> None:
        """Read what has arrived into `events`, without letting the broker work."""
        self.events += self._reader.read(self.transport.take())

    def take(self) -> list[Event]:
        """Settle, then everything that arrived."""
        self.settle()
        self.collect()
        taken = self.events
        self.events = []
        return taken

    def take_methods(self) -> list[methods.Method | None]:
        """`take` without channels and contents."""
        return [event.method for event in self.take()]

    def take_bodies(self) -> list[bytes]:
        """Settle, then the bodies of the deliveries that arrived; they must be all that did."""
        taken = self.take()
        assert all(isinstance(event.method, methods.BasicDeliver) for event in taken), taken
        return [event.body for event in taken]

    def expect(self, kind: type[AnyMethod], channel: int = 1) -> AnyMethod:
        """Settle, then the first event of this kind and channel; what came with it stays."""
        return self.expect_event(kind, channel)[0]

    def expect_event(self, kind: type[AnyMethod], channel: int = 1) -> tuple[AnyMethod, Event]:
        """The same with the event."""
        self.settle()
        self.collect()
        for index, event in enumerate(self.events):
            if isinstance(event.method, kind) and event.channel == channel:
                del self.events[index]
                return event.method, event
        raise AssertionError(f"expected {kind.NAME} on channel {channel}, got {self.events}")

    # Conversations

    def handshake(
        self,
        *,
        heartbeat: int = 0,
        frame_max: int = FRAME_MAX_BYTES,
        channel_max: int = 100,
        capabilities: FieldTable | None = None,
        user: str = "guest",
        password: str = "guest",
    ) -> None:
        """From the protocol header to connection.open-ok."""
        self.send_bytes(
            handshake_bytes(
                heartbeat=heartbeat,
                frame_max=frame_max,
                channel_max=channel_max,
                capabilities=CAPABILITIES if capabilities is None else capabilities,
                user=user,
                password=password,
            )
        )
        names = [method.NAME for method in self.take_methods() if method is not None]
        assert names == ["connection.start", "connection.tune", "connection.open-ok"], names

    def open(self, channel: int = 1) -> None:
        """Open a channel."""
        self.send(channel, methods.ChannelOpen())
        self.expect(methods.ChannelOpenOk, channel)

    def declare(
        self,
        queue: str = "",
        *,
        channel: int = 1,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        arguments: FieldTable | None = None,
    ) -> methods.QueueDeclareOk:
        """queue.declare."""
        method = methods.QueueDeclare(
            queue=queue,
            passive=passive,
            durable=durable,
            exclusive=exclusive,
            auto_delete=auto_delete,
            arguments=arguments or {},
        )
        self.send(channel, method)
        return self.expect(methods.QueueDeclareOk, channel)

    def consume(self, queue: str, tag: str = "", *, channel: int = 1, no_ack: bool = False) -> str:
        """basic.consume; the consumer's tag."""
        self.send(channel, methods.BasicConsume(queue=queue, consumer_tag=tag, no_ack=no_ack))
        return self.expect(methods.BasicConsumeOk, channel).consumer_tag

    def qos(self, count: int, *, global_: bool = False, channel: int = 1) -> None:
        """basic.qos."""
        self.send(channel, methods.BasicQos(0, count, global_))
        self.expect(methods.BasicQosOk, channel)

    def get(self, queue: str, *, no_ack: bool = False, channel: int = 1) -> Event | None:
        """basic.get; None when there was nothing."""
        self.send(channel, methods.BasicGet(queue=queue, no_ack=no_ack))
        self.settle()
        self.collect()
        for index, event in enumerate(self.events):
            if event.channel == channel and isinstance(event.method, methods.BasicGetOk | methods.BasicGetEmpty):
                del self.events[index]
                return event if isinstance(event.method, methods.BasicGetOk) else None
        raise AssertionError(f"expected an answer to basic.get, got {self.events}")

    def confirm_select(self, channel: int = 1) -> None:
        """confirm.select."""
        self.send(channel, methods.ConfirmSelect())
        self.expect(methods.ConfirmSelectOk, channel)

    def close_channel(self, channel: int = 1) -> None:
        """channel.close, answered."""
        self.send(channel, methods.ChannelClose(200))
        self.expect(methods.ChannelCloseOk, channel)

    def close(self) -> None:
        """connection.close, answered; the connection is gone afterwards."""
        self.send(0, methods.ConnectionClose(200))
        self.expect(methods.ConnectionCloseOk, 0)
        assert self.transport.closed

    def lose(self) -> None:
        """The connection breaks."""
        self.transport.lose()
        self.settle()


def publish_frames(
    routing_key: str,
    body: bytes = b"",
    *,
    exchange: str = "",
    properties: bytes = NO_PROPERTIES,
    mandatory: bool = False,
    channel: int = 1,
    body_frame_max: int = FRAME_MAX_BYTES - 8,
) -> bytes:
    """A basic.publish with its content."""
    method = methods.BasicPublish(exchange=exchange, routing_key=routing_key, mandatory=mandatory)
    return methods.encode_frame(channel, method) + content_frames(channel, properties, body, body_frame_max)


def handshake_bytes(
    *,
    heartbeat: int = 0,
    frame_max: int = FRAME_MAX_BYTES,
    channel_max: int = 100,
    capabilities: FieldTable = CAPABILITIES,
    user: str = "guest",
    password: str = "guest",
    vhost: str = "/",
) -> bytes:
    """All that a client says up to connection.open, in one piece."""
    start_ok = methods.ConnectionStartOk(
        {"capabilities": capabilities}, "PLAIN", f"\0{user}\0{password}".encode(), "en_US"
    )
    said: Sequence[methods.Method] = (
        start_ok,
        methods.ConnectionTuneOk(channel_max, frame_max, heartbeat),
        methods.ConnectionOpen(vhost),
    )
    return PROTOCOL_HEADER + b"".join(methods.encode_frame(0, method) for method in said)


def heartbeat_bytes() -> bytes:
    """One heartbeat frame."""
    return HEARTBEAT_FRAME
