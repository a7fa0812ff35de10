"""Wills and retained messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, Will
from warren.adapters.mqtt.sessions.traffic import TICK_MS

HOUR: dict[str, Any] = {"session_expiry_interval": 3600}


def test_a_will_is_published_when_the_client_is_lost_but_not_when_it_leaves(client: Connected, level: int) -> None:
    watcher = client("w", level)
    watcher.subscribe("gone/+", qos=2)
    client("a", level, will=Will("gone/a", b"a", 1)).lose()
    client("b", level, will=Will("gone/b", b"b", 2)).disconnect()
    (message,) = watcher.messages()
    assert (message.topic, message.payload, message.qos) == ("gone/a", b"a", 1)


def test_a_will_that_the_client_asks_for(client: Connected) -> None:
    watcher = client("w")
    watcher.subscribe("gone")
    client("a", will=Will("gone", b"a")).disconnect(0x04)
    assert watcher.take() == [b"a"]


def test_a_retained_will(client: Connected, level: int) -> None:
    client("a", level, will=Will("gone", b"a", retain=True)).lose()
    answers = client("w", level).subscribe("gone")
    assert [each.retain for each in answers if isinstance(each, Publish)] == [True]


def _delayed(delay_s: int, *, retain: bool = False) -> Will:
    return Will("gone", b"a", 1, retain, {"will_delay_interval": delay_s})


def test_a_delayed_will(client: Connected, simulated: SimulatedBroker) -> None:
    watcher = client("w")
    watcher.subscribe("gone")
    client("a", will=_delayed(10), **HOUR).lose()
    simulated.advance(9_999)
    assert watcher.take() == []
    simulated.advance(1)
    assert watcher.take() == [b"a"]


def test_coming_back_in_time_cancels_it(client: Connected, simulated: SimulatedBroker) -> None:
    watcher = client("w")
    watcher.subscribe("gone")
    client("a", will=_delayed(10), **HOUR).lose()
    client("a", clean_start=False, **HOUR)
    simulated.advance(20_000)
    assert watcher.take() == []


@pytest.mark.parametrize("ended_by", ["expiry", "clean start"])
def test_the_end_of_the_session_ends_the_delay(client: Connected, simulated: SimulatedBroker, ended_by: str) -> None:
    watcher = client("w")
    watcher.subscribe("gone")
    client("a", will=_delayed(1000), session_expiry_interval=5).lose()
    if ended_by == "expiry":
        simulated.advance(5_000)
    else:
        client("a")
    assert watcher.take() == [b"a"]


def test_a_delayed_will_survives_a_restart(durable: SimulatedBroker) -> None:
    leaving = MqttClient(durable)
    leaving.connect("a", will=_delayed(10, retain=True), **HOUR)
    leaving.lose()
    durable.crash()
    watcher = MqttClient(durable)
    watcher.connect("w")
    watcher.subscribe("gone")
    assert watcher.messages() == []
    durable.advance(10_000)
    assert watcher.take() == [b"a"]
    durable.crash()
    later = MqttClient(durable)
    later.connect("later")
    assert [each.payload for each in later.subscribe("gone") if isinstance(each, Publish)] == [b"a"]


def test_retained_messages_by_wildcards(client: Connected, level: int) -> None:
    publisher = client("p", level)
    for topic in ("a", "a/b", "a/b/c", "/a", "$x/b"):
        publisher.publish(topic, topic.encode(), retain=True)
    subscriber = client("s", level)

    def found(filter: str) -> set[bytes]:
        return {each.payload for each in subscriber.subscribe(filter) if isinstance(each, Publish)}

    assert found("a/#") == {b"a", b"a/b", b"a/b/c"}
    assert found("+/b") == {b"a/b"}
    assert found("#") == {b"a", b"a/b", b"a/b/c", b"/a"}
    assert found("$x/+") == {b"$x/b"}
    assert found("+") == {b"a"}
    publisher.publish("a/b", b"", retain=True)
    subscriber.messages()
    assert found("+/b") == set()


def test_retained_messages_expire(client: Connected, simulated: SimulatedBroker) -> None:
    client("p").publish("t", b"x", retain=True, message_expiry_interval=10)
    simulated.advance(4_000)
    (message,) = [each for each in client("a").subscribe("t") if isinstance(each, Publish)]
    assert message.properties == {"message_expiry_interval": 6}
    simulated.advance(6_001)
    assert [each for each in client("b").subscribe("t") if isinstance(each, Publish)] == []
    assert len(simulated.mqtt.of(simulated.vhost).retained) == 0


@pytest.mark.parametrize("level", [versions.V3_1_1])
def test_nothing_is_left_of_clean_sessions(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    timers = simulated.timers
    made = client("a", level, keep_alive_s=5)
    made.subscribe("a", "$share/g/b", "$SYS/#", qos=2)
    made.publish_fully("a", b"x", 2)
    made.lose()
    assert not simulated.vhost.queues
    simulated.advance(TICK_MS)
    assert simulated.timers == timers
    assert not simulated.mqtt.of(simulated.vhost).sessions
    simulated.check()
