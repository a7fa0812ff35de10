"""From which moment a time counts, and that it is over at its time: one before, exactly at, one after (docs/times.md).

Each case brings a broker to the point where something is to happen in so many milliseconds, having let some time pass
before wherever two moments could be mistaken for each other; it gives that number, and how to see that it happened.

Longer than 400 lines because the cases are the rows of one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import core_clients
from tests.support.core_clients import bind, exchange, queue
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, handshake_bytes, publish_frames
from tests.support.simulated_consumer import SimulatedConsumer
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec.packets import Will
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import encode_properties
from warren.core.policies.policy import POLICY, make_policy
from warren.core.queues.base import Queue
from warren.core.queues.quorum import RETRY_MS

Happened = Callable[[], bool]
Case = Callable[[SimulatedBroker], tuple[int, Happened]]

CASES: Final[list[tuple[str, Case]]] = []

TTL_MS: Final = 1000
BEFORE_MS: Final = 400
"""What passes before the moment, or after it and before the look."""


def case(name: str) -> Callable[[Case], Case]:
    def noted(made: Case) -> Case:
        CASES.append((name, made))
        return made

    return noted


@pytest.fixture
def broker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker(tmp_path)
    yield made
    made.close()
    assert tracebacks(caplog) == []


def ttl_queue(broker: SimulatedBroker, ttl_ms: int = TTL_MS, **more: Encodable) -> Queue:
    arguments = {name.replace("_", "-"): value for name, value in more.items()}
    return queue(broker, "q", {"x-message-ttl": ttl_ms, **arguments}, durable=True)


def consuming(queue: Queue, credit: int = 10) -> SimulatedConsumer:
    consumer = SimulatedConsumer(queue, credit=credit)
    queue.add_consumer(consumer)
    return consumer


def expiring(ttl_ms: int = TTL_MS) -> bytes:
    return encode_properties(expiration=str(ttl_ms), delivery_mode=2).raw


def is_gone(broker: SimulatedBroker, name: str = "q") -> Happened:
    """Nothing is in the queue any more, and somebody who asks gets nothing."""

    def happened() -> bool:
        found = core_clients.poll(broker.queue(name))
        return found is None

    return happened


def publish(broker: SimulatedBroker, key: str = "q", exchange: str = "", **more: bytes) -> SimulatedClient:
    client = broker.connect()
    client.publish(key, b"m", exchange=exchange, **more)  # type: ignore[arg-type]
    client.settle()
    return client


@case("a queue's TTL")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker)
    broker.advance(BEFORE_MS)
    publish(broker)
    return TTL_MS, is_gone(broker)


@case("a message's own")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q")
    publish(broker, properties=expiring())
    return TTL_MS, is_gone(broker)


@case("the smaller of the two is the queue's")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker, TTL_MS - 1)
    publish(broker, properties=expiring())
    return TTL_MS - 1, is_gone(broker)


@case("the smaller of the two is the message's")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker, TTL_MS + 1)
    publish(broker, properties=expiring())
    return TTL_MS, is_gone(broker)


@case("for a consumer whose credit comes back")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    """It isn't the queue's timer that is in time, but the look at the head before a delivery."""
    consumer = consuming(ttl_queue(broker), 0)
    publish(broker)

    def happened() -> bool:
        consumer.give(1)
        broker.settle()
        return not consumer.bodies

    return TTL_MS, happened


@case("of a publish in pieces")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker)
    client = broker.connect()
    whole = publish_frames("q", b"m")
    client.send_bytes(whole[:-3])
    broker.advance(BEFORE_MS)
    client.send_bytes(whole[-3:])
    client.settle()
    return TTL_MS, is_gone(broker)


@case("in a transaction of AMQP")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    """The transaction takes longer than the TTL."""
    ttl_queue(broker)
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.publish("q", b"m")
    broker.advance(TTL_MS + BEFORE_MS)
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    return TTL_MS, is_gone(broker)


@case("in a transaction of AMQP, by its own expiration")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q", durable=True)
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.publish("q", b"m", properties=expiring())
    broker.advance(TTL_MS + BEFORE_MS)
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    return TTL_MS, is_gone(broker)


@case("in a transaction of AMQP, over a crash")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    """The time of the commit is what is on disk."""
    ttl_queue(broker)
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.publish("q", b"m", properties=expiring(10 * TTL_MS))
    broker.advance(TTL_MS + BEFORE_MS)
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    broker.crash()
    return TTL_MS, is_gone(broker)


@case("in a transaction of STOMP")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q")
    client = StompClient(broker).connect()
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"m", destination="/amq/queue/q", transaction="t", expiration=str(TTL_MS))
    broker.advance(TTL_MS + BEFORE_MS)
    client.send("COMMIT", transaction="t")
    return TTL_MS, is_gone(broker)


@case("of a publish that an alarm held back")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker)
    client = broker.connect()
    broker.broker.alarms.set("memory", True)
    client.publish("q", b"m")
    broker.advance(TTL_MS + BEFORE_MS)
    broker.broker.alarms.set("memory", False)
    broker.settle()
    return TTL_MS, is_gone(broker)


@case("behind a delay")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    core_clients.delayed(broker, durable=True)
    ttl_queue(broker)
    bind(broker, "q", "x", "k")
    publish(broker, "k", "x", properties=encode_properties(headers={"x-delay": 5 * TTL_MS}, delivery_mode=2).raw)
    broker.advance(5 * TTL_MS)
    return TTL_MS, is_gone(broker)


@case("out of a recent history")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    exchange(broker, "recent", "x-recent-history")
    publish(broker, "", "recent", properties=expiring())
    broker.advance(TTL_MS + BEFORE_MS)
    ttl_queue(broker, 2 * TTL_MS)
    bind(broker, "q", "recent")
    broker.settle()
    return TTL_MS, is_gone(broker)


@case("after a requeue")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker)
    client = publish(broker)
    event = client.get("q")
    assert event is not None
    broker.advance(BEFORE_MS)
    client.send(1, methods.BasicReject(1, requeue=True))
    client.settle()
    return TTL_MS - BEFORE_MS, is_gone(broker)


@case("of a dead letter")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker)
    queue(broker, "first", {"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"})
    publish(broker, "first", properties=expiring(TTL_MS))
    broker.advance(10)
    return TTL_MS, is_gone(broker)


@case("over a restart")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    ttl_queue(broker)
    publish(broker, properties=encode_properties(delivery_mode=2).raw)
    broker.advance(BEFORE_MS)
    broker.restart(lambda: broker.sleep(100))
    return TTL_MS - BEFORE_MS - 100, is_gone(broker)


@case("over a crash, by its own expiration")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q", durable=True)
    publish(broker, properties=expiring())
    broker.advance(BEFORE_MS)
    broker.crash(lambda: broker.sleep(100))
    return TTL_MS - BEFORE_MS - 100, is_gone(broker)


def set_policy(broker: SimulatedBroker, **definition: int) -> None:
    named = {name.replace("_", "-"): value for name, value in definition.items()}
    broker.broker.policies.set(broker.vhost, make_policy(POLICY, "p", "^q$", named))
    broker.settle()


@case("by a policy that comes later")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q")
    publish(broker)
    broker.advance(BEFORE_MS)
    set_policy(broker, message_ttl=TTL_MS)
    return TTL_MS - BEFORE_MS, is_gone(broker)


@case("by a policy that is longer than the one before")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q")
    set_policy(broker, message_ttl=BEFORE_MS + 1)
    publish(broker)
    broker.advance(BEFORE_MS)
    set_policy(broker, message_ttl=TTL_MS)
    return TTL_MS - BEFORE_MS, is_gone(broker)


@case("of a retained message")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    client = MqttClient(broker)
    client.connect("p")
    client.publish_fully("t", b"m", 1, retain=True, message_expiry_interval=2)
    broker.advance(BEFORE_MS)

    def happened() -> bool:
        return not [each for each in client.subscribe("t") if getattr(each, "topic", "") == "t"]

    return 2000 - BEFORE_MS, happened


@case("a delay")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    core_clients.delayed(broker, durable=True)
    waiting = core_clients.bound_queue(broker, "q", "x", "k")
    publish(broker, "k", "x", properties=encode_properties(headers={"x-delay": TTL_MS}).raw)
    return TTL_MS, lambda: waiting.ready_count == 1


@case("a delay in a transaction")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    core_clients.delayed(broker, durable=True)
    waiting = core_clients.bound_queue(broker, "q", "x", "k")
    client = broker.connect()
    client.send(1, methods.TxSelect())
    client.publish("k", b"m", exchange="x", properties=encode_properties(headers={"x-delay": TTL_MS}).raw)
    broker.advance(TTL_MS + BEFORE_MS)
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    return TTL_MS, lambda: waiting.ready_count == 1


@case("a delay over a restart")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    core_clients.delayed(broker, durable=True)
    core_clients.bound_queue(broker, "q", "x", "k", durable=True)
    publish(broker, "k", "x", properties=encode_properties(headers={"x-delay": TTL_MS}, delivery_mode=2).raw)
    broker.advance(BEFORE_MS)
    broker.restart(lambda: broker.sleep(100))
    core_clients.advance(broker, 0)  # what is held is read back in turns
    return TTL_MS - BEFORE_MS - 100, lambda: broker.queue("q").ready_count == 1


@case("a point in time")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    core_clients.delayed(broker, durable=True)
    waiting = core_clients.bound_queue(broker, "q", "x", "k")
    at_ms = broker.broker.now_ms + TTL_MS
    broker.advance(BEFORE_MS)
    publish(broker, "k", "x", properties=encode_properties(headers={"x-deliver-at": at_ms}).raw)
    return TTL_MS - BEFORE_MS, lambda: waiting.ready_count == 1


def queue_is_gone(broker: SimulatedBroker) -> Happened:
    return lambda: "q" not in broker.vhost.queues


@case("a queue's end by disuse, from its declaration")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q", {"x-expires": TTL_MS})
    return TTL_MS, queue_is_gone(broker)


@case("a queue's end by disuse, from its redeclaration")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q", {"x-expires": TTL_MS})
    broker.advance(BEFORE_MS)
    queue(broker, "q", {"x-expires": TTL_MS})
    return TTL_MS, queue_is_gone(broker)


@case("a quorum queue's end by disuse, whatever its redeclaration")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    arguments: dict[str, Encodable] = {"x-expires": TTL_MS, "x-queue-type": "quorum"}
    queue(broker, "q", arguments, durable=True)
    broker.advance(BEFORE_MS)
    queue(broker, "q", arguments, durable=True)
    return TTL_MS - BEFORE_MS, queue_is_gone(broker)


@case("a queue's end by disuse, from the last poll")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q", {"x-expires": TTL_MS})
    broker.advance(BEFORE_MS)
    core_clients.poll(broker.queue("q"))
    return TTL_MS, queue_is_gone(broker)


@case("a queue's end by disuse, from the end of its last consumer")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    consumer = consuming(queue(broker, "q", {"x-expires": TTL_MS}))
    broker.advance(TTL_MS + BEFORE_MS)
    broker.queue("q").remove_consumer(consumer)
    return TTL_MS, queue_is_gone(broker)


@case("a queue's end by disuse, from a policy")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q")
    broker.advance(TTL_MS + BEFORE_MS)
    set_policy(broker, expires=TTL_MS)
    return TTL_MS, queue_is_gone(broker)


@case("a queue's end by disuse, from a start")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    queue(broker, "q", {"x-expires": TTL_MS}, durable=True)
    broker.advance(BEFORE_MS)
    broker.restart(lambda: broker.sleep(TTL_MS))
    return TTL_MS, queue_is_gone(broker)


@case("the next try of a dead letter")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    arguments: dict[str, Encodable] = {
        "x-queue-type": "quorum",
        "x-message-ttl": 10,
        "x-overflow": "reject-publish",
        "x-dead-letter-strategy": "at-least-once",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "graves",
    }
    dying = queue(broker, "q", arguments, durable=True)
    publish(broker)
    broker.advance(10)
    assert dying.untaken_count == 1
    graves = queue(broker, "graves")
    return RETRY_MS, lambda: graves.ready_count == 1


def of_value(value: str) -> bytes:
    return encode_properties(headers={"x-deduplication-header": value}).raw


@case("a value that an exchange remembers")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    exchange(broker, "e", "fanout", {"x-message-deduplication": True, "x-cache-ttl": TTL_MS})
    waiting = core_clients.bound_queue(broker, "q", "e")
    publish(broker, "", "e", properties=of_value("a"))
    broker.advance(BEFORE_MS)
    publish(broker, "", "e", properties=of_value("a"))

    def happened() -> bool:
        publish(broker, "", "e", properties=of_value("a"))
        return waiting.ready_count == 2

    return TTL_MS - BEFORE_MS, happened


@case("a value that a queue remembers")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    waiting = queue(broker, "q", {"x-message-deduplication": True, "x-cache-ttl": TTL_MS})
    publish(broker, properties=of_value("a"))
    broker.advance(BEFORE_MS)
    publish(broker, properties=of_value("a"))

    def happened() -> bool:
        publish(broker, properties=of_value("a"))
        return waiting.ready_count == 2

    return TTL_MS - BEFORE_MS, happened


def session_is_gone(broker: SimulatedBroker) -> Happened:
    return lambda: "s" not in broker.mqtt.of(broker.vhost).sessions


def leaving(broker: SimulatedBroker, will: Will | None = None) -> MqttClient:
    client = MqttClient(broker)
    client.connect("s", clean_start=False, session_expiry_interval=2, will=will)
    broker.advance(BEFORE_MS)
    return client


@case("a session, from the end of its connection")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    leaving(broker).lose()
    return 2000, session_is_gone(broker)


@case("a session, over a restart")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    leaving(broker).lose()
    broker.advance(BEFORE_MS)
    broker.restart(lambda: broker.sleep(100))
    return 2000 - BEFORE_MS - 100, session_is_gone(broker)


@case("a session, after a crash that has ended its connection")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    leaving(broker)
    broker.crash(lambda: broker.sleep(5000))
    return 2000, session_is_gone(broker)


def watcher(broker: SimulatedBroker) -> MqttClient:
    client = MqttClient(broker)
    client.connect("w")
    client.subscribe("will")
    return client


@case("a will")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    watching = watcher(broker)
    leaving(broker, Will("will", b"w", properties={"will_delay_interval": 1})).lose()
    return 1000, lambda: bool(watching.messages())


@case("a will, over a crash")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    leaving(broker, Will("will", b"w", properties={"will_delay_interval": 1})).lose()
    broker.advance(BEFORE_MS)
    broker.crash(lambda: broker.sleep(100))
    watching = watcher(broker)
    return 1000 - BEFORE_MS - 100, lambda: bool(watching.messages())


@case("keep-alive, from the last packet")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    client = MqttClient(broker)
    client.connect("s", keep_alive_s=2)
    broker.advance(BEFORE_MS)
    client.publish("t")
    return 3000, lambda: client.closed


@case("the answer to a refused login")
def _(broker: SimulatedBroker) -> tuple[int, Happened]:
    client = broker.accept()
    broker.advance(BEFORE_MS)
    client.send_bytes(handshake_bytes(password="wrong"))
    client.settle()
    client.collect()
    client.events.clear()

    def happened() -> bool:
        return methods.ConnectionClose in [type(event.method) for event in client.take()]

    return broker.broker.refused_logins.delay_ms, happened


@pytest.mark.parametrize("offset_ms", [-1, 0, 1])
@pytest.mark.parametrize("made", [pytest.param(made, id=name) for name, made in CASES])
def test_a_time_is_over_at_its_time(broker: SimulatedBroker, made: Case, offset_ms: int) -> None:
    due_ms, happened = made(broker)
    broker.advance(due_ms + offset_ms)
    assert happened() == (offset_ms >= 0)


# What has no exact time


def test_a_ttl_of_0_is_for_whoever_takes_it_at_once(broker: SimulatedBroker) -> None:
    consumer = consuming(ttl_queue(broker, 0))
    publish(broker)
    assert consumer.bodies == [b"m"]


@pytest.mark.parametrize("arguments", [{}, {"x-max-priority": 3}, {"x-queue-type": "quorum"}])
@pytest.mark.parametrize("ttl_of", ["queue", "message"])
def test_and_expires_when_it_comes_back(broker: SimulatedBroker, ttl_of: str, arguments: dict[str, Encodable]) -> None:
    """In the same millisecond, and dead-lettered for that."""
    graves = queue(broker, "graves")
    dead: dict[str, Encodable] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    ttl: dict[str, Encodable] = {"x-message-ttl": 0} if ttl_of == "queue" else {}
    consumer = consuming(queue(broker, "q", {**arguments, **dead, **ttl}, durable=True))
    publish(broker, properties=expiring(0))
    assert consumer.bodies == [b"m"]
    consumer.requeue()
    broker.settle()
    assert consumer.bodies == []
    (letter,) = core_clients.take_messages(graves)
    assert core_clients.headers_of(letter)["x-first-death-reason"] == "expired"


def test_a_ttl_of_0_without_a_taker(broker: SimulatedBroker) -> None:
    ttl_queue(broker, 0)
    publish(broker)
    assert broker.queue("q").ready_count == 0
    consumer = consuming(broker.queue("q"), 1)
    client = broker.connect()
    client.publish("q", b"1")
    client.publish("q", b"2")
    client.settle()
    assert consumer.bodies == [b"1"]
    assert broker.queue("q").ready_count == 0


def test_an_acknowledgement_timeout_counts_from_the_delivery(broker: SimulatedBroker) -> None:
    client = broker.connect()
    queue(broker, "q", {"x-consumer-timeout": 8000})
    client.consume("q")
    broker.advance(8000)
    client.publish("q", b"m")
    client.expect(methods.BasicDeliver)
    for _ in range(7):
        broker.advance(1000)
    broker.advance(999)
    assert broker.queue("q").consumers
    broker.advance(1001)
    assert not broker.queue("q").consumers


def test_what_an_mqtt_client_was_sent_has_no_end_any_more(broker: SimulatedBroker) -> None:
    """It is sent again after its expiry, too: whether the client has it already is not known (MQTT 5 4.4)."""
    client = MqttClient(broker)
    client.connect("s", clean_start=False, session_expiry_interval=100)
    client.subscribe("t", qos=1)
    client.publish("t", b"m", 1, message_expiry_interval=1)
    client.lose()
    broker.advance(5000)
    back = MqttClient(broker)
    back.connect("s", clean_start=False, session_expiry_interval=100)
    assert [getattr(each, "payload", None) for each in back.after_connack] == [b"m"]
