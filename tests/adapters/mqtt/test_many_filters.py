"""Thousands of filters, at once and one by one: what is done and written is in proportion to them, in small turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt import subscribing
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import PINGREQ, PINGRESP, encode
from warren.adapters.mqtt.codec.packets import (
    Disconnect,
    Packet,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
)
from warren.adapters.mqtt.sessions.subscription_rows import KIND, ROW_SUBSCRIPTIONS_MAX
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.definitions.store import JSON

MANY = 2000

FILTERS = tuple(f"dev/{number}/state/{'+' if number % 2 else 'on'}" for number in range(MANY))

KEPT_S = 1000


def subscribe(filters: tuple[str, ...], packet_id: int = 1) -> bytes:
    return encode(Subscribe(packet_id, tuple(Subscription(each, 1) for each in filters)), versions.V5)


def unsubscribe(filters: tuple[str, ...], packet_id: int = 2) -> bytes:
    return encode(Unsubscribe(packet_id, filters), versions.V5)


def kept(simulated: SimulatedBroker, client_id: str = "c") -> MqttClient:
    """A client whose session outlives its connection."""
    client = MqttClient(simulated)
    assert client.connect(client_id, clean_start=False, session_expiry_interval=KEPT_S).reason_code == 0
    return client


class Written:
    """What was written to the definitions: rows by kind, and subscriptions in them."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.subscriptions = 0


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    counted = Written()
    put, delete = MemoryDefinitionStore.put, MemoryDefinitionStore.delete

    def counting_put(self: MemoryDefinitionStore, kind: str, vhost: str, name: str, value: Mapping[str, JSON]) -> None:
        counted.rows[kind] += 1
        found = value.get("subscriptions", ())
        assert isinstance(found, list | tuple)
        counted.subscriptions += len(found)
        put(self, kind, vhost, name, value)

    def counting_delete(self: MemoryDefinitionStore, kind: str, vhost: str, name: str) -> None:
        counted.rows[kind] += 1
        delete(self, kind, vhost, name)

    monkeypatch.setattr(MemoryDefinitionStore, "put", counting_put)
    monkeypatch.setattr(MemoryDefinitionStore, "delete", counting_delete)
    return counted


def turns(simulated: SimulatedBroker, each: Callable[[], None] = lambda: None) -> int:
    """End turns until nothing is left to do; how many that were.  each: called after each."""
    count = 1
    while simulated.broker.end_turn():
        each()
        count += 1
    return count


def only_answer(client: MqttClient) -> Packet:
    (answer,) = client.packets()
    return answer


def waiting(client: MqttClient) -> list[bytes]:
    """What has come to it with its CONNACK."""
    return [packet.payload for packet in client.after_connack if isinstance(packet, Publish)]


# One packet


def test_one_packet_takes_many_turns_and_each_does_little(simulated: SimulatedBroker) -> None:
    client = kept(simulated)
    done = [0]
    client.transport.receive(subscribe(FILTERS))
    turns(simulated, lambda: done.append(len(client.session.subscriptions)))
    done.append(len(client.session.subscriptions))
    steps = [after - before for before, after in pairwise(done)]
    assert max(steps) <= subscribing.FILTERS_PER_SLICE
    assert done[-1] == MANY
    answer = only_answer(client)
    assert isinstance(answer, SubAck)
    assert answer.reason_codes == (1,) * MANY
    client.transport.receive(unsubscribe(FILTERS))
    done = [MANY]
    turns(simulated, lambda: done.append(len(client.session.subscriptions)))
    done.append(len(client.session.subscriptions))
    steps = [before - after for before, after in pairwise(done)]
    assert max(steps) <= subscribing.FILTERS_PER_SLICE
    assert done[-1] == 0
    answer = only_answer(client)
    assert isinstance(answer, UnsubAck)
    assert answer.reason_codes == (0,) * MANY


