"""A session with very many filters ends: at once for whoever looks, and bit by bit for what else knows of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import Connect, Subscribe, Subscription
from warren.adapters.mqtt.codec.versions import V5
from warren.adapters.mqtt.sessions.leaving import LEFT_PER_SLICE, WORK_OF_LEAVING
from warren.adapters.mqtt.sessions.registry import MqttSessions
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.core.queues.classic.burials import WORK_PER_TURN

MANY = WORK_PER_TURN + 3 * LEFT_PER_SLICE

EXPIRY_S = 100


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    yield broker
    broker.settle()
    broker.check()
    broker.close()


def sessions_of(broker: SimulatedBroker) -> MqttSessions:
    return broker.mqtt.of(broker.vhost)


def subscribed(broker: SimulatedBroker, filters: list[str]) -> MqttSession:
    """A session whose client has left."""
    client = MqttClient(broker)
    client.send(Connect("c", V5, False, 0, None, None, None, properties={"session_expiry_interval": EXPIRY_S}))
    for start in range(0, len(filters), 1000):
        client.send(Subscribe(1, tuple(Subscription(each, 1) for each in filters[start : start + 1000])))
        broker.settle()
    client.transport.lose()
    broker.settle()
    return sessions_of(broker).sessions["c"]


@pytest.mark.parametrize("kind", ["a/{}/#", "a/{}", "$SYS/{}"])
def test_many_filters_leave_in_slices(broker: SimulatedBroker, kind: str) -> None:
    session = subscribed(broker, [kind.format(number) for number in range(MANY)])
    sessions = sessions_of(broker)
    assert sessions.subscription_count == MANY
    session.end()
    assert "c" not in sessions.sessions
    assert not broker.vhost.queues
    assert not [row for row in broker.broker.definitions.load() if row[0].startswith("mqtt")]
    before = sessions.subscription_count
    slices = 0
    while broker.broker.end_turn():
        assert before - sessions.subscription_count <= LEFT_PER_SLICE
        before = sessions.subscription_count
        slices += 1
    assert slices > MANY // LEFT_PER_SLICE
    assert sessions.subscription_count == 0
    assert session.subscriptions == {}


def test_many_groups_are_left_in_slices(broker: SimulatedBroker) -> None:
    """Each may take its queue with it, so there are fewer in a slice."""
    groups = WORK_PER_TURN // WORK_OF_LEAVING + 100
    session = subscribed(broker, [f"$share/g/a/{number}" for number in range(groups)])
    assert len(broker.vhost.queues) == groups
    session.end()
    assert len(broker.vhost.queues) > groups - LEFT_PER_SLICE // WORK_OF_LEAVING - 1
    before = len(broker.vhost.queues)
    while broker.broker.end_turn():
        assert before - len(broker.vhost.queues) <= LEFT_PER_SLICE // WORK_OF_LEAVING + 1
        before = len(broker.vhost.queues)
    assert not broker.vhost.queues
    assert sessions_of(broker).shared_count == 0


def test_who_comes_back_meanwhile_has_a_session_of_its_own(broker: SimulatedBroker) -> None:
    """What the old one leaves is none of the new one's: subscriptions, groups, rows."""
    filters = [f"a/{number}/#" for number in range(MANY)] + ["$share/g/x"]
    session = subscribed(broker, filters)
    session.end()
    again = MqttClient(broker)
    again.send(Connect("c", V5, False, 0, None, None, None, properties={"session_expiry_interval": EXPIRY_S}))
    again.send(Subscribe(1, (Subscription("a/1/#", 1), Subscription("$share/g/x", 1))))
    broker.settle()
    sessions = sessions_of(broker)
    assert (sessions.subscription_count, sessions.shared_count) == (2, 1)
    assert set(sessions.sessions["c"].subscriptions) == {"a/1/#", "$share/g/x"}
    assert len(broker.vhost.queues) == 2
    again.transport.lose()
    broker.settle()
    broker.broker.definitions.commit()
    broker.crash()
    assert set(sessions_of(broker).sessions["c"].subscriptions) == {"a/1/#", "$share/g/x"}


def test_few_filters_leave_at_once(broker: SimulatedBroker) -> None:
    session = subscribed(broker, [f"a/{number}/#" for number in range(100)])
    session.end()
    assert sessions_of(broker).subscription_count == 0
    assert not broker.broker.chores
