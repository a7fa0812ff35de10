"""A protocol of one's own for Warren: lines of text, to publish to topics and to subscribe to them.

    > LOGIN guest guest            < OK
    > SUB weather.*                < OK
    > PUB weather.rain it is wet   < OK
                                   < weather.rain it is wet

How to write an adapter is told in `adapters/interface.py`. To try this one:

    pip install ./examples/line_protocol
    warren serve --listen line=127.0.0.1:7000
    nc 127.0.0.1 7000

Listeners for everything (`auto`) know it by its LOGIN, and WebSocket listeners by the subprotocol `line`.  It has a key
of the configuration: `--set line_exchange=amq.fanout`.
"""

from dataclasses import dataclass

from warren.adapters.interface import Accept, Adapter, Beginning, Endpoint, Options
from warren.core.broker import Broker
from warren.core.clients.client import Client
from warren.core.clients.outbox import Outbox
from warren.core.clients.transport import Session, Transport, is_loopback
from warren.core.configuration.key import Key, configured
from warren.core.configuration.values import text
from warren.core.declaring.bindings import bind
from warren.core.declaring.queues import declare_queue, end_client
from warren.core.errors import BrokerError, PreconditionFailed
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY
from warren.core.queues.base import Queue
from warren.core.queues.consumer import Consumer
from warren.core.routing.publish import check_publish, publish

FIRST = b"LOGIN "


@dataclass(frozen=True, slots=True)
class LineSettings:
    exchange: str = configured(Key("line_exchange", text, "amq.topic", "Exchange that lines go to and come from."))


def configure(options: Options) -> Accept:
    settings = options.section(LineSettings)

    def accept(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        session = LineSession(broker, transport, settings)
        return session, session.outbox

    return accept


def begins(data: bytes) -> Beginning:
    if not FIRST.startswith(data[: len(FIRST)]):
        return Beginning.OTHER
    return Beginning.MINE if len(data) >= len(FIRST) else Beginning.MORE


def over_websocket(options: Options) -> Endpoint:
    return Endpoint(("line",), takes_text=True, sends_text=True)


ADAPTER = Adapter(configure, settings=(LineSettings,), first_bytes=begins, over_websocket=over_websocket)


class LineSession:
    def __init__(self, broker: Broker, transport: Transport, settings: LineSettings) -> None:
        self.broker, self.transport, self.settings = broker, transport, settings
        self.outbox = Outbox(broker.touched, transport)
        self.client: Client | None = None
        self.rest = b""

    def receive(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            command, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            first, _, second = rest.partition(" ")
            try:
                self.handle(command.upper(), first, second)
                self.outbox.write(b"OK\n")
            except BrokerError as error:
                self.outbox.write(f"ERROR {error.text}\n".encode())

    def handle(self, command: str, first: str, second: str) -> None:
        if command == "LOGIN" and self.client is None:
            user = self.broker.users.authenticate(first, second, is_loopback(self.transport.peer_host), "line")
            self.client = Client("line", user, self.broker.open_vhost(user, "/"), "line", {})
        elif command == "PUB" and self.client is not None:
            check_publish(self.client, self.settings.exchange, first)
            publish(self.client, self.settings.exchange, first, EMPTY, second.encode())
        elif command == "SUB" and self.client is not None:
            queue = declare_queue(self.client, "", exclusive=True)
            bind(self.client, "queue", queue.name, self.settings.exchange, first, {}, EMPTY_TABLE_RAW)
            queue.add_consumer(Subscriber(self, self.client, queue))
        else:
            raise PreconditionFailed("say LOGIN USER PASSWORD first, then PUB TOPIC TEXT or SUB PATTERN")

    def drained(self) -> None: ...

    def connection_lost(self, reason: str) -> None:
        if self.client is not None:
            end_client(self.client)

    def shut_down(self, reason: str) -> None:
        self.transport.close()


class Subscriber(Consumer):
    def __init__(self, session: LineSession, client: Client, queue: Queue) -> None:
        super().__init__(queue, client, "", no_ack=True, exclusive=False, prefetch=0, arguments={})
        self.outbox = session.outbox

    def deliver(self, message: Message, redelivered: bool) -> bool:
        self.outbox.write(message.address.routing_key.encode() + b" " + message.body + b"\n")
        if not self.can_take():
            self.outbox.park(self)
        return self.can_take()

    def can_take(self) -> bool:
        return self.outbox.room > 0

    def cancelled(self) -> None: ...

    def session_name(self) -> str:
        return "line"
