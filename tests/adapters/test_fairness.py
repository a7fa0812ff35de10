"""Wherever consumers share something (credit of a channel, a client's window, room on a connection, a queue), it goes
round: over any stretch of time nobody gets much more than another, whoever came first and whichever queue is looked at
first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.core_clients import queue
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_consumer import SimulatedConsumer
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec.packets import Packet, PubAck, PubComp, Publish, PubRec
from warren.core.clients.outbox import HIGH_WATER_BYTES

LARGE = b"m" * (HIGH_WATER_BYTES // 8)
"""Eight of these fill a connection."""


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    made = SimulatedBroker()
    yield made
    made.close()
    assert tracebacks(caplog) == []


def filled(broker: SimulatedBroker, count: int, messages: int, body: bytes = b"m", **arguments: int) -> list[str]:
    """Queues with so many messages each."""
    names = [f"q{number}" for number in range(count)]
    publisher = broker.connect()
    for name in names:
        queue(broker, name, {each.replace("_", "-"): value for each, value in arguments.items()})
        for _ in range(messages):
            publisher.publish(name, body)
    publisher.settle()
    publisher.close()
    return names


def delivered(client: SimulatedClient) -> list[methods.BasicDeliver]:
    return [event.method for event in client.take() if isinstance(event.method, methods.BasicDeliver)]


def work(client: SimulatedClient, rounds: int, *, at_a_time: int = 1, multiple: bool = False) -> Counter[str]:
    """Take what comes, and acknowledge the oldest so many in each round: how many deliveries each consumer got."""
    got: Counter[str] = Counter()
    waiting: list[int] = []
    for _ in range(rounds):
        for each in delivered(client):
            got[each.consumer_tag] += 1
            waiting.append(each.delivery_tag)
        if multiple:
            client.ack(waiting[:at_a_time][-1], multiple=True)
        else:
            for tag in waiting[:at_a_time]:
                client.ack(tag)
        del waiting[:at_a_time]
    return got


def is_even(got: Counter[str], count: int, slack: int = 1) -> bool:
    return len(got) == count and max(got.values()) - min(got.values()) <= slack


# A prefetch that the channel's consumers share


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_credit_of_a_channel_goes_round_the_queues(broker: SimulatedBroker, limit: int, count: int) -> None:
    names = filled(broker, count, 100)
    client = broker.connect()
    client.qos(limit, global_=True)
    for name in names:
        client.consume(name, name)
    got = work(client, 18 * count)
    assert is_even(got, count, slack=limit + 1), got


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("count", [2, 3])
def test_it_goes_round_the_consumers_of_one_queue(broker: SimulatedBroker, limit: int, count: int) -> None:
    filled(broker, 1, 100)
    client = broker.connect()
    client.qos(limit, global_=True)
    for number in range(count):
        client.consume("q0", f"c{number}")
    got = work(client, 18)
    assert is_even(got, count, slack=limit + 1), got


@pytest.mark.parametrize("multiple", [False, True])
def test_much_credit_that_comes_at_once_is_divided(broker: SimulatedBroker, multiple: bool) -> None:
    """The queue that is looked at first doesn't take all of it."""
    names = filled(broker, 3, 100)
    client = broker.connect()
    client.qos(12, global_=True)
    for name in names:
        client.consume(name, name)
    work(client, 1, at_a_time=12, multiple=multiple)
    got = work(client, 9, at_a_time=12, multiple=multiple)
    assert is_even(got, 3), got


def test_the_first_credit_is_divided_too(broker: SimulatedBroker) -> None:
    names = filled(broker, 3, 0)
    client = broker.connect()
    client.qos(9, global_=True)
    for name in names:
        client.consume(name, name)
    for name in names:
        for _ in range(20):
            client.publish(name, b"m")
    assert is_even(Counter(each.consumer_tag for each in delivered(client)), 3)


def test_nothing_of_it_is_kept_for_a_queue_that_has_nothing(broker: SimulatedBroker) -> None:
    filled(broker, 1, 20)
    queue(broker, "empty")
    client = broker.connect()
    client.qos(6, global_=True)
    client.consume("empty", "empty")
    client.consume("q0", "q0")
    assert len(delivered(client)) == 6


