"""What a client does with exchanges and queues, straight on the core of a simulated broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from tests.support.simulated_broker import SimulatedBroker
from warren.core.clients.client import Client
from warren.core.declaring.bindings import bind as bind_in_core
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import DestinationKind
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.exchanges.delaying.messages import DelayedMessages
from warren.core.messages.field_table import Encodable, FieldTable, FieldValue, decode_table, encode_table
from warren.core.messages.internal_headers import without_internal
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties, PropertyChanges, encode_properties
from warren.core.queues.answer import Polled, at_once
from warren.core.queues.base import Queue
from warren.core.routing.vhost import Outcome


def guest(broker: SimulatedBroker) -> Client:
    """A client of the default user in the default virtual host."""
    return Client("test", broker.broker.users["guest"], broker.vhost, "test", {})


def table(values: Mapping[str, Encodable]) -> tuple[FieldTable, bytes]:
    """A table as an adapter hands it over: decoded, and as it stood on the wire."""
    raw = encode_table(values)
    return decode_table(raw, 0)[0], raw


def exchange(
    broker: SimulatedBroker,
    name: str,
    type_name: str,
    arguments: Mapping[str, Encodable] | None = None,
    *,
    durable: bool = False,
) -> Exchange:
    """Declare an exchange."""
    decoded, raw = table(arguments or {})
    return declare_exchange(guest(broker), name, type_name, durable=durable, arguments=decoded, arguments_raw=raw)


def delayed(
    broker: SimulatedBroker,
    inner: str = "direct",
    *,
    durable: bool = False,
    arguments: Mapping[str, Encodable] | None = None,
) -> DelayedMessageExchange:
    """Declare "x", an x-delayed-message exchange around another type."""
    declared = exchange(
        broker, "x", "x-delayed-message", {"x-delayed-type": inner, **(arguments or {})}, durable=durable
    )
    assert isinstance(declared, DelayedMessageExchange)
    return declared


def held(broker: SimulatedBroker) -> DelayedMessages:
    """What "x" holds."""
    found = broker.vhost.exchanges["x"]
    assert isinstance(found, DelayedMessageExchange)
    return found.delayed


def queue(
    broker: SimulatedBroker, name: str, arguments: Mapping[str, Encodable] | None = None, *, durable: bool = False
) -> Queue:
    """Declare a queue."""
    decoded, raw = table(arguments or {})
    return declare_queue(guest(broker), name, durable=durable, arguments=decoded, arguments_raw=raw)


def bind(
    broker: SimulatedBroker, destination: str, source: str, key: str = "", kind: DestinationKind = "queue"
) -> None:
    """Bind a queue or an exchange to an exchange."""
    bind_in_core(guest(broker), kind, destination, source, key, *table({}))


def bound_queue(broker: SimulatedBroker, name: str, source: str, key: str = "", *, durable: bool = False) -> Queue:
    """Declare a queue and bind it."""
    declared = queue(broker, name, durable=durable)
    bind(broker, name, source, key)
    return declared


def persistent(**headers: Encodable) -> Properties:
    """Properties of a persistent message with these headers; `_` in their names stands for `-`."""
    return encode_properties(delivery_mode=2, headers=_hyphenated(headers))


def with_headers(**headers: Encodable) -> Properties:
    """Properties of a transient message with these headers; `_` in their names stands for `-`."""
    return encode_properties(headers=_hyphenated(headers))


def properties(**fields: object) -> Properties:
    """Any properties."""
    changes = PropertyChanges(**fields)  # type: ignore[typeddict-item]  # the encoder checks
    return encode_properties(**changes)


def publish(
    broker: SimulatedBroker,
    exchange_name: str,
    body: bytes,
    message_properties: Properties | None = None,
    key: str = "",
    extra_keys: Iterable[str] = (),
) -> tuple[bool, Outcome]:
    """Publish as an adapter does; whether it was routed, and what became of it."""
    vhost = broker.vhost
    core = broker.broker
    chosen = message_properties or with_headers()
    route = vhost.route(exchange_name, key, chosen.headers, extra_keys, chosen)
    message = Message(core.next_sequence(), route.address, chosen, body, 0, len(body), 0, core.now_ms)
    return route.routed, vhost.publish(route, message)


def take(taken_from: Queue) -> list[bytes]:
    """The bodies of everything that is ready, which leaves the queue empty."""
    return [message.body for message in take_messages(taken_from)]


def take_messages(taken_from: Queue) -> list[Message]:
    """Everything that is ready, which leaves the queue empty."""
    messages: list[Message] = []
    for _ in range(taken_from.ready_count + 1):
        got = poll(taken_from, no_ack=True)
        if got is None:
            return messages
        messages.append(got[0])
    raise AssertionError("there is more than was counted")


def poll(polled: Queue, *, no_ack: bool = False) -> Polled:
    """The message at the head, of a queue that answers at once."""
    found: Polled = at_once(partial(polled.get, no_ack=no_ack))
    return found


def headers_of(message: Message) -> dict[str, FieldValue]:
    """The headers of a message as consumers see them, empty when it has none."""
    return dict(without_internal(message.properties).headers or {})


def advance(broker: SimulatedBroker, milliseconds: int) -> int:
    """Let time pass, and everything happen that is due then; in how many turns."""
    broker.advance(milliseconds)
    turns = 1
    while (at_ms := broker.broker.deadlines.next_at_ms) is not None and at_ms <= broker.broker.now_ms:
        broker.advance(0)
        turns += 1
        assert turns < 100_000, "the deadlines never come to rest"
    return turns


def _hyphenated(headers: Mapping[str, Encodable]) -> dict[str, Encodable]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
