"""Many retained messages for one subscription: all of them come, in turns, as the client reads, and in their place.

The bounds are small here, so that a few hundred messages are what many thousands are in the field: more than a queue
for a slow client takes, more than one slice brings, more than an outbox holds.  Longer than 400 lines because each
test is a way through the same three helpers: what is retained, who is held up, what comes in the end.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import PubAck, Publish, PubRel, SubAck, Subscribe, Subscription
from warren.adapters.mqtt.sessions.feeding import AHEAD_MESSAGES, COPY_WORK, SLICE_WORK
from warren.adapters.mqtt.sessions.settings import QueueLimits
from warren.core.declaring.queues import remove_queue
from warren.core.queues.backlog import sequence_of
from warren.core.storage.recovery import note_clean_stop

MANY = 1500

COPIES_PER_SLICE = SLICE_WORK // COPY_WORK + 1


@pytest.fixture
def small_bounds(simulated: SimulatedBroker) -> None:
    """Bounds far below what is retained."""
    simulated.mqtt.limits = QueueLimits(qos_0_messages=100, qos_0_bytes=100_000)


def retain(simulated: SimulatedBroker, count: int = MANY, qos: int = 0, size: int = 10, prefix: str = "t") -> None:
    """So many topics with a message that names its topic."""
    publisher = MqttClient(simulated)
    publisher.connect("retaining")
    for number in range(count):
        topic = f"{prefix}/{number}"
        packet_id = number + 1 if qos else 0
        packet = Publish(topic, topic.encode().ljust(size), qos, packet_id, retain=True)
        publisher.transport.receive(encode(packet, versions.V5))
        if qos:
            simulated.settle()
        if qos == 2:
            publisher.send(PubRel(packet_id))
    simulated.settle()
    publisher.disconnect()


def reading(simulated: SimulatedBroker, client: MqttClient, at_once: int = 20_000) -> list[Publish]:
    """What comes to a client that reads piece by piece, and acknowledges."""
    found: list[Publish] = []
    quiet = 0
    while quiet < 3:
        client.transport.read_by_peer(at_once)
        simulated.settle()
        came = [each for each in client.packets() if isinstance(each, Publish)]
        found += came
        quiet = 0 if came else quiet + 1
        acknowledge(client, came)
    return found


def acknowledge(client: MqttClient, came: list[Publish]) -> None:
    """Messages of QoS 1."""
    answers = [PubAck(each.packet_id) for each in came if each.qos == 1]
    if answers:
        client.transport.receive(b"".join([encode(each, client.level) for each in answers]))


def payloads(found: list[Publish]) -> list[str]:
    return [each.payload.decode().strip() for each in found]


def expected(count: int = MANY, prefix: str = "t") -> list[str]:
    return [f"{prefix}/{number}" for number in range(count)]


# Everything comes


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize("size", [10, 3000])
def test_all_come_to_a_client_that_reads_slowly(
    client: Connected, simulated: SimulatedBroker, level: int, size: int
) -> None:
    retain(simulated, size=size)
    subscriber = client("slow", level)
    subscriber.transport.socket_room = 0
    subscriber.send(Subscribe(1, (Subscription("t/#", 0),), {}))
    found = reading(simulated, subscriber)
    assert sorted(payloads(found)) == sorted(expected())
    assert all(each.retain for each in found)
    assert simulated.mqtt.dropped == 0


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize("qos", [1, 2])
def test_all_come_with_qos(client: Connected, simulated: SimulatedBroker, qos: int) -> None:
    retain(simulated, qos=qos)
    subscriber = client("s")
    subscriber.transport.receive(encode(Subscribe(1, (Subscription("#", qos),), {}), versions.V5))
    simulated.settle()
    found = [each.decode().strip() for each in subscriber.take()]
    assert sorted(found) == sorted(expected())


@pytest.mark.usefixtures("small_bounds")
def test_all_come_for_each_of_several_filters(client: Connected, simulated: SimulatedBroker) -> None:
    retain(simulated, 400, prefix="t")
    retain(simulated, 300, prefix="u")
    subscriber = client("s")
    subscriber.transport.socket_room = 0
    wanted = tuple(Subscription(each, 0) for each in ("t/#", "u/+", "#", "t/5", "nothing/#"))
    subscriber.send(Subscribe(1, wanted, {}))
    counted = Counter(payloads(reading(simulated, subscriber)))
    assert set(counted) == {*expected(400, "t"), *expected(300, "u")}
    assert counted["t/5"] == 3
    assert set(counted.values()) == {2, 3}
    assert sum(counted.values()) == 2 * 700 + 1


def test_suback_comes_first_and_oldest_first_where_few_are(client: Connected, simulated: SimulatedBroker) -> None:
    retain(simulated, 20)
    answers = client("s").subscribe("+/#")
    assert isinstance(answers[0], SubAck)
    assert payloads([each for each in answers if isinstance(each, Publish)]) == expected(20)


# In turns


def test_a_turn_makes_no_more_than_a_slice_and_little_waits(client: Connected, simulated: SimulatedBroker) -> None:
    retain(simulated)
    subscriber = client("s")
    before = 0
    subscriber.transport.receive(encode(Subscribe(1, (Subscription("#", 0),), {}), versions.V5))
    feed = subscriber.session.feed
    assert feed is not None
    turns = 0
    more = True
    while more:
        assert feed.copied_count - before <= COPIES_PER_SLICE
        before = feed.copied_count
        more = simulated.broker.end_turn()
        assert simulated.queue("mqtt-subscription-s").ready_count <= AHEAD_MESSAGES
        turns += 1
    assert feed.copied_count == MANY
    assert turns >= MANY // COPIES_PER_SLICE


def test_nothing_is_made_for_who_does_not_read(client: Connected, simulated: SimulatedBroker) -> None:
    retain(simulated, size=20_000, count=200)
    subscriber = client("s")
    subscriber.transport.socket_room = 0
    subscriber.send(Subscribe(1, (Subscription("#", 0),), {}))
    feed = subscriber.session.feed
    assert feed is not None
    assert 50 <= feed.copied_count < 100, "an outbox of a mebibyte, and half of one in the queue"
    assert len(reading(simulated, subscriber, 200_000)) == 200


def test_a_filter_that_matches_nothing_is_walked_in_turns_too(client: Connected, simulated: SimulatedBroker) -> None:
    retain(simulated, SLICE_WORK * 3)
    subscriber = client("s")
    subscriber.transport.receive(encode(Subscribe(1, (Subscription("+/+/no", 0),), {}), versions.V5))
    assert subscriber.session.feed, "not at once"
    turns = 1
    while simulated.broker.end_turn():
        turns += 1
    assert turns >= 3
    assert not subscriber.session.feed


# Beside other messages


def held_up(client: Connected, simulated: SimulatedBroker, qos: int = 1) -> MqttClient:
    """A subscriber that has still most of it coming."""
    retain(simulated, qos=qos, size=10 if qos else 2000)
    subscriber = client("s")
    subscriber.transport.socket_room = 0
    subscriber.send(Subscribe(1, (Subscription("t/#", qos),), {}))
    assert subscriber.session.feed
    return subscriber


@pytest.mark.parametrize("retains", [False, True])
@pytest.mark.parametrize("qos", [0, 1])
def test_what_is_retained_for_a_topic_comes_before_what_is_published_later(
    client: Connected, simulated: SimulatedBroker, qos: int, retains: bool
) -> None:
    subscriber, publisher = held_up(client, simulated, qos), client("p")
    for number in (1, MANY - 1, 700):
        publisher.publish(f"t/{number}", b"live %d" % number, qos, retain=retains)
    found = payloads(reading(simulated, subscriber))
    for number in (1, MANY - 1, 700):
        assert [each for each in found if each in (f"t/{number}", f"live {number}")] == [
            f"t/{number}",
            f"live {number}",
        ]
    assert len(found) == MANY + 3


def test_what_is_retained_has_its_place_before_what_made_it_come(client: Connected, simulated: SimulatedBroker) -> None:
    """The queue's messages are in the order of their sequences, whatever is put among them later."""
    subscriber, publisher = held_up(client, simulated), client("p")
    queue = simulated.queue("mqtt-subscription-s")
    assert subscriber.session.feed
    for number in (MANY - 1, 700, MANY - 2):
        publisher.publish(f"t/{number}", b"live", 1)
        sequences = [sequence_of(each) for each in queue.entries]
        assert sequences == sorted(sequences)
    assert len(set(sequences)) == len(sequences)