def test_who_came_late_or_went_doesnt_stop_it(broker: SimulatedBroker) -> None:
    names = filled(broker, 3, 100)
    client = broker.connect()
    client.qos(1, global_=True)
    for name in names[:2]:
        client.consume(name, name)
    assert is_even(work(client, 10), 2)
    client.consume(names[2], names[2])
    assert is_even(work(client, 12), 3, slack=2)
    client.send(1, methods.BasicCancel(names[0]))
    got = work(client, 12)
    del got[names[0]]
    assert is_even(got, 2, slack=2)


def test_who_settles_much_at_once_is_not_first(broker: SimulatedBroker) -> None:
    """Two consumers that have all of the credit acknowledge together; a third has waited longer."""
    names = filled(broker, 3, 100)
    client = broker.connect()
    client.qos(4, global_=True)
    for name in names[:2]:
        client.consume(name, name)
    before = delivered(client)
    client.consume(names[2], names[2])
    client.ack(before[-1].delivery_tag, multiple=True)
    got = Counter(each.consumer_tag for each in delivered(client))
    assert got[names[2]] >= 1, got


def test_a_poll_doesnt_take_a_turn(broker: SimulatedBroker) -> None:
    names = filled(broker, 2, 100)
    client = broker.connect()
    client.qos(1, global_=True)
    for name in names:
        client.consume(name, name)
    got: Counter[str] = Counter()
    for _ in range(10):
        (delivery,) = delivered(client)
        got[delivery.consumer_tag] += 1
        assert client.get(names[0], no_ack=True) is not None
        client.ack(delivery.delivery_tag)
    assert is_even(got, 2)


# A window that an MQTT client's queues share


def subscribe(broker: SimulatedBroker, window: int, qos: int) -> MqttClient:
    client = MqttClient(broker)
    client.connect("s", receive_maximum=window)
    client.subscribe("own/#", qos=qos)
    for group in ("g0", "g1"):
        client.subscribe(f"$share/{group}/{group}/#", qos=qos)
    return client


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("window", [1, 2, 6])
def test_the_window_of_an_mqtt_client_goes_round(broker: SimulatedBroker, window: int, qos: int) -> None:
    """And is never more than what was agreed (MQTT-3.3.4-9)."""
    client = subscribe(broker, window, qos)
    publisher = MqttClient(broker)
    publisher.connect("p")
    for topic in ("own/t", "g0/t", "g1/t"):
        for _ in range(30):
            publisher.publish_fully(topic, b"m", qos)
    got: Counter[str] = Counter()
    waiting: list[Publish] = []
    for _ in range(30):
        answers = client.packets()
        if waiting:
            answers += answer(client, waiting.pop(0))
        for each in answers:
            if isinstance(each, Publish):
                got[each.topic] += 1
                waiting.append(each)
        assert len(waiting) <= window
    assert is_even(got, 3, slack=max(2, window)), got


def answer(client: MqttClient, message: Publish) -> list[Packet]:
    if message.qos == 1:
        return client.send(PubAck(message.packet_id))
    return [*client.send(PubRec(message.packet_id)), *client.send(PubComp(message.packet_id))]


@pytest.mark.parametrize("window", [1, 2, 3, 10])
def test_all_queues_at_once_dont_get_past_the_window(broker: SimulatedBroker, window: int) -> None:
    client = subscribe(broker, window, 1)
    publisher = MqttClient(broker)
    publisher.connect("p")
    with_all = [publisher.publish for _ in range(10)]
    for publish in with_all:
        for topic in ("own/t", "g0/t", "g1/t"):
            publish(topic, b"m", 1)
    first = client.messages()
    assert len(first) == window
    more = client.send(*[PubAck(each.packet_id) for each in first])
    assert len([each for each in more if isinstance(each, Publish)]) == window


# Room on a connection


@pytest.mark.parametrize("count", [2, 3, 5])
def test_room_on_a_connection_goes_round_the_queues(broker: SimulatedBroker, count: int) -> None:
    names = filled(broker, count, 60, LARGE)
    client = broker.connect()
    client.transport.socket_room = 0
    for name in names:
        client.send(1, methods.BasicConsume(queue=name, consumer_tag=name, no_ack=True))
    got: Counter[str] = Counter()
    for _ in range(4 * count):
        client.transport.read_by_peer(HIGH_WATER_BYTES)
        got.update(each.consumer_tag for each in delivered(client))
    assert is_even(got, count, slack=24), got


