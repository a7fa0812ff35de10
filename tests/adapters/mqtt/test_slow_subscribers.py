"""A slow subscriber with a fast publisher: what waits is bounded, what is dropped is counted, and who can be told is.

Messages of QoS 0 are dropped past a bound (adapters.mqtt.sessions.session_queue); of the others an operator says
how many may wait, by a policy, and whether the oldest go or the publisher is told 0x97 (spec C.3).
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import PubAck, PubComp, Publish, PubRec, PubRel
from warren.adapters.mqtt.sessions.settings import QUEUED_QOS_0_BYTES_MAX, QueueLimits
from warren.core.policies.policy import POLICY, make_policy
from warren.core.queues.classic.plain import ONE_BY_ONE_PER_DRAIN

DROPPED = "$SYS/broker/publish/messages/dropped"

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


@pytest.fixture
def small_bounds(simulated: SimulatedBroker) -> None:
    """Bounds that a test reaches soon: 100 messages, 100,000 bytes."""
    simulated.mqtt.limits = QueueLimits(qos_0_messages=100, qos_0_bytes=100_000)


def limit(simulated: SimulatedBroker, overflow: str, length: int = 3) -> None:
    """A policy for the queues of sessions."""
    policy = make_policy(POLICY, "limit", "^mqtt-", {"max-length": length, "overflow": overflow})
    simulated.broker.policies.set(simulated.vhost, policy)


def dropped(client: MqttClient) -> int:
    """The counter in $SYS."""
    (message,) = [each for each in client.subscribe(DROPPED) if isinstance(each, Publish)]
    client.unsubscribe(DROPPED)
    return int(message.payload)


def everything(simulated: SimulatedBroker, subscriber: MqttClient) -> list[bytes]:
    """What comes to a subscriber that reads again."""
    subscriber.transport.read_by_peer(None)
    simulated.settle()
    taken: list[bytes] = []
    while some := subscriber.take():
        taken += some
        simulated.settle()
    return taken


@pytest.mark.usefixtures("small_bounds")
def test_what_comes_in_more_than_one_turn_isn_t_taken_for_too_much(
    client: Connected, simulated: SimulatedBroker
) -> None:
    """Messages that no PUBLISH of MQTT has brought go out one by one, and so many in turns."""
    subscriber = client("subscriber")
    subscriber.subscribe("t")
    count = 3 * ONE_BY_ONE_PER_DRAIN
    for number in range(count):
        core_clients.publish(simulated, "amq.topic", b"%d" % number, key="t")
    assert numbers(everything(simulated, subscriber)) == list(range(count))


def numbers(payloads: list[bytes]) -> list[int]:
    """What the payloads begin with."""
    return [int(each.split()[0]) for each in payloads]


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize("payload_bytes", [900, 5_000])
def test_messages_of_qos_0_are_dropped_past_the_bound_and_counted(
    client: Connected, level: int, simulated: SimulatedBroker, payload_bytes: int
) -> None:
    subscriber, publisher = client("slow", level), client("p", level)
    subscriber.subscribe("t")
    subscriber.transport.socket_room = 0
    sent = 0
    queue = simulated.queue("mqtt-subscription-slow")
    while dropped(publisher) < 1000:
        for _ in range(50):
            publisher.send_bytes(encode(Publish("t", b"%d " % sent + b"x" * payload_bytes), level))
            sent += 1
        assert queue.ready_count <= 100
        assert queue.ready_bytes <= 100_000
        assert sent < 20_000
    lost = dropped(publisher)
    taken = numbers(everything(simulated, subscriber))
    assert len(taken) == sent - lost
    assert taken == sorted(set(taken)), "in order, each once"


@pytest.mark.usefixtures("small_bounds")
def test_messages_of_qos_1_are_not_dropped_with_those_of_qos_0(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber, publisher = client("slow"), client("p")
    subscriber.subscribe("t", qos=2)
    subscriber.transport.socket_room = 0
    for number in range(1500):
        publisher.publish("t", b"%d " % number + b"x" * 1000, number % 2)
    assert dropped(publisher) > 100
    taken = numbers(everything(simulated, subscriber))
    assert taken == sorted(set(taken))
    assert [each for each in taken if each % 2] == list(range(1, 1500, 2))


@pytest.mark.usefixtures("small_bounds")
def test_a_slow_member_of_a_group(client: Connected, simulated: SimulatedBroker) -> None:
    slow, publisher = client("slow"), client("p")
    slow.subscribe("$share/g/t")
    slow.transport.socket_room = 0
    for number in range(1500):
        publisher.publish("t", b"%d " % number + b"x" * 1000)
    lost = dropped(publisher)
    assert lost > 100
    assert len(everything(simulated, slow)) == 1500 - lost


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize(("payload_bytes", "most"), [(1000, 99), (3000, 33), (10, 100)])
def test_crossing_a_bound_drops_the_surplus_and_no_more(
    client: Connected, simulated: SimulatedBroker, payload_bytes: int, most: int
) -> None:
    subscriber, publisher = client("slow"), client("p")
    subscriber.subscribe("t")
    subscriber.transport.socket_room = 0
    queue = simulated.queue("mqtt-subscription-slow")
    sent = 0

    def publish(count: int) -> None:
        nonlocal sent
        packets = [
            encode(Publish("t", b"%d " % number + b"x" * payload_bytes), versions.V5)
            for number in range(sent, sent + count)
        ]
        publisher.send_bytes(b"".join(packets))
        sent += count

    while not queue.ready_count:
        publish(1)
    given = sent - queue.ready_count
    publish(most - queue.ready_count)
    assert (queue.ready_count, simulated.mqtt.dropped) == (most, 0)
    for count in (1, 7, 300):
        before = simulated.mqtt.dropped
        publish(count)
        assert simulated.mqtt.dropped - before == count, "what came last"
        assert queue.ready_count == most
    assert numbers(everything(simulated, subscriber)) == list(range(given + most))
    publish(1)
    assert numbers(everything(simulated, subscriber)) == [sent - 1]


@pytest.mark.usefixtures("small_bounds")
def test_what_was_let_in_stays_whatever_comes_later(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber, publisher = client("slow"), client("p")
    subscriber.subscribe("t", qos=1)
    subscriber.transport.socket_room = 0
    queue = simulated.queue("mqtt-subscription-slow")
    while queue.ready_count < 50:
        publisher.publish("t", b"x" * 1000)
    for _ in range(200):
        publisher.publish("t", b"y" * 1000, 1)
    assert (queue.ready_count, simulated.mqtt.dropped) == (250, 0), "only further ones of QoS 0 are dropped"
    publisher.publish("t", b"x")
    assert (queue.ready_count, simulated.mqtt.dropped) == (250, 1)


@pytest.mark.usefixtures("small_bounds")
def test_bounds_hold_after_some_have_gone(client: Connected, simulated: SimulatedBroker) -> None:
    """What was looked at is known by its sequence: a count of it would be wrong once the head has moved."""
    subscriber, publisher = client("slow"), client("p")
    subscriber.subscribe("t", qos=1)
    subscriber.transport.socket_room = 0
    queue = simulated.queue("mqtt-subscription-slow")
    for _ in range(30):
        publisher.send_bytes(b"".join([encode(Publish("t", b"z" * 900), versions.V5) for _ in range(200)]))
        assert queue.ready_bytes <= 100_000
        subscriber.transport.read_by_peer(50_000)
        simulated.settle()
        if simulated.mqtt.dropped:
            publisher.send_bytes(b"".join([encode(Publish("t", b"z" * 900), versions.V5) for _ in range(200)]))
            assert queue.ready_count == 100, "neither more than fits nor less"
    assert simulated.mqtt.dropped > 1000


def test_qos_0_does_not_wait_for_who_left_in_the_midst_of_it(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber, publisher = client("s", clean_start=False, **HOUR), client("p")
    subscriber.subscribe("t", qos=1)
    subscriber.transport.socket_room = 0
    queue = simulated.queue("mqtt-subscription-s")
    while queue.ready_count < 200:
        publisher.publish("t", b"x" * 5000, 0)
    for _ in range(50):
        publisher.publish("t", b"y", 1)
    waiting = queue.ready_count
    subscriber.lose()
    for _ in range(3):
        publisher.publish("t", b"y", 1)
        publisher.publish("t", b"x")
    assert queue.ready_count == 53
    assert simulated.mqtt.dropped == waiting - 50 + 3
    back = client("s", clean_start=False, **HOUR)
    taken = [each.payload for each in back.after_connack if isinstance(each, Publish)]
    assert taken == [b"y"] * 53


def test_memory_is_bounded(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber, publisher = client("slow"), client("p")
    subscriber.subscribe("t")
    subscriber.transport.socket_room = 0
    packet = encode(Publish("t", b"x" * 500_000), versions.V5)
    publisher.send_bytes(packet)
    tracemalloc.start()
    try:
        for _ in range(200):
            publisher.send_bytes(packet)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < QUEUED_QOS_0_BYTES_MAX * 1.2, "100 MB were published"
    assert simulated.mqtt.dropped > 100


@pytest.mark.parametrize("qos", [1, 2])
def test_a_full_queue_is_told_to_the_publisher(
    client: Connected, level: int, simulated: SimulatedBroker, qos: int
) -> None:
    limit(simulated, "reject-publish")
    subscriber = client("s", clean_start=False, **HOUR)
    subscriber.subscribe("t", qos=qos)
    subscriber.lose()
    publisher = client("p", level)
    kind: type[PubAck | PubRec] = PubAck if qos == 1 else PubRec
    for number in range(3):
        publisher.publish_fully("t", b"%d" % number, qos)
    answers = publisher.publish("t", b"too many", qos, packet_id=9)
    assert not publisher.closed
    if level == versions.V5:
        assert only(kind, answers).reason_code == reason_codes.QUOTA_EXCEEDED
        assert only(kind, answers).properties["reason_string"]
        assert not publisher.session.inbound
    else:
        assert answers == [], "MQTT 3 can't say so; the message stays unanswered, and comes again"
    back = client("s", clean_start=False, **HOUR)
    taken = [each.payload for each in back.after_connack if isinstance(each, Publish)]
    assert taken == [b"0", b"1", b"2"]
    for each in [each for each in back.after_connack if isinstance(each, Publish)]:
        if qos == 1:
            back.send(PubAck(each.packet_id))
        else:
            back.send(PubRec(each.packet_id))
            back.send(PubComp(each.packet_id))
    again = publisher.publish("t", b"too many", qos, packet_id=9, duplicate=True)
    assert only(kind, again).reason_code == 0
    if qos == 2:
        only(PubComp, publisher.send(PubRel(9)))
    assert back.take() == [b"too many"]


def test_a_full_queue_refuses_messages_to_a_known_topic_too(client: Connected, simulated: SimulatedBroker) -> None:
    limit(simulated, "reject-publish")
    subscriber, publisher = client("s", clean_start=False, **HOUR), client("p")
    subscriber.subscribe("t", qos=1)
    subscriber.transport.socket_room = 0
    subscriber.lose()
    codes = [only(PubAck, publisher.publish("t", b"x", 1)).reason_code for _ in range(10)]
    assert codes == [0] * 3 + [reason_codes.QUOTA_EXCEEDED] * 7


def test_the_oldest_go_by_policy_and_are_counted(client: Connected, simulated: SimulatedBroker) -> None:
    limit(simulated, "drop-head")
    subscriber, publisher = client("s", clean_start=False, **HOUR), client("p")
    subscriber.subscribe("t", qos=1)
    subscriber.lose()
    for number in range(10):
        assert only(PubAck, publisher.publish("t", b"%d" % number, 1)).reason_code == 0
    assert dropped(publisher) == 7
    back = client("s", clean_start=False, **HOUR)
    assert [each.payload for each in back.after_connack if isinstance(each, Publish)] == [b"7", b"8", b"9"]


def test_a_client_that_does_not_read_its_answers_is_not_read_and_then_cut_off(
    client: Connected, level: int, simulated: SimulatedBroker
) -> None:
    publisher = client("p", level, keep_alive_s=0)
    publisher.connection.outbox.unread_bytes_max = 20_000
    publisher.transport.socket_room = 0
    packets = b"".join(encode(Publish("t", b"x", 1, each), level) for each in range(1, 1000))
    for _ in range(20):
        publisher.transport.receive(packets)
        simulated.settle()
        if publisher.transport.paused:
            break
    assert publisher.transport.paused, "packets are taken without end from a client that reads nothing"
    assert publisher.transport.unsent_bytes < 30_000
    simulated.advance(29_999)
    assert not publisher.closed
    simulated.advance(1)
    assert publisher.transport.aborted