def test_it_comes_first_to_a_client_that_comes_back_too(simulated: SimulatedBroker) -> None:
    """Though the rest was brought while it was away."""
    retain(simulated, qos=1)
    subscriber, publisher = MqttClient(simulated), MqttClient(simulated)
    subscriber.connect("s", clean_start=False, session_expiry_interval=HOUR, receive_maximum=10)
    subscriber.send(Subscribe(1, (Subscription("t/#", 1),), {}))
    publisher.connect("p")
    topics = [f"t/{number}" for number in (MANY - 1, 700, MANY - 2)]
    for topic in topics:
        publisher.publish(topic, f"live {topic}".encode(), 1)
    subscriber.lose()
    simulated.settle()
    found = back(simulated)
    for topic in topics:
        assert [each for each in found if each in (topic, f"live {topic}")] == [topic, f"live {topic}"]


def test_a_message_that_goes_away_is_not_given_afterwards(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber, publisher = held_up(client, simulated), client("p")
    publisher.publish(f"t/{MANY - 1}", b"", 1, retain=True)
    found = payloads(reading(simulated, subscriber))
    assert found.index(f"t/{MANY - 1}") < found.index("")
    assert len(found) == MANY + 1


@pytest.mark.usefixtures("small_bounds")
def test_a_flood_of_others_does_not_hold_them_up_or_have_them_dropped(
    client: Connected, simulated: SimulatedBroker
) -> None:
    subscriber, publisher = held_up(client, simulated, 0), client("p")
    subscriber.send(Subscribe(5, (Subscription("flood", 0),), {}))
    flood = b"".join([encode(Publish("flood", b"x" * 3000), versions.V5) for _ in range(100)])
    found: list[str] = []
    for _ in range(400):
        publisher.send_bytes(flood)
        subscriber.transport.read_by_peer(20_000)
        simulated.settle()
        found += payloads([each for each in subscriber.packets() if isinstance(each, Publish)])
        if len([each for each in found if each.startswith("t/")]) == MANY:
            break
    assert sorted(each for each in found if each.startswith("t/")) == sorted(expected())
    assert simulated.mqtt.dropped > 0


def test_own_messages_that_nobody_wants_do_not_take_the_place_of_others(
    client: Connected, simulated: SimulatedBroker
) -> None:
    retain(simulated)
    subscriber = client("s")
    subscriber.transport.socket_room = 0
    subscriber.send(Subscribe(1, (Subscription("t/#", 1, no_local=True),), {}))
    last = f"t/{MANY - 1}"
    subscriber.publish(last, b"own", 1, retain=True)
    found = payloads(reading(simulated, subscriber))
    assert found.count(last) == 1
    assert "own" not in found


def test_routes_are_remembered_again_once_all_is_given(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber = held_up(client, simulated)
    queue = simulated.queue("mqtt-subscription-s")
    assert queue.guarded
    version = simulated.vhost.version
    assert len(reading(simulated, subscriber)) == MANY
    assert not queue.guarded
    assert simulated.vhost.version > version, "routes that were looked up meanwhile would go on asking"


def test_unsubscribe_ends_it_and_subscribe_begins_anew(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber = held_up(client, simulated, 0)
    subscriber.unsubscribe_unread("t/#")
    assert not subscriber.session.feed
    assert len(reading(simulated, subscriber)) < MANY
    subscriber.transport.socket_room = 0
    for packet_id in (5, 6):
        subscriber.send(Subscribe(packet_id, (Subscription("t/#", 0),), {}))
    found = Counter(payloads(reading(simulated, subscriber)))
    assert set(found) == set(expected())
    subscriber.unsubscribe("t/#")
    again = MqttClient(simulated)
    again.connect("other")
    again.transport.socket_room = 0
    again.send(Subscribe(1, (Subscription("t/#", 0),), {}))
    again.lose()
    assert simulated.broker.chores is not None
    assert not simulated.broker.chores


def test_no_retained_handling_leaves_what_is_under_way(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber = held_up(client, simulated, 0)
    subscriber.send(Subscribe(7, (Subscription("t/#", 0, retain_handling=2),), {"subscription_identifiers": [9]}))
    found = reading(simulated, subscriber)
    assert sorted(payloads(found)) == sorted(expected())
    assert found[-1].properties.get("subscription_identifiers") == [9]


# While the client is away


HOUR = 3600


def interrupted(broker: SimulatedBroker, qos: int = 1, count: int = MANY) -> int:
    """A client of a session that lives on leaves in the midst of it; how many it got."""
    retain(broker, count, qos=qos)
    client = MqttClient(broker)
    client.connect("s", clean_start=False, session_expiry_interval=HOUR, receive_maximum=10)
    client.send(Subscribe(1, (Subscription("t/#", 1),), {}))
    came = [each for each in client.packets() if isinstance(each, Publish)]
    acknowledge(client, came)
    broker.settle()
    client.lose()
    return len({each.payload for each in came})


def back(broker: SimulatedBroker) -> list[str]:
    client = MqttClient(broker)
    client.connect("s", clean_start=False, session_expiry_interval=HOUR)
    acknowledge(client, came := [each for each in client.after_connack if isinstance(each, Publish)])
    return payloads(came + reading(broker, client))


def test_the_rest_waits_for_a_session_that_lives_on(simulated: SimulatedBroker) -> None:
    interrupted(simulated)
    assert simulated.queue("mqtt-subscription-s").ready_count > MANY - 50, "not by a cursor any more"
    assert not simulated.queue("mqtt-subscription-s").guarded
    assert sorted(set(back(simulated))) == sorted(expected())


def test_qos_0_does_not_wait(simulated: SimulatedBroker) -> None:
    interrupted(simulated, qos=0)
    assert simulated.queue("mqtt-subscription-s").ready_count == 0
    assert not simulated.broker.chores


def test_no_more_waits_than_may(tmp_path: Path) -> None:
    broker = SimulatedBroker(mqtt_limits=QueueLimits(messages=100))
    try:
        interrupted(broker)
        assert broker.queue("mqtt-subscription-s").ready_count == 100
        assert sorted(set(back(broker))) == sorted(expected()), "the others come as there is room"
    finally:
        broker.close()


def test_over_a_restart(durable: SimulatedBroker) -> None:
    interrupted(durable)
    durable.restart()
    assert sorted(set(back(durable))) == sorted(expected())


def test_over_a_stop_in_the_midst_of_it(durable: SimulatedBroker) -> None:
    retain(durable, qos=1)
    client = MqttClient(durable)
    client.connect("s", clean_start=False, session_expiry_interval=HOUR)
    client.transport.socket_room = 0
    client.send(Subscribe(1, (Subscription("t/#", 1),), {}))
    assert client.session.feed
    client.transport.lose()
    note_clean_stop(durable.broker)
    assert not client.session.feed, "what a stop leaves is on disk"
    assert not cursor_rows(durable)


def test_over_a_crash(durable: SimulatedBroker) -> None:
    retain(durable, qos=1)
    client = MqttClient(durable)
    client.connect("s", clean_start=False, session_expiry_interval=HOUR)
    client.transport.socket_room = 0
    client.send(Subscribe(1, (Subscription("t/#", 1),), {}))
    assert client.session.feed
    assert cursor_rows(durable) == 1
    durable.crash()
    durable.settle()
    assert cursor_rows(durable) == 0
    assert set(back(durable)) == set(expected())


def cursor_rows(broker: SimulatedBroker) -> int:
    """Rows of cursors that aren't done."""
    return sum(kind == "mqtt_retained_cursor" for kind, *_ in broker.broker.definitions.load())


def test_a_queue_that_is_deleted_ends_it(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber = held_up(client, simulated)
    remove_queue(simulated.vhost, simulated.queue("mqtt-subscription-s"))
    simulated.settle()
    assert not subscriber.session.feed
    assert not simulated.broker.chores


# The broker's own topics


def test_a_cursor_brings_them_though_others_ask_meanwhile(client: Connected, simulated: SimulatedBroker) -> None:
    retain(simulated, 600, size=2000)
    subscriber = client("s")
    subscriber.transport.socket_room = 0
    subscriber.send(Subscribe(1, (Subscription("t/#", 0), Subscription("$SYS/broker/uptime", 0)), {}))
    client("other").subscribe("$SYS/#")
    found = reading(simulated, subscriber)
    assert only(Publish, [each for each in found if each.topic.startswith("$SYS")]).retain
