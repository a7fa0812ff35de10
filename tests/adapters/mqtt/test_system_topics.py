"""$SYS: the topics that Mosquitto's users know, their values, who may see them, and who doesn't (spec C.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Disconnect, PingReq, PubAck, Publish, SubAck, Will
from warren.adapters.mqtt.connection import MqttConnection
from warren.adapters.mqtt.sessions import system_topics, world
from warren.adapters.mqtt.sessions.holder import Counted

MOSQUITTO = {
    *("version", "uptime", "clients/connected", "clients/active", "clients/disconnected", "clients/inactive"),
    *("clients/expired", "clients/maximum", "clients/total", "subscriptions/count", "shared_subscriptions/count"),
    *("messages/received", "messages/sent", "messages/stored", "store/messages/count", "store/messages/bytes"),
    *("bytes/received", "bytes/sent", "publish/messages/received", "publish/messages/sent"),
    *("publish/messages/dropped", "publish/bytes/received", "publish/bytes/sent", "retained messages/count"),
}
LOAD = (
    *("messages/received", "messages/sent", "publish/received", "publish/sent", "publish/dropped"),
    *("bytes/received", "bytes/sent", "connections", "sockets"),
)


def values(client: MqttClient) -> dict[str, str]:
    """All of $SYS now, without the beginning of the names."""
    found = [each for each in client.subscribe("$SYS/#") if isinstance(each, Publish)]
    client.unsubscribe("$SYS/#")
    assert all(each.retain for each in found)
    return {each.topic.removeprefix("$SYS/broker/"): each.payload.decode() for each in found}


def test_all_are_there(client: Connected, level: int) -> None:
    expected = {*MOSQUITTO, *(f"load/{name}/{minutes}min" for name in LOAD for minutes in (1, 5, 15))}
    assert values(client("s", level)).keys() == expected


def test_their_values(client: Connected, simulated: SimulatedBroker) -> None:
    simulated.mqtt.product = "Warren 1.2"
    away = client("away", clean_start=False, session_expiry_interval=5)
    away.subscribe("a", "$share/g/b", qos=1)
    away.lose()
    publisher = client("p")
    publisher.publish("a", b"12345", 1, retain=True)
    publisher.publish("a", b"nobody", 0)
    publisher.send(PingReq())
    watcher = client("w")
    watcher.subscribe("a")
    simulated.advance(3_000)
    found = values(watcher)
    assert found["version"] == "Warren 1.2"
    assert found["uptime"] == "3 seconds"
    assert (found["clients/connected"], found["clients/disconnected"], found["clients/total"]) == ("2", "1", "3")
    assert found["clients/maximum"] == "2"
    assert (found["subscriptions/count"], found["shared_subscriptions/count"]) == ("4", "1")
    assert found["retained messages/count"] == "1"
    assert found["store/messages/count"] == "2", "one waits, one is retained"
    assert found["store/messages/bytes"] == "10"
    assert found["publish/messages/received"] == "2"
    assert found["publish/messages/sent"] == "1"
    assert found["publish/messages/dropped"] == "1", "what has QoS 0 doesn't wait for who is away"
    assert int(found["messages/received"]) == 3 + 2 + 2 + 1, "CONNECT, SUBSCRIBE, PUBLISH, PINGREQ"
    assert int(found["bytes/received"]) > 100
    simulated.advance(5_000)
    assert values(watcher)["clients/expired"] == "1"


def test_rates(client: Connected, simulated: SimulatedBroker) -> None:
    publisher, watcher = client("p", keep_alive_s=0), client("w", keep_alive_s=0)
    for _ in range(60):
        for _ in range(10):
            publisher.publish("t", b"x")
        simulated.advance(10_000)
    found = values(watcher)
    assert float(found["load/publish/received/1min"]) == pytest.approx(60, abs=0.5)
    assert float(found["load/publish/received/5min"]) == pytest.approx(60 * (1 - 2.72**-2), abs=1)
    assert float(found["load/publish/received/15min"]) == pytest.approx(60 * (1 - 2.72 ** (-2 / 3)), abs=1)


def test_what_has_changed_comes_every_ten_seconds(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber = client("s")
    subscriber.subscribe("$SYS/broker/uptime", "$SYS/broker/version")
    simulated.advance(10_000)
    assert {each.topic for each in subscriber.messages()} == {"$SYS/broker/uptime", "$SYS/broker/version"}
    simulated.advance(10_000)
    (message,) = subscriber.messages()
    assert (message.topic, message.payload, message.retain) == ("$SYS/broker/uptime", b"20 seconds", False)


def test_wildcards_do_not_match_them(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    away = client(
        "away", level, clean_start=False, **({"session_expiry_interval": 1000} if level == versions.V5 else {})
    )
    away.subscribe("#", "+/broker/uptime", qos=1)
    away.lose()
    other = client("other", level)
    answers = other.subscribe("#", "+/broker/uptime", "$SYS/broker/uptime")
    assert [each.topic for each in answers if isinstance(each, Publish)] == ["$SYS/broker/uptime"]
    simulated.advance(10_000)
    assert [each.topic for each in other.messages()] == ["$SYS/broker/uptime"]
    assert simulated.mqtt.dropped == 0, "they don't even come to the queues of others"


def test_other_dollar_topics_do_not_wait_for_wildcards_either(client: Connected, simulated: SimulatedBroker) -> None:
    away = client("away", clean_start=False, session_expiry_interval=1000)
    away.subscribe("#", qos=1)
    away.lose()
    assert only(PubAck, client("p").publish("$own/x", b"x", 1)).reason_code == reason_codes.NO_MATCHING_SUBSCRIBERS
    assert simulated.queue("mqtt-subscription-away").ready_count == 0


def test_permissions(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    users = simulated.broker.users
    made = client("c", level)
    made.publish("$SYS/broker/uptime", b"forged")
    assert made.closed
    if level == versions.V5:
        assert only(Disconnect, client("d").publish("$SYS", b"forged")).reason_code == reason_codes.NOT_AUTHORIZED
    users.set_topic_permissions("guest", "/", "amq.topic", ".*", r"^(?!\$SYS)")
    refused = {versions.V3_1: 0, versions.V3_1_1: 0x80, versions.V5: reason_codes.NOT_AUTHORIZED}[level]
    answers = client("e", level).subscribe("$SYS/#")
    assert only(SubAck, answers).reason_codes == (refused,)
    assert not [each for each in answers if isinstance(each, Publish)]


def test_the_brokers_own_topics_count_for_nothing(client: Connected, simulated: SimulatedBroker) -> None:
    publisher = client("p")
    publisher.publish("a", b"12345", retain=True)
    publisher.publish("b", b"1", retain=True)
    name = "$SYS/broker/retained messages/count"
    for _ in range(3):
        subscriber = client("s")
        (found,) = [each for each in subscriber.subscribe(name) if isinstance(each, Publish)]
        assert found.payload == b"2"
        every = [each for each in subscriber.subscribe("$SYS/#") if isinstance(each, Publish)]
        values = {each.topic.removeprefix("$SYS/broker/"): each.payload for each in every}
        assert len(values) > 40
        assert values["retained messages/count"] == b"2"
        assert values["store/messages/bytes"] == b"6"
        assert values["store/messages/count"] == values["messages/stored"] == b"2"
        subscriber.disconnect()
    retained = publisher.session.registry.retained
    assert len(retained) == 2
    retained.messages_max = 3
    publisher.publish("c", b"1", retain=True)
    assert len(retained) == 3, "they take nobody's place"


# What bridges say of themselves


STATE = "$SYS/broker/connection/far.bridge/state"


def test_a_bridge_says_whether_it_is_connected(client: Connected, level: int) -> None:
    """As Mosquitto's do unless they are told another topic: retained, and by their will (bridge.c there)."""
    watcher = client("watcher")
    watcher.subscribe("$SYS/broker/connection/+/state", qos=1)
    bridge = client("far.bridge", level, will=Will(STATE, b"0", 1, retain=True))
    bridge.publish(STATE, b"1", 1, retain=True)
    assert watcher.take() == [b"1"]
    later = client("later")
    (now,) = [each for each in later.subscribe("$SYS/broker/connection/#") if isinstance(each, Publish)]
    assert (now.topic, now.payload, now.retain) == (STATE, b"1", True)
    bridge.lose()
    assert watcher.take() == [b"0"]
    later = client("later")
    (now,) = [each for each in later.subscribe("$SYS/broker/connection/#") if isinstance(each, Publish)]
    assert now.payload == b"0"