def test_others_are_served_meanwhile(simulated: SimulatedBroker) -> None:
    client, other = kept(simulated), kept(simulated, "other")
    client.transport.receive(subscribe(FILTERS))
    simulated.broker.end_turn()
    other.transport.receive(PINGREQ)
    simulated.broker.end_turn()
    assert other.transport.take() == PINGRESP
    assert not client.transport.take()
    assert client.transport.paused
    turns(simulated)
    assert not client.transport.paused


def test_the_clients_own_further_packets_wait_and_keep_their_order(simulated: SimulatedBroker) -> None:
    client = kept(simulated)
    client.transport.receive(subscribe(FILTERS) + PINGREQ + unsubscribe(FILTERS[:1]) + PINGREQ)
    client.transport.receive(PINGREQ)
    turns(simulated)
    kinds = [type(packet).__name__ for packet in client.packets()]
    assert kinds == ["SubAck", "PingResp", "UnsubAck", "PingResp", "PingResp"]


def test_many_short_packets_in_one_read_give_way_too(simulated: SimulatedBroker) -> None:
    client = kept(simulated)
    done = [0]
    client.transport.receive(b"".join(subscribe((each,), at) for at, each in enumerate(FILTERS, 1)))
    done.append(len(client.session.subscriptions))
    turns(simulated, lambda: done.append(len(client.session.subscriptions)))
    done.append(len(client.session.subscriptions))
    assert max(after - before for before, after in pairwise(done)) <= subscribing.FILTERS_PER_SLICE
    assert done[-1] == MANY
    assert [packet.packet_id for packet in client.packets() if isinstance(packet, SubAck)] == list(range(1, MANY + 1))


def test_messages_come_as_soon_as_their_filter_is_there(simulated: SimulatedBroker) -> None:
    """MQTT 5 3.8.4: the server may send them before the SUBACK."""
    client, other = kept(simulated), kept(simulated, "other")
    client.transport.receive(subscribe(FILTERS))
    while not client.session.subscriptions:
        simulated.broker.end_turn()
    other.transport.receive(encode(Publish(FILTERS[0], b"early"), versions.V5))
    simulated.broker.end_turn()
    assert [packet.payload for packet in client.packets() if isinstance(packet, Publish)] == [b"early"]
    assert len(client.session.subscriptions) < MANY
    turns(simulated)
    assert len(client.session.subscriptions) == MANY


def test_a_connection_that_is_lost_in_between_leaves_a_whole_session(simulated: SimulatedBroker) -> None:
    client = kept(simulated)
    client.transport.receive(subscribe(FILTERS))
    simulated.broker.end_turn()
    simulated.broker.end_turn()
    simulated.broker.end_turn()
    begun = len(client.session.subscriptions)
    client.transport.lose()
    turns(simulated)
    assert len(client.session.subscriptions) == begun
    assert 0 < begun < MANY
    again = kept(simulated)
    again.transport.receive(subscribe(FILTERS))
    turns(simulated)
    assert len(again.session.subscriptions) == MANY


def test_a_goodbye_that_comes_behind_is_said_behind(simulated: SimulatedBroker) -> None:
    client = kept(simulated)
    client.transport.receive(subscribe(FILTERS) + encode(Disconnect(), versions.V5))
    turns(simulated)
    assert len(client.session.subscriptions) == MANY
    assert client.transport.closed
    assert isinstance(only_answer(client), SubAck)


@pytest.mark.parametrize("ending", [b"\0\0\0", b"\0\3a", b"\0\1a\3"], ids=["empty", "cut", "QoS 3"])
def test_what_is_wrong_at_the_end_of_a_long_packet_changes_nothing(simulated: SimulatedBroker, ending: bytes) -> None:
    """The whole is read before any of it is done."""
    client = kept(simulated)
    body = bytes((0, 1, 0)) + b"".join(len(each).to_bytes(2, "big") + each.encode() + b"\1" for each in FILTERS)
    body += ending
    length = len(body)
    client.transport.receive(bytes((0x82, length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14)) + body)
    turns(simulated)
    answer = only_answer(client)
    assert isinstance(answer, Disconnect)
    assert answer.reason_code in (reason_codes.MALFORMED_PACKET, reason_codes.TOPIC_FILTER_INVALID, 0x82)
    assert client.transport.closed
    assert not client.session.subscriptions


