"""What operators take away under MQTT's feet: queues, users, virtual hosts; nobody stumbles, now or later."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Disconnect, PubAck, Publish, PubRec, Will
from warren.adapters.mqtt.consumer import SKIPPED_AT_ONCE
from warren.adapters.mqtt.sessions.place import world_of
from warren.core.broker import ROUNDS_MAX
from warren.core.declaring.queues import remove_queue

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


@pytest.mark.parametrize("qos", [1, 2])
def test_the_queue_of_a_session_whose_client_is_away(client: Connected, simulated: SimulatedBroker, qos: int) -> None:
    subscriber, publisher = client("s", clean_start=False, **HOUR), client("p")
    subscriber.subscribe("t", qos=qos)
    publisher.publish_fully("t", b"under way", qos)
    subscriber.lose()
    publisher.publish_fully("t", b"waits", qos)
    remove_queue(simulated.vhost, simulated.queue("mqtt-subscription-s"))
    publisher.publish_fully("t", b"lost", qos)
    subscriber = MqttClient(simulated)
    assert not subscriber.connect("s", clean_start=False, **HOUR).session_present, "it went with its queue"
    assert subscriber.after_connack == []
    subscriber.subscribe("t", qos=qos)
    publisher.publish_fully("t", b"after", qos)
    assert subscriber.take() == [b"after"]


def test_the_queue_of_a_session_over_a_restart(durable: SimulatedBroker) -> None:
    subscriber = MqttClient(durable)
    subscriber.connect("s", **HOUR)
    subscriber.subscribe("t", qos=1)
    subscriber.lose()
    remove_queue(durable.vhost, durable.queue("mqtt-subscription-s"))
    durable.restart()
    subscriber = MqttClient(durable)
    assert not subscriber.connect("s", clean_start=False, **HOUR).session_present
    subscriber.subscribe("t", qos=1)
    assert only(Publish, subscriber.publish("t", b"after")).payload == b"after"


def test_the_queue_of_a_group(client: Connected, simulated: SimulatedBroker) -> None:
    member, publisher = client("m"), client("p")
    member.subscribe("$share/g/t", qos=1)
    (name,) = [name for name in simulated.vhost.queues if name.startswith("mqtt-shared")]
    remove_queue(simulated.vhost, simulated.queue(name))
    assert member.closed
    member = client("m")
    member.subscribe("$share/g/t", qos=1)
    publisher.publish("t", b"after", 1)
    assert member.take() == [b"after"]


def test_a_virtual_host_with_everything_in_it(simulated: SimulatedBroker, client: Connected) -> None:
    broker = simulated.broker
    timers = simulated.timers
    user = broker.users["guest"]
    broker.add_vhost("gone", {})
    broker.users.set_permissions(user.name, "gone", ".*", ".*", ".*")
    login: dict[str, Any] = {"username": "gone:guest", "password": b"guest"}
    will = Will("wills", b"x", 1, True, {"will_delay_interval": 10})
    away = client("away", will=will, **login, **HOUR)
    away.subscribe("t/#", "$share/g/t/#", "$SYS/#", qos=2)
    away.publish("t/1", b"kept", 2, retain=True, message_expiry_interval=20)
    away.lose()
    here = client("here", will=will, **login, **HOUR)
    here.subscribe("t/#", qos=2)
    here.publish("t/1", b"x", 2)
    broker.delete_vhost("gone")
    simulated.settle()
    assert here.closed
    assert any(isinstance(each, Disconnect) for each in here.packets())
    for _ in range(10):
        simulated.advance(5_000)
    assert simulated.timers == timers, "something of the virtual host still waits for its time"
    assert not world_of(broker).restore("nothing", "gone", "x", {})
    broker.add_vhost("gone", {})
    broker.users.set_permissions(user.name, "gone", ".*", ".*", ".*")
    again = client("away", clean_start=False, **login, **HOUR)
    assert not [each for each in again.subscribe("#") if isinstance(each, Publish)]


def test_a_user_while_connected(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    users = simulated.broker.users
    users.add_user("passing", "secret")
    users.set_permissions("passing", "/", ".*", ".*", ".*")
    made = client("c", level, username="passing", password=b"secret")
    made.subscribe("t")
    made.publish("t", b"known")
    made.take()
    users.delete_user("passing")
    simulated.settle()
    made.publish("t", b"not any more")
    watcher = client("w")
    watcher.subscribe("t")
    made.publish("t", b"nor now")
    assert watcher.take() == []


def test_permissions_while_connected(client: Connected, simulated: SimulatedBroker) -> None:
    made = client("c")
    watcher = client("w")
    watcher.subscribe("t")
    made.publish("t", b"allowed")
    simulated.broker.users.set_permissions("guest", "/", ".*", "^nothing$", ".*")
    answers = made.publish("t", b"forbidden", 2)
    assert [each.reason_code for each in answers if isinstance(each, PubRec)] == [reason_codes.NOT_AUTHORIZED]
    made.publish("t", b"forbidden")
    assert made.closed
    assert watcher.take() == [b"allowed"]


@pytest.mark.parametrize("topic", ["$SYS/broker/version", "$SYS"])
def test_a_will_that_may_not_be_published(simulated: SimulatedBroker, level: int, topic: str) -> None:
    made = MqttClient(simulated, level)
    answer = made.connect("c", will=Will(topic, b"x"))
    assert answer.reason_code == (reason_codes.NOT_AUTHORIZED if level == versions.V5 else 5)
    assert made.closed
    assert not simulated.mqtt.of(simulated.vhost).sessions


def test_many_messages_that_nobody_wants_any_more_are_gone_in_turns(
    client: Connected, simulated: SimulatedBroker
) -> None:
    subscriber, publisher = client("s", receive_maximum=1, **HOUR), client("p")
    subscriber.subscribe("t", qos=1)
    count = SKIPPED_AT_ONCE * ROUNDS_MAX * 2 + 100
    packets = [encode(Publish("t", b"x", 0), versions.V5)] * 100
    publisher.publish("t", b"first", 1)
    for _ in range(count // 100):
        publisher.transport.receive(b"".join(packets))
    queue = simulated.queue("mqtt-subscription-s")
    simulated.settle()
    assert queue.ready_count == count
    (packet_id,) = subscriber.session.outgoing
    subscriber.unsubscribe("t")
    subscriber.subscribe("u", qos=1)
    subscriber.transport.receive(encode(PubAck(packet_id), versions.V5))
    turns = 0
    more = True
    while more:
        before = queue.ready_count
        more = simulated.broker.end_turn()
        assert before - queue.ready_count <= SKIPPED_AT_ONCE * ROUNDS_MAX
        turns += 1
    assert queue.ready_count == 0
    assert turns >= 3
    publisher.publish("u", b"goes on", 1)
    assert subscriber.take()[-1:] == [b"goes on"]