def test_the_state_of_a_bridge_outlives_the_broker(durable: SimulatedBroker) -> None:
    bridge = MqttClient(durable)
    bridge.connect("b")
    bridge.publish(STATE, b"1", 1, retain=True)
    durable.restart()
    watcher = MqttClient(durable)
    watcher.connect("w")
    answers = watcher.subscribe(STATE)
    assert [each.payload for each in answers if isinstance(each, Publish)] == [b"1"]


@pytest.mark.parametrize(
    "topic",
    [
        "$SYS",
        "$SYS/",
        "$SYS/broker",
        "$SYS/broker/connection",
        "$SYS/broker/connection/state",
        "$SYS/broker/connection//state",
        "$SYS/broker/connection/far/state/",
        "$SYS/broker/connection/far/stated",
        "$SYS/broker/connections/far/state",
        "$SYS/broker/clients/connected",
        "$SYS/x/broker/connection/far/state",
    ],
)
def test_nothing_else_of_the_brokers_own_may_be_said(client: Connected, topic: str) -> None:
    (answer,) = client("c").publish(topic, b"forged", 1)
    assert isinstance(answer, PubAck)
    assert answer.reason_code == reason_codes.NOT_AUTHORIZED
    refused = MqttClient(client("d").simulated)
    assert refused.connect("e", will=Will(topic, b"forged")).reason_code == reason_codes.NOT_AUTHORIZED


