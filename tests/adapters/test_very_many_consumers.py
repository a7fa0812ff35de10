"""Very many consumers that end together, or whose queue goes: none is given anything more, and each turn sees to some.

Counted is how many leave a queue, are told or are parked in one turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Publish
from warren.adapters.session.shared_turns import FREE_MAX, THINNED_PER_SLICE
from warren.core.declaring.queues import CONSUMERS_AT_ONCE
from warren.core.messages.field_table import FieldTable
from warren.core.queues.classic.queue import ClassicQueue

MANY = 2 * CONSUMERS_AT_ONCE + 50


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    simulated = SimulatedBroker()
    yield simulated
    simulated.settle()
    assert not simulated.broker.chores
    simulated.close()


@pytest.fixture(autouse=True)
def counts_agree(broker: SimulatedBroker) -> Iterator[None]:
    yield
    broker.settle()
    if broker.clients:
        broker.check()


def consuming(broker: SimulatedBroker, names: list[str], channels: int = 1) -> SimulatedClient:
    """A client with a consumer for each of these, which are declared, in turns on its channels."""
    client = broker.connect(channels)
    for number, name in enumerate(names):
        channel = 1 + number % channels
        client.send(channel, methods.QueueDeclare(queue=name, nowait=True))
        client.send(channel, methods.BasicConsume(queue=name, consumer_tag=f"c{number}", nowait=True))
        if number % 100 == 0:
            client.settle()
    client.take()
    return client


def consumers(broker: SimulatedBroker) -> int:
    return sum(len(queue.consumers) for queue in broker.vhost.queues.values())


def most_per_turn(broker: SimulatedBroker, before: int) -> int:
    """How many consumers have left in one turn at most, the one that is under way included."""
    counts = [before, consumers(broker)]
    while broker.broker.end_turn():
        counts.append(consumers(broker))
    counts.append(consumers(broker))
    return max(earlier - later for earlier, later in pairwise(counts))


ONE = ["q"] * MANY
EACH = [f"q{number}" for number in range(MANY)]


@pytest.mark.parametrize("names", [ONE, EACH], ids=["one queue", "a queue each"])
def test_a_channel_is_closed(broker: SimulatedBroker, names: list[str]) -> None:
    client, other = consuming(broker, names), broker.connect()
    other.publish(names[0], b"unsettled")
    client.take()
    client.send(1, methods.ChannelClose(200))
    other.publish(names[0], b"later")
    assert most_per_turn(broker, MANY) <= CONSUMERS_AT_ONCE
    client.collect()
    assert [event.method for event in client.events] == [methods.ChannelCloseOk()]
    client.events.clear()
    assert consumers(broker) == 0
    found = [other.get(names[0], no_ack=True) for _ in range(2)]
    assert [event.body for event in found if event is not None] == [b"unsettled", b"later"]


@pytest.mark.parametrize("names", [ONE, EACH], ids=["one queue", "a queue each"])
def test_a_connection_is_lost_with_its_channels(broker: SimulatedBroker, names: list[str]) -> None:
    client = consuming(broker, names, channels=50)
    client.transport.lose()
    assert most_per_turn(broker, MANY) <= CONSUMERS_AT_ONCE
    assert consumers(broker) == 0


def test_others_of_the_queue_are_served_at_once(broker: SimulatedBroker) -> None:
    client, other, publisher = consuming(broker, ONE), broker.connect(), broker.connect()
    other.consume("q", no_ack=True)
    client.transport.lose()
    for number in range(3):
        publisher.publish("q", str(number).encode())
    broker.broker.end_turn()
    assert consumers(broker) > 1, "most are still to leave"
    other.collect()
    assert [event.body for event in other.events] == [b"0", b"1", b"2"]


def test_none_of_them_becomes_the_single_active_one(broker: SimulatedBroker) -> None:
    client, other, publisher = broker.connect(), broker.connect(), broker.connect()
    client.declare("q", arguments={"x-single-active-consumer": True})
    for number in range(MANY):
        arguments: FieldTable = {"x-priority": number % 7}
        client.send(1, methods.BasicConsume(queue="q", consumer_tag=f"c{number}", nowait=True, arguments=arguments))
        client.settle()
    tag = other.consume("q", no_ack=True)
    client.transport.lose()
    publisher.publish("q", b"x")
    broker.settle()
    assert other.take_bodies() == [b"x"]
    assert [consumer.tag for consumer in broker.queue("q").consumers] == [tag]


def test_queues_that_go_with_their_last_consumer(broker: SimulatedBroker) -> None:
    client = broker.connect()
    for number in range(MANY):
        client.send(1, methods.QueueDeclare(queue=f"q{number}", auto_delete=True, nowait=True))
        client.send(1, methods.BasicConsume(queue=f"q{number}", consumer_tag=f"c{number}", nowait=True))
        client.settle()
    client.transport.lose()
    assert len(broker.vhost.queues) == MANY
    assert most_per_turn(broker, MANY) <= CONSUMERS_AT_ONCE
    assert not broker.vhost.queues


def test_a_stomp_session_is_lost(broker: SimulatedBroker) -> None:
    client = StompClient(broker)
    client.connect()
    for number in range(MANY):
        client.send("SUBSCRIBE", id=str(number), destination="/queue/a")
    client.transport.lose()
    assert most_per_turn(broker, MANY) <= CONSUMERS_AT_ONCE
    assert consumers(broker) == 0


def test_an_mqtt_client_of_many_groups_is_lost(broker: SimulatedBroker) -> None:
    client, other = MqttClient(broker), MqttClient(broker)
    client.connect("c", clean_start=False, session_expiry_interval=1000)
    client.subscribe("own")
    for number in range(MANY):
        client.subscribe(f"$share/g/t/{number}", qos=1)
    other.connect("other")
    other.subscribe("$share/g/t/7", qos=1)
    client.transport.lose()
    other.transport.receive(encode(Publish("t/7", b"x"), versions.V5))
    assert most_per_turn(broker, MANY + 2) <= CONSUMERS_AT_ONCE + 1
    assert [each.payload for each in other.messages()] == [b"x"]
    assert consumers(broker) == 1


def test_a_queue_is_deleted(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    client, other = consuming(broker, ONE), broker.connect()
    left = 0
    remove = ClassicQueue.remove_consumer

    def counting(queue: ClassicQueue, consumer: object) -> None:
        nonlocal left
        left += 1
        remove(queue, consumer)  # type: ignore[arg-type]

    monkeypatch.setattr(ClassicQueue, "remove_consumer", counting)
    other.send(1, methods.QueueDelete(queue="q"))
    client.send(1, methods.BasicCancel(f"c{MANY - 1}", nowait=True))
    steps = [0, left]
    while broker.broker.end_turn():
        steps.append(left)
    steps.append(left)
    assert max(after - before for before, after in pairwise(steps)) <= CONSUMERS_AT_ONCE + 1
    assert left == MANY
    told = [event.method for event in client.take() if isinstance(event.method, methods.BasicCancel)]
    assert [each.consumer_tag for each in told] == [f"c{number}" for number in range(MANY - 1)]
    assert other.expect(methods.QueueDeleteOk).message_count == 0
    assert not client.connection.channels.by_number[1].consumers


def test_a_queue_is_deleted_whose_consumers_leave_meanwhile(broker: SimulatedBroker) -> None:
    client, other = consuming(broker, ONE), broker.connect()
    other.send(1, methods.QueueDelete(queue="q"))
    broker.broker.end_turn()
    client.transport.lose()
    other.expect(methods.QueueDeleteOk)
    assert other.declare("q").consumer_count == 0


@pytest.mark.parametrize("limit", [1, 5])
@pytest.mark.parametrize("names", [ONE, EACH], ids=["one queue", "a queue each"])
def test_many_come_to_share_a_credit(broker: SimulatedBroker, names: list[str], limit: int) -> None:
    client, publisher = consuming(broker, names), broker.connect()
    client.send(1, methods.BasicQos(0, limit, True))
    counts = [MANY, available(broker)]
    while broker.broker.end_turn():
        counts.append(available(broker))
    counts.append(available(broker))
    assert max(before - after for before, after in pairwise(counts)) <= THINNED_PER_SLICE
    assert counts[-1] <= FREE_MAX
    client.expect(methods.BasicQosOk)
    for name in names:
        publisher.publish(name, b"x")
    got: Counter[int] = Counter()
    while came := [event.method for event in client.take() if isinstance(event.method, methods.BasicDeliver)]:
        assert len(came) <= limit
        got.update(each.delivery_tag for each in came)
        client.ack(came[-1].delivery_tag, multiple=True)
    assert len(got) == MANY


def test_many_that_come_behind_the_limit(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.qos(1, global_=True)
    for name in EACH:
        client.send(1, methods.QueueDeclare(queue=name, nowait=True))
        client.send(1, methods.BasicConsume(queue=name, nowait=True))
        client.settle()
        assert available(broker) <= FREE_MAX


def available(broker: SimulatedBroker) -> int:
    return sum(not consumer.parked for queue in broker.vhost.queues.values() for consumer in queue.consumers)
