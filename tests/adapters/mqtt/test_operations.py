"""What administrators do with MQTT sessions and retained messages, and see of them."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.mqtt.codec.packets import Disconnect, Will
from warren.adapters.mqtt.sessions.listing import MQTT_SESSIONS, MqttSessionRow
from warren.adapters.mqtt.sessions.operations import retained, sessions
from warren.adapters.mqtt.sessions.place import world_of
from warren.adapters.mqtt.sessions.session import EXPIRY_NEVER
from warren.core.administration.operations import explain
from warren.core.errors import AccessRefused, NotFound, PreconditionFailed, ResourceError
from warren.core.messages.properties import EMPTY

HOUR = {"session_expiry_interval": 3600}


def rows(simulated: SimulatedBroker) -> dict[str, MqttSessionRow]:
    found = MQTT_SESSIONS.rows(simulated.broker, None)
    return {each.client_id: each for each in found if isinstance(each, MqttSessionRow)}


def test_sessions_are_listed_while_their_clients_are_away(client: Connected, simulated: SimulatedBroker) -> None:
    here = client("here")
    here.subscribe("a/+", qos=1)
    away = client("away", **HOUR)
    away.subscribe("b", qos=1)
    away.disconnect()
    here.publish("b", b"waits", qos=1)
    seen = rows(simulated)
    assert MQTT_SESSIONS.count(simulated.broker, None) == 2
    assert (seen["here"].connected, seen["here"].persistent, seen["here"].connection) == (
        True,
        False,
        here.connection.name,
    )
    row = seen["away"]
    assert (row.connected, row.persistent, row.expiry_interval, row.messages_ready, row.user) == (
        False,
        True,
        3600,
        1,
        "guest",
    )
    assert row.expires_at == simulated.broker.now_ms + 3_600_000
    assert (row.queue, row.subscriptions) == ("mqtt-subscription-away", 1)
    row.session.expiry_s = EXPIRY_NEVER
    forever = rows(simulated)["away"]
    assert (forever.expiry_interval, forever.expires_at) == (None, None)


def test_subscriptions(client: Connected, simulated: SimulatedBroker) -> None:
    client("c").subscribe("a/+", qos=2)
    other = client("d")
    other.subscribe("$share/g/b/#", qos=1)
    (own,) = sessions.subscriptions(sessions.existing(simulated.broker, "/", "c"))
    assert (own.topic_filter, own.qos, own.binding_key, own.queue) == ("a/+", 2, "a.*", "mqtt-subscription-c")
    (shared,) = sessions.subscriptions(sessions.existing(simulated.broker, "/", "d"))
    assert (shared.group, shared.binding_key, shared.queue) == ("g", "b.#", "mqtt-shared-g/b/#")
    with pytest.raises(NotFound):
        sessions.existing(simulated.broker, "/", "nobody")


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_session_is_ended(client: Connected, simulated: SimulatedBroker, *, is_connected: bool) -> None:
    watcher = client("w")
    watcher.subscribe("gone")
    ended = client("c", will=Will("gone", b"will", 1, False, {"will_delay_interval": 60}), **HOUR)
    ended.subscribe("a", qos=1)
    if not is_connected:
        ended.lose()
    sessions.end(simulated.broker, "/", "c")
    simulated.settle()
    assert "c" not in rows(simulated)
    assert "mqtt-subscription-c" not in simulated.vhost.queues
    assert watcher.take() == [b"will"], "the session has ended, and with it the will's delay"
    if is_connected:
        (goodbye,) = ended.packets()
        assert isinstance(goodbye, Disconnect)
        assert (goodbye.reason_code, ended.closed) == (0x98, True)
    with pytest.raises(NotFound):
        sessions.end(simulated.broker, "/", "c")
    assert client("c", clean_start=False, **HOUR) is not None


def topics(
    simulated: SimulatedBroker, wanted: str = "#", search: str = "", *, start: int = 0, count: int = 100
) -> list[str]:
    steps = retained.find(simulated.broker, "/", wanted=wanted, search=search, start=start, count=count)
    return [each.topic for each in steps.finish().messages]


def test_retained_messages_are_found_by_filter_and_text(client: Connected, simulated: SimulatedBroker) -> None:
    publisher = client("p")
    for topic in ("a/b", "a/c", "x/Bee", "y"):
        publisher.publish(topic, topic.encode(), retain=True)
    assert sorted(topics(simulated)) == ["a/b", "a/c", "x/Bee", "y"]
    assert sorted(topics(simulated, "a/+")) == ["a/b", "a/c"]
    assert sorted(topics(simulated, search="b")) == ["a/b", "x/Bee"]
    assert len(topics(simulated, start=1, count=2)) == 2
    page = retained.find(simulated.broker, "/", count=1).finish()
    assert (len(page.messages), page.match_count) == (1, 4)
    found = retained.get(simulated.broker, "/", "a/b")
    assert (found.message.body, found.publisher) == (b"a/b", "p")
    with pytest.raises(NotFound):
        retained.get(simulated.broker, "/", "a")
    with pytest.raises(PreconditionFailed):
        topics(simulated, "a/#/b")
    with pytest.raises(PreconditionFailed):
        topics(simulated, "$share/g/a")
    with pytest.raises(ValueError, match="within the first"):
        topics(simulated, start=retained.KEPT_MAX)


def test_many_topics_are_walked_in_slices(
    client: Connected, simulated: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retained, "WALKED_PER_SLICE", 10)
    publisher = client("p")
    for number in range(40):
        publisher.publish(f"t/{number}", b"x", retain=True)
    steps = retained.find(simulated.broker, "/", count=5)
    slices = 0
    while steps.step():
        slices += 1
    assert slices >= 4
    assert steps.result.match_count == 40


def test_what_is_retained_is_changed_and_deleted(client: Connected, simulated: SimulatedBroker) -> None:
    watcher = client("w")
    watcher.subscribe("a", qos=2)
    retained.put(simulated.broker, "/", "a", b"new", qos=2)
    simulated.settle()
    (message,) = watcher.messages()
    assert (message.payload, message.qos) == (b"new", 2)
    assert retained.qos_of(retained.get(simulated.broker, "/", "a").message) == 2
    retained.remove(simulated.broker, "/", "a")
    simulated.settle()
    assert watcher.take() == [], "nothing is published"
    with pytest.raises(NotFound):
        retained.remove(simulated.broker, "/", "a")


def test_what_cant_be_retained(client: Connected, simulated: SimulatedBroker) -> None:
    broker = simulated.broker
    for topic, body, qos in (("a/+", b"x", 0), ("", b"x", 0), ("a", b"", 0), ("a", b"x", 3), ("$SYS/a", b"x", 0)):
        with pytest.raises(PreconditionFailed):
            retained.put(broker, "/", topic, body, qos=qos)
    with pytest.raises(PreconditionFailed):
        retained.put(broker, "/", "$queue/q", b"x")
    broker.alarms.set("memory", True)
    with pytest.raises(ResourceError):
        retained.put(broker, "/", "a", b"x")
    broker.alarms.set("memory", False)
    retained.put(broker, "/", "a", b"x")
    world_of(broker).of(simulated.vhost).retained.messages_max = 1
    with pytest.raises(PreconditionFailed, match="not retained"):
        retained.put(broker, "/", "b", b"x")


def test_permissions(client: Connected, simulated: SimulatedBroker) -> None:
    users = simulated.broker.users
    for topic in ("mine/a", "yours/a"):
        retained.put(simulated.broker, "/", topic, b"x")
    users.add_user("anne", "secret")
    users.set_permissions("anne", "/", "", "", "")
    with pytest.raises(AccessRefused):
        retained.find(simulated.broker, "/", count=10, user="anne")
    users.set_permissions("anne", "/", "", "amq.topic", "amq.topic")
    users.set_topic_permissions("anne", "/", "amq.topic", "^mine", "^mine")
    found = retained.find(simulated.broker, "/", count=10, user="anne").finish()
    assert [each.topic for each in found.messages] == ["mine/a"]
    with pytest.raises(AccessRefused):
        retained.get(simulated.broker, "/", "yours/a", user="anne")
    with pytest.raises(AccessRefused):
        retained.remove(simulated.broker, "/", "yours/a", user="anne")
    retained.put(simulated.broker, "/", "mine/a", b"y", user="anne")


def test_a_dry_run_names_clients(client: Connected, simulated: SimulatedBroker) -> None:
    client("here").subscribe("a/#")
    away = client("away", **HOUR)
    away.subscribe("a/b")
    away.disconnect()
    found = explain.explain(simulated.broker, "/", "amq.topic", "a.b", EMPTY).finish()
    assert {each.name: each.whose for each in found.queues} == {
        "mqtt-subscription-here": "MQTT client 'here'",
        "mqtt-subscription-away": "MQTT client 'away', who is away",
    }
    notes = {each.name: each.notes for each in found.queues}
    assert notes["mqtt-subscription-away"] == [
        "its client is away, and what isn't persistent (QoS 0) isn't kept for it"
    ]
    found = explain.explain(simulated.broker, "/", "amq.topic", "$SYS.x", EMPTY).finish()
    assert found.queues == []