def test_room_on_a_connection_goes_round_its_channels(broker: SimulatedBroker) -> None:
    names = filled(broker, 3, 60, LARGE)
    client = broker.connect(channels=3)
    client.transport.socket_room = 0
    for channel, name in enumerate(names, start=1):
        client.send(channel, methods.BasicConsume(queue=name, consumer_tag=name, no_ack=True))
    got: Counter[str] = Counter()
    for _ in range(12):
        client.transport.read_by_peer(HIGH_WATER_BYTES)
        got.update(each.consumer_tag for each in delivered(client))
    assert is_even(got, 3, slack=24), got


def test_room_goes_round_the_subscriptions_of_stomp(broker: SimulatedBroker) -> None:
    names = filled(broker, 3, 60, LARGE)
    client = StompClient(broker).connect()
    client.transport.socket_room = 0
    for name in names:
        client.send("SUBSCRIBE", destination=f"/amq/queue/{name}", id=name)
    got: Counter[str] = Counter()
    rest = b""
    for _ in range(12):
        client.transport.read_by_peer(HIGH_WATER_BYTES)
        broker.settle()
        rest += client.transport.take()
        for name in names:
            got[name] += rest.count(f"subscription:{name}\n".encode())
        rest = rest[-100:] if b"\0" not in rest[-100:] else b""
    assert is_even(got, 3, slack=24), got


# A queue with several consumers


@pytest.mark.parametrize("priority", [0, 5])
@pytest.mark.parametrize("prefetch", [1, 3])
def test_equal_consumers_take_turns(broker: SimulatedBroker, prefetch: int, priority: int) -> None:
    """Each on a connection of its own; one that is quick to acknowledge gets no more than another that is, too."""
    filled(broker, 1, 200)
    got: Counter[int] = Counter()
    clients = []
    for _ in range(3):
        client = broker.connect()
        client.qos(prefetch)
        client.send(1, methods.BasicConsume(queue="q0", consumer_tag="c", arguments={"x-priority": priority}))
        clients.append(client)
    for _ in range(20):
        for number, client in enumerate(clients):
            for each in delivered(client):
                got[number] += 1
                client.ack(each.delivery_tag)
    assert max(got.values()) - min(got.values()) <= prefetch, got


def test_equals_below_somebody_more_urgent_take_turns(broker: SimulatedBroker) -> None:
    filled(broker, 1, 100)
    found = broker.queue("q0")
    urgent = SimulatedConsumer(found, credit=1, tag="u", arguments={"x-priority": 9})
    equals = [SimulatedConsumer(found, credit=0, tag=str(number), arguments={"x-priority": 1}) for number in range(3)]
    for each in (urgent, *equals):
        found.add_consumer(each)
    broker.settle()
    for _ in range(10):
        for each in equals:
            each.give(1)
        urgent.give(1)
        broker.settle()
    assert len(urgent.taken) == 11
    assert [len(each.taken) for each in equals] == [10, 10, 10]


def test_consumers_that_always_have_credit_take_turns_over_batches(broker: SimulatedBroker) -> None:
    """One message per batch: the turn is remembered from batch to batch."""
    queue(broker, "q0")
    found = broker.queue("q0")
    consumers = [SimulatedConsumer(found, tag=str(number)) for number in range(3)]
    for each in consumers:
        found.add_consumer(each)
    publisher = broker.connect()
    for _ in range(9):
        publisher.publish("q0", b"m")
        publisher.settle()
    assert [len(each.taken) for each in consumers] == [3, 3, 3]


@pytest.mark.parametrize("window", [1, 5])
def test_members_of_a_group_take_turns(broker: SimulatedBroker, window: int) -> None:
    members = []
    for number in range(3):
        member = MqttClient(broker)
        member.connect(f"m{number}", receive_maximum=window)
        member.subscribe("$share/g/t", qos=1)
        members.append(member)
    publisher = MqttClient(broker)
    publisher.connect("p")
    for _ in range(60):
        publisher.publish("t", b"m", 1)
    under_way = [member.messages() for member in members]
    got = [len(packets) for packets in under_way]
    for _ in range(60):
        for number, member in enumerate(members):
            if under_way[number]:
                more = member.send(PubAck(under_way[number].pop(0).packet_id))
                packets = [each for each in more if isinstance(each, Publish)]
                under_way[number] += packets
                got[number] += len(packets)
    assert sum(got) == 60
    assert max(got) - min(got) <= 1, got
