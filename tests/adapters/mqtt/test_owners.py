"""A session belongs to the user who made it: a client identifier is a name that anybody can say."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import ConnAck, SubAck, Will
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.registry import SESSION_KIND
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.core.declaring.queues import remove_queue

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}
V3_NOT_AUTHORIZED = 5


@pytest.fixture
def users(simulated: SimulatedBroker) -> SimulatedBroker:
    """The broker, with alice, who may do everything, and mallory, who may only enter."""
    add_users(simulated)
    return simulated


def add_users(broker: SimulatedBroker) -> None:
    for name, pattern in (("alice", ".*"), ("mallory", "^$"), ("bob", ".*")):
        broker.broker.users.add_user(name, "secret")
        broker.broker.users.set_permissions(name, "/", pattern, pattern, pattern)


def connect(
    broker: SimulatedBroker,
    user: str,
    level: int = versions.V5,
    *,
    client_id: str = "device",
    clean_start: bool = False,
    will: Will | None = None,
) -> tuple[MqttClient, ConnAck]:
    """The client of a user, and what it is answered."""
    client = MqttClient(broker, level)
    more: dict[str, Any] = HOUR if level == versions.V5 else {}
    answer = client.connect(client_id, clean_start=clean_start, username=user, password=b"secret", will=will, **more)
    return client, answer


def publish(broker: SimulatedBroker, topic: str, payload: bytes) -> None:
    publisher = MqttClient(broker)
    publisher.connect("publisher")
    publisher.publish(topic, payload, 1)
    publisher.disconnect()


@pytest.mark.parametrize("clean_start", [False, True])
@pytest.mark.parametrize("user", ["mallory", "bob"])
def test_nobody_else_gets_a_session_or_destroys_it(
    users: SimulatedBroker, level: int, user: str, *, clean_start: bool
) -> None:
    alice, _ = connect(users, "alice", level)
    alice.subscribe("a", qos=1)
    alice.lose()
    publish(users, "a", b"for alice")
    stranger, answer = connect(users, user, level, clean_start=clean_start)
    assert answer.reason_code == reason_codes.NOT_AUTHORIZED or answer.reason_code == V3_NOT_AUTHORIZED
    if level == versions.V5:
        assert "belongs to another user" in answer.properties["reason_string"]
    assert stranger.closed
    alice, answer = connect(users, "alice", level)
    assert answer.session_present or level == versions.V3_1
    assert alice.take() + [each.payload for each in alice.after_connack if hasattr(each, "payload")] == [b"for alice"]


@pytest.mark.parametrize("clean_start", [False, True])
def test_nor_puts_out_who_is_connected(users: SimulatedBroker, level: int, *, clean_start: bool) -> None:
    alice, _ = connect(users, "alice", level, will=Will("gone", b"x"))
    watcher = MqttClient(users)
    watcher.connect("watcher")
    watcher.subscribe("gone")
    assert connect(users, "mallory", level, clean_start=clean_start)[1].reason_code
    assert not alice.closed
    assert watcher.take() == []


def test_nor_cancels_a_will(users: SimulatedBroker) -> None:
    watcher = MqttClient(users)
    watcher.connect("watcher")
    watcher.subscribe("gone")
    alice, _ = connect(users, "alice", will=Will("gone", b"x", 0, False, {"will_delay_interval": 10}))
    alice.lose()
    assert connect(users, "mallory", clean_start=True)[1].reason_code == reason_codes.NOT_AUTHORIZED
    assert watcher.take() == []
    users.advance(10_000)
    assert watcher.take() == [b"x"]


def test_a_refused_stranger_counts_no_more(users: SimulatedBroker) -> None:
    alice, _ = connect(users, "alice")
    alice.subscribe("a")
    before = users.broker.client_count
    stranger, _ = connect(users, "mallory")
    stranger.lose()
    assert users.broker.client_count == before


def test_the_same_user_takes_over_as_before(users: SimulatedBroker, level: int) -> None:
    first, _ = connect(users, "alice", level)
    first.subscribe("a", qos=1)
    second, answer = connect(users, "alice", level)
    assert first.closed
    assert answer.session_present or level == versions.V3_1
    assert not second.closed


def test_an_empty_session_that_nobody_holds_keeps_nobody_out(users: SimulatedBroker) -> None:
    """Else whoever may only enter could occupy the client identifiers of others."""
    squatter, _ = connect(users, "mallory")
    squatter.lose()
    alice, answer = connect(users, "alice")
    assert not answer.reason_code
    assert not answer.session_present
    assert alice.session.user == "alice"


def test_a_session_without_its_queue_keeps_nobody_out(users: SimulatedBroker) -> None:
    alice, _ = connect(users, "alice")
    alice.subscribe("a", qos=1)
    alice.lose()
    users.broker.sessions.clear()
    remove_queue(users.vhost, users.vhost.queue("mqtt-subscription-device"))
    assert not connect(users, "bob")[1].reason_code


def test_the_owner_is_known_after_a_restart(durable: SimulatedBroker) -> None:
    add_users(durable)
    alice, _ = connect(durable, "alice")
    alice.subscribe("a", qos=1)
    alice.lose()
    durable.restart()
    assert connect(durable, "bob")[1].reason_code == reason_codes.NOT_AUTHORIZED
    assert connect(durable, "alice")[1].session_present


def test_a_session_from_before_asks_for_the_permissions_of_its_queue(durable: SimulatedBroker) -> None:
    add_users(durable)
    alice, _ = connect(durable, "alice")
    alice.subscribe("a", qos=1)
    alice.lose()
    (row,) = [value for kind, _, _, value in durable.broker.definitions.load() if kind == SESSION_KIND]
    old = {name: value for name, value in row.items() if name != "user"}
    durable.broker.definitions.put(SESSION_KIND, "/", "device", old)
    durable.restart()
    assert connect(durable, "mallory")[1].reason_code == reason_codes.NOT_AUTHORIZED
    bob, answer = connect(durable, "bob")
    assert answer.session_present
    assert bob.session.user == "bob", "whose it is from now on"
    bob.lose()
    assert connect(durable, "alice")[1].reason_code == reason_codes.NOT_AUTHORIZED


def test_groups_and_named_queues_ask_for_permissions(users: SimulatedBroker) -> None:
    stranger, _ = connect(users, "mallory")
    users.broker.users.set_permissions(
        "mallory", "/", "^mqtt-subscription-", "^mqtt-subscription-", "^mqtt-subscription-|^amq.topic$"
    )
    for filter in ("$share/group/a", "$queue/q"):
        answer = only(SubAck, stranger.subscribe(filter))
        assert answer.reason_codes == (reason_codes.NOT_AUTHORIZED,)


LONG_ID = "device-" * 40
HASH_OF_LONG_ID = hashlib.sha256(LONG_ID.encode()).hexdigest()
"""Both have the same name for their queue, as a queue's name can't be as long as a client identifier."""


@pytest.mark.parametrize(
    ("first", "second"), [(LONG_ID, HASH_OF_LONG_ID), (HASH_OF_LONG_ID, LONG_ID)], ids=["long first", "hash first"]
)
def test_nobody_destroys_a_session_by_a_hash(durable: SimulatedBroker, first: str, second: str) -> None:
    add_users(durable)
    alice, _ = connect(durable, "alice", client_id=first)
    alice.subscribe("a", qos=1)
    alice.lose()
    bob, answer = connect(durable, "bob", client_id=second)
    assert not answer.reason_code
    refused = only(SubAck, bob.subscribe("a", qos=1))
    assert refused.reason_codes[0] >= reason_codes.UNSPECIFIED_ERROR
    assert "another client identifier" in refused.properties["reason_string"]
    publish(durable, "a", b"for alice")
    assert bob.take() == []
    bob.lose()
    durable.restart()
    bob, _ = connect(durable, "bob", client_id=second)
    assert bob.take() == [], "nor does a restart give it the queue"
    alice, answer = connect(durable, "alice", client_id=first)
    assert answer.session_present
    assert alice.take() + [each.payload for each in alice.after_connack if hasattr(each, "payload")] == [b"for alice"]
    bob.disconnect()
    publish(durable, "a", b"more")
    assert alice.take() == [b"more"], "nor does an end of the other session take the queue with it"


def test_a_queue_that_two_sessions_may_mean_is_given_to_neither(durable: SimulatedBroker) -> None:
    """After a restart nothing says whose messages those are, when neither is subscribed any more."""
    add_users(durable)
    alice, _ = connect(durable, "alice", client_id=LONG_ID)
    alice.subscribe("a", qos=1)
    alice.lose()
    publish(durable, "a", b"for alice")
    connect(durable, "bob", client_id=HASH_OF_LONG_ID)[0].lose()
    (session,) = [each for each in sessions_of(durable) if each.client_id == LONG_ID]
    session.unsubscribe("a")
    durable.restart()
    bob, _ = connect(durable, "bob", client_id=HASH_OF_LONG_ID)
    assert bob.take() + [each for each in bob.after_connack if hasattr(each, "payload")] == []
    assert [each.queue for each in sessions_of(durable)] == [None, None]


def sessions_of(broker: SimulatedBroker) -> list[MqttSession]:
    return list(world_of(broker.broker).of(broker.vhost).sessions.values())
