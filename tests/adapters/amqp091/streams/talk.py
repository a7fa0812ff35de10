"""What clients of AMQP 0-9-1 do with a stream `s`."""

from __future__ import annotations

from collections.abc import Mapping

from tests.support.core_clients import table
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import FRAME_MAX_BYTES, Event
from warren.adapters.amqp091.codec import methods
from warren.core.errors import NotImplementedByBroker
from warren.core.messages.field_table import Encodable, FieldTable
from warren.core.messages.properties import Properties, encode_properties
from warren.core.queues.stream.queue import StreamQueue

Headers = Mapping[str, Encodable]


class Talk:
    """One connection with one channel; a new one after each `reconnect`."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self.broker = broker
        self.client = broker.connect()

    def reconnect(self, frame_max: int = FRAME_MAX_BYTES) -> None:
        self.client = self.broker.connect(frame_max=frame_max)

    @property
    def queue(self) -> StreamQueue:
        found = self.broker.vhost.queue("s")
        assert isinstance(found, StreamQueue)
        return found

    def declare(self, arguments: Headers | None = None, **more: Encodable) -> None:
        self.ask_to_declare({**(arguments or {}), **more})
        self.client.expect(methods.QueueDeclareOk)

    def ask_to_declare(
        self,
        arguments: Headers | None = None,
        *,
        name: str = "s",
        durable: bool = True,
        exclusive: bool = False,
        auto_delete: bool = False,
    ) -> None:
        wanted = _hyphenated({"x-queue-type": "stream", **(arguments or {})})
        declare = methods.QueueDeclare(
            queue=name, durable=durable, exclusive=exclusive, auto_delete=auto_delete, arguments=wanted
        )
        self.client.send(1, declare)

    def publish(self, *bodies: bytes, headers: Headers | None = None, **fields: object) -> None:
        """Publish and have it stored."""
        properties = encode_properties(headers=headers, **fields)  # type: ignore[arg-type]  # the encoder checks
        for body in bodies:
            self.client.publish("s", body, properties=properties.raw)
        self.broker.settle()

    def consume(
        self,
        prefetch: int = 100,
        arguments: Headers | None = None,
        *,
        tag: str = "t",
        no_ack: bool = False,
        **more: Encodable,
    ) -> None:
        if prefetch:
            self.client.send(1, methods.BasicQos(prefetch_count=prefetch))
            self.client.expect(methods.BasicQosOk)
        wanted = _hyphenated({**(arguments or {}), **more})
        self.client.send(1, methods.BasicConsume(queue="s", consumer_tag=tag, no_ack=no_ack, arguments=wanted))

    def began(self) -> None:
        self.client.expect(methods.BasicConsumeOk)

    def deliveries(self) -> list[Event]:
        """What was delivered, which is all that came."""
        events = self.client.take()
        assert all(isinstance(event.method, methods.BasicDeliver) for event in events), events
        return events

    def bodies(self) -> list[bytes]:
        return [event.body for event in self.deliveries()]

    def read(self, offset: Encodable, **arguments: Encodable) -> list[bytes]:
        """All that a new reader gets from there, on a connection of its own."""
        self.reconnect()
        self.consume(arguments={**arguments, "x_stream_offset": offset})
        self.began()
        return self.bodies()

    def refusal(self, code: int) -> str:
        """The text by which the channel was closed, or for a hard error the connection."""
        closed: methods.ChannelClose | methods.ConnectionClose
        if code == NotImplementedByBroker.code:
            closed = self.client.expect(methods.ConnectionClose, 0)
        else:
            closed = self.client.expect(methods.ChannelClose)
        assert closed.reply_code == code, closed
        return closed.reply_text


def _hyphenated(arguments: Headers) -> FieldTable:
    return table({name.replace("_", "-"): value for name, value in arguments.items()})[0]


def properties_of(event: Event) -> Properties:
    return Properties.parse(event.properties)


def offset_of(event: Event) -> object:
    return (properties_of(event).headers or {})["x-stream-offset"]