def test_a_bridge_needs_the_permission_for_its_topic(client: Connected, simulated: SimulatedBroker) -> None:
    simulated.broker.users.set_topic_permissions("guest", "/", "amq.topic", r"^\$SYS\.broker\.connection\.mine\.", ".*")
    mine, others = "$SYS/broker/connection/mine/state", "$SYS/broker/connection/others/state"
    made = client("c")
    codes = [only(PubAck, made.publish(topic, b"1", 1)).reason_code for topic in (mine, others)]
    assert codes == [reason_codes.NO_MATCHING_SUBSCRIBERS, reason_codes.NOT_AUTHORIZED]


def test_a_wildcard_alone_doesnt_show_bridges(client: Connected) -> None:
    watcher = client("watcher")
    watcher.subscribe("#", "+/broker/connection/+/state")
    client("c").publish(STATE, b"1", retain=True)
    assert watcher.messages() == []


@pytest.fixture
def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (world, system_topics):
        monkeypatch.setattr(module, "LOOKED_AT_PER_SLICE", 2)


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_very_many_connections_are_asked_over_turns(
    client: Connected, simulated: SimulatedBroker, monkeypatch: pytest.MonkeyPatch, two_at_a_time: None
) -> None:
    clients = [client(f"c{number}") for number in range(9)]
    asked: list[int] = []
    traffic = MqttConnection.traffic

    def counting(self: MqttConnection) -> Counted:
        asked.append(simulated.broker.turn)
        return traffic(self)

    monkeypatch.setattr(MqttConnection, "traffic", counting)
    watcher = clients[0]
    came = {each.topic: each for each in watcher.subscribe("$SYS/broker/#") if isinstance(each, Publish)}
    came |= {each.topic: each for each in watcher.messages()}
    assert came["$SYS/broker/clients/connected"].payload == b"9"
    assert set(MOSQUITTO) <= {topic.removeprefix("$SYS/broker/") for topic in came}
    assert len(asked) == 9
    assert max(Counter(asked).values()) <= 4, "a slice at once, and one in the turn that follows, of the same number"
    again = values(clients[1])
    assert again["clients/connected"] == "9", "what was published last is retained for who comes later"
    asked.clear()
    simulated.advance(10_000)
    assert len(asked) >= 18, "for the rates, and for whoever watches"
    assert max(Counter(asked).values()) <= 4


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_no_counter_goes_back_when_a_connection_ends_meanwhile(
    client: Connected, simulated: SimulatedBroker, two_at_a_time: None
) -> None:
    clients = [client(f"c{number}") for number in range(5)]
    for each in clients:
        each.publish("t", b"12345")
    sessions = simulated.mqtt
    before = finished(sessions.counters())
    work = sessions.counters()
    next(work)
    clients[-1].lose()
    during = finished(work)
    after = finished(sessions.counters())
    for name, count in before.items():
        assert count <= during[name] <= after[name], name


def finished(work: Generator[None, None, dict[str, int]]) -> dict[str, int]:
    """What comes of it in the end."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: dict[str, int] = end.value
            return found