def test_refusals_stay_in_their_places_and_the_log_stays_short(
    simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    simulated.broker.users.set_topic_permissions("guest", "/", "amq.topic", ".*", r"^dev\.[0-9]*0\.")
    client = kept(simulated)
    client.transport.receive(subscribe(FILTERS))
    turns(simulated)
    answer = only_answer(client)
    assert isinstance(answer, SubAck)
    assert answer.reason_codes == tuple(1 if not number % 10 else reason_codes.NOT_AUTHORIZED for number in range(MANY))
    lines = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(lines) == subscribing.REFUSALS_NAMED_MAX + 1
    assert f"{MANY * 9 // 10 - subscribing.REFUSALS_NAMED_MAX} further filters" in lines[-1]


def test_permissions_that_change_in_between_count_from_then_on(simulated: SimulatedBroker) -> None:
    client = kept(simulated)
    client.transport.receive(subscribe(FILTERS))
    while not client.session.subscriptions:
        simulated.broker.end_turn()
    simulated.broker.users.set_permissions("guest", "/", "^$", ".*", ".*")
    turns(simulated)
    answer = only_answer(client)
    assert isinstance(answer, SubAck)
    granted = answer.reason_codes.count(1)
    assert granted == len(client.session.subscriptions)
    assert answer.reason_codes == (1,) * granted + (reason_codes.NOT_AUTHORIZED,) * (MANY - granted)
    assert 0 < granted < MANY


# What is written


def test_rows_are_in_proportion_to_the_filters_of_a_packet(simulated: SimulatedBroker, written: Written) -> None:
    client = kept(simulated)
    written.rows.clear()
    client.transport.receive(subscribe(FILTERS))
    turns(simulated)
    slices = MANY // subscribing.FILTERS_PER_SLICE + 1
    assert written.rows[KIND] <= MANY // ROW_SUBSCRIPTIONS_MAX + slices + 1
    assert written.subscriptions <= MANY + slices * ROW_SUBSCRIPTIONS_MAX
    assert not written.rows["binding"], "a restart makes them anew"
    assert not written.rows["mqtt_session"]


def test_rows_are_in_proportion_to_single_filters(simulated: SimulatedBroker, written: Written) -> None:
    client = kept(simulated)
    written.rows.clear()
    for count, each in enumerate(FILTERS, 1):
        client.transport.receive(subscribe((each,)))
        turns(simulated)
        assert written.rows[KIND] <= count
        assert written.subscriptions <= count * ROW_SUBSCRIPTIONS_MAX
    written.rows.clear()
    written.subscriptions = 0
    for count, each in enumerate(FILTERS, 1):
        client.transport.receive(unsubscribe((each,)))
        turns(simulated)
        assert written.rows[KIND] <= count
        assert written.subscriptions <= count * ROW_SUBSCRIPTIONS_MAX
    assert set(written.rows) == {KIND}


def test_a_session_that_ends_deletes_its_rows_a_row_at_a_time(simulated: SimulatedBroker, written: Written) -> None:
    client = kept(simulated)
    client.transport.receive(subscribe(FILTERS))
    turns(simulated)
    written.rows.clear()
    client.disconnect(session_expiry_interval=0)
    assert written.rows[KIND] <= MANY // ROW_SUBSCRIPTIONS_MAX + 1
    assert not written.rows["binding"]
    assert not [row for row in simulated.broker.definitions.load() if row[0] in (KIND, "mqtt_session", "queue")]


# What is kept


def filters_after(simulated: SimulatedBroker) -> set[str]:
    return set(simulated.mqtt.of(simulated.vhost).sessions["c"].subscriptions)


@pytest.mark.parametrize("crashes", [False, True], ids=["restart", "crash"])
def test_subscriptions_and_their_bindings_come_back(durable: SimulatedBroker, *, crashes: bool) -> None:
    client = kept(durable)
    client.transport.receive(subscribe(FILTERS) + unsubscribe(FILTERS[100:1500:3]))
    durable.settle()
    left = set(FILTERS) - set(FILTERS[100:1500:3])
    for _ in range(2):
        if crashes:
            durable.crash()
        else:
            durable.restart()
        assert filters_after(durable) == left
    queue = durable.vhost.queues["mqtt-subscription-c"]
    bound = {binding.routing_key for binding in durable.vhost.exchanges["amq.topic"].bindings_to(queue)}
    assert bound == {each.replace("/", ".").replace("+", "*") for each in left}
    publisher = MqttClient(durable)
    publisher.connect("publisher")
    publisher.publish("dev/1/state/x", b"wildcard", 1)
    publisher.publish("dev/0/state/on", b"exact", 1)
    publisher.publish(FILTERS[100], b"gone", 1)
    assert waiting(kept(durable)) == [b"wildcard", b"exact"]


def test_options_come_back_with_their_subscription(durable: SimulatedBroker) -> None:
    client = kept(durable)
    client.subscribe(Subscription("own/+", 2, no_local=True, retain_as_published=True), identifier=7)
    client.subscribe("$share/g/shared", qos=1)
    client.subscribe("plain")
    before = {each.filter: each.row() for each in client.session.subscriptions.values()}
    durable.restart()
    after = durable.mqtt.of(durable.vhost).sessions["c"].subscriptions
    assert {name: each.row() for name, each in after.items()} == before
    assert (after["own/+"].no_local, after["own/+"].retain_as_published, after["own/+"].identifier) == (True, True, 7)
    assert (after["$share/g/shared"].group, after["$share/g/shared"].topic_filter) == ("g", "shared")
    assert after["plain"].topic_filter == "plain"


def test_a_session_written_when_its_subscriptions_were_in_its_row_is_moved(durable: SimulatedBroker) -> None:
    """As Warren once wrote them: all in the session's row, and each binding in a row of its own."""
    client = kept(durable)
    client.subscribe("a/+", qos=1)
    client.lose()
    definitions = durable.broker.definitions
    rows = {kind: (vhost, name, value) for kind, vhost, name, value in definitions.load()}
    vhost, name, value = rows["mqtt_session"]
    old: dict[str, JSON] = {
        "filter": "a/+",
        "group": "",
        "identifier": 0,
        "no_local": False,
        "qos": 1,
        "queue_name": "",
        "retain_as_published": False,
        "topic_filter": "a/+",
    }
    definitions.put("mqtt_session", vhost, name, {**value, "subscriptions": [old]})
    definitions.delete(KIND, *rows[KIND][:2])
    definitions.commit()
    durable.crash()
    assert filters_after(durable) == {"a/+"}
    found = [row for row in durable.broker.definitions.load() if row[0] in (KIND, "mqtt_session")]
    assert [row[0] for row in found] == ["mqtt_session", KIND]
    assert "subscriptions" not in found[0][3]
    durable.crash()
    assert filters_after(durable) == {"a/+"}
    publisher = MqttClient(durable)
    publisher.connect("publisher")
    publisher.publish("a/b", b"x", 1)
    assert waiting(kept(durable)) == [b"x"]


def test_subscriptions_that_have_lost_their_session_are_dropped_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    durable = SimulatedBroker(tmp_path)
    durable.broker.definitions.put(KIND, "/", "gone\x001", {"subscriptions": [{"filter": "a", "qos": 0}]})
    durable.broker.definitions.commit()
    durable.crash()
    assert not durable.mqtt.of(durable.vhost).sessions
    assert not [row for row in durable.broker.definitions.load() if row[0] == KIND]
    assert "'gone' have lost it" in caplog.text
    durable.close()


def test_one_filter_again_and_again_takes_one_row(simulated: SimulatedBroker, written: Written) -> None:
    client = kept(simulated)
    for _ in range(100):
        client.subscribe("a")
        client.unsubscribe("a")
    client.subscribe("a")
    rows = [row for row in simulated.broker.definitions.load() if row[0] == KIND]
    assert [row[2] for row in rows] == ["c\x001"]
