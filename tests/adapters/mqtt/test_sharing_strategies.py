"""Who of a shared subscription's members gets a message: in turn, always the same one, or by the topic."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import PubAck
from warren.core.errors import PreconditionFailed
from warren.core.policies.policy import POLICY, make_policy

KEY = "mqtt-shared-subscription-strategy"


def members(client: Connected, count: int = 3, **connect: object) -> list[MqttClient]:
    """Of one group, in the order of joining."""
    made = [client(f"member-{number}", **connect) for number in range(count)]
    for each in made:
        each.subscribe("$share/g/t/#", qos=1)
    return made


def publish(publisher: MqttClient, count: int = 12) -> None:
    """Messages whose bodies grow, to six topics."""
    for number in range(count):
        publisher.publish(f"t/{number % 6}", b"%02d" % number, 1)


def by_topic(group: list[MqttClient]) -> dict[str, list[tuple[int, bytes]]]:
    """(member, body) of what they have got, in order, by topic."""
    found: dict[str, list[tuple[int, bytes]]] = {}
    for number, member in enumerate(group):
        for message in member.messages():
            member.send(PubAck(message.packet_id))
            found.setdefault(message.topic, []).append((number, message.payload))
    return found


@pytest.mark.parametrize("qos", [0, 1])
def test_one_member_gets_all(client: Connected, simulated: SimulatedBroker, qos: int) -> None:
    simulated.mqtt.shared_strategy = "sticky"
    group = members(client)
    publisher = client("p")
    for number in range(6):
        publisher.publish("t/x", b"%d" % number, qos)
    taken = [member.take() for member in group]
    assert sorted(map(len, taken)) == [0, 0, 6]
    group.pop(next(at for at, each in enumerate(taken) if each)).lose()
    for number in range(6):
        publisher.publish("t/x", b"%d" % number, qos)
    assert sorted(len(member.take()) for member in group) == [0, 6]


def test_another_takes_over_from_who_has_no_room_and_keeps_it(client: Connected, simulated: SimulatedBroker) -> None:
    simulated.mqtt.shared_strategy = "sticky"
    first, second = members(client, 2, receive_maximum=2)
    publisher = client("p")
    for number in range(3):
        publisher.publish("t/x", b"%d" % number, 1)
    for message in first.messages():
        assert message.payload in (b"0", b"1")
        first.send(PubAck(message.packet_id))
    publisher.publish("t/x", b"3", 1)
    assert [message.payload for message in second.messages()] == [b"2", b"3"]
    publisher.publish("t/x", b"4", 1)
    assert first.take() == [b"4"]


def test_who_acknowledges_in_time_stays_though_it_takes_one_at_a_time(
    client: Connected, simulated: SimulatedBroker
) -> None:
    simulated.mqtt.shared_strategy = "sticky"
    first, second = members(client, 2, receive_maximum=1)
    publisher = client("p")
    for number in range(4):
        publisher.publish("t/x", b"%d" % number, 1)
        assert first.take() == [b"%d" % number]
    assert second.take() == []


def test_a_topic_stays_with_a_member(client: Connected, simulated: SimulatedBroker) -> None:
    simulated.mqtt.shared_strategy = "hash"
    group = members(client)
    publish(client("p"))
    found = by_topic(group)
    assert len(found) == 6
    holders = {topic: {member for member, _ in each} for topic, each in found.items()}
    assert all(len(each) == 1 for each in holders.values())
    assert all(bodies == sorted(bodies) and len(bodies) == 2 for bodies in found.values())
    assert len(set.union(*holders.values())) > 1


def test_only_the_topics_of_a_member_that_goes_move(client: Connected, simulated: SimulatedBroker) -> None:
    simulated.mqtt.shared_strategy = "hash"
    group = members(client)
    publisher = client("p")
    publish(publisher)
    before = {topic: each[0][0] for topic, each in by_topic(group).items()}
    gone = before["t/0"]
    group[gone].lose()
    publish(publisher)
    left = [member if number != gone else client("somebody") for number, member in enumerate(group)]
    after = {topic: each[0][0] for topic, each in by_topic(left).items()}
    assert len(after) == 6
    assert {topic for topic in before if before[topic] != after[topic]} == {
        topic for topic in before if before[topic] == gone
    }
    group[gone] = client(f"member-{gone}")
    group[gone].subscribe("$share/g/t/#", qos=1)
    publish(publisher)
    assert {topic: each[0][0] for topic, each in by_topic(group).items()} == before


def test_a_message_waits_for_its_member(client: Connected, simulated: SimulatedBroker) -> None:
    simulated.mqtt.shared_strategy = "hash"
    group = members(client, 2, receive_maximum=1)
    publisher = client("p")
    for number in range(3):
        publisher.publish("t/x", b"%d" % number, 1)
    (holder,) = (member for member in group if member.running.outflow.window == 0)
    (other,) = (member for member in group if member is not holder)
    assert other.messages() == []
    assert holder.take() == [b"0", b"1", b"2"]
    assert [member.messages() for member in group] == [[], []]


def test_what_a_lost_member_had_comes_to_the_next_in_order(client: Connected, simulated: SimulatedBroker) -> None:
    simulated.mqtt.shared_strategy = "hash"
    group = members(client, 2)
    publisher = client("p")
    for number in range(4):
        publisher.publish("t/x", b"%d" % number, 1)
    (holder,) = (member for member in group if member.session.outgoing)
    (other,) = (member for member in group if member is not holder)
    holder.lose()
    assert other.take() == [b"0", b"1", b"2", b"3"]


def test_a_policy_chooses_for_single_groups(client: Connected, simulated: SimulatedBroker) -> None:
    broker = simulated.broker
    group = members(client, 2)
    publisher = client("p")
    broker.policies.set(simulated.vhost, make_policy(POLICY, "sticky", "^mqtt-shared-g/", {KEY: "sticky"}))
    for number in range(4):
        publisher.publish("t/x", b"%d" % number, 1)
    assert sorted(len(member.take()) for member in group) == [0, 4]
    broker.policies.clear(simulated.vhost, POLICY, "sticky")
    for number in range(4):
        publisher.publish("t/x", b"%d" % number, 1)
    assert [len(member.take()) for member in group] == [2, 2]
    with pytest.raises(PreconditionFailed, match="must be one of round-robin, sticky, hash"):
        make_policy(POLICY, "p", "", {KEY: "random"})


def test_over_a_restart(durable: SimulatedBroker) -> None:
    durable.broker.policies.set(durable.vhost, make_policy(POLICY, "p", "^mqtt-shared-", {KEY: "hash"}))
    member = MqttClient(durable)
    member.connect("m", clean_start=False, session_expiry_interval=1000)
    member.subscribe("$share/g/t", qos=1)
    durable.restart()
    (queue,) = (each for name, each in durable.vhost.queues.items() if name.startswith("mqtt-shared-"))
    assert getattr(queue, "strategy", None) == "hash"
