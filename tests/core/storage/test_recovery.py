"""Restarts, clean and otherwise: what comes back, and with which marks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.access.listed import list_permissions
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, Event, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.broker import Broker
from warren.core.errors import StorageError
from warren.core.messages.properties import Properties
from warren.core.policies.policy import make_policy
from warren.core.storage.recovery import recover


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(tmp_path)
    yield broker
    broker.settle()
    broker.check()
    broker.close()


def stop(broker: SimulatedBroker, how: str) -> None:
    if how == "clean":
        broker.restart()
    else:
        broker.crash()


def everything(client: SimulatedClient, queue: str) -> list[tuple[bytes, bool]]:
    """Bodies and redelivered flags of what is ready."""
    found = []
    while (event := client.get(queue, no_ack=True)) is not None:
        assert isinstance(event.method, methods.BasicGetOk)
        found.append((event.body, event.method.redelivered))
    return found


@pytest.mark.parametrize("how", ["clean", "crash"])
def test_durable_things_come_back_and_others_do_not(broker: SimulatedBroker, how: str) -> None:
    client = broker.connect()
    client.declare("kept", durable=True, arguments={"x-max-length": 100})
    client.declare("lost")
    client.declare("mine", durable=True, exclusive=True)
    for name, durable in [("x", True), ("y", False)]:
        client.send(1, methods.ExchangeDeclare(exchange=name, type="topic", durable=durable, internal=durable))
    for queue, exchange in [("kept", "x"), ("kept", "y"), ("lost", "x"), ("kept", "amq.direct")]:
        client.send(1, methods.QueueBind(queue=queue, exchange=exchange, routing_key="a.#"))
    client.send(1, methods.ExchangeBind(destination="x", source="amq.topic", routing_key="#"))
    client.send(1, methods.QueueBind(queue="kept", exchange="x", routing_key="gone"))
    client.send(1, methods.QueueUnbind(queue="kept", exchange="x", routing_key="gone"))
    client.settle()
    stop(broker, how)
    vhost = broker.vhost
    assert set(vhost.queues) == {"kept"}
    assert vhost.queues["kept"].arguments == {"x-max-length": 100}
    assert {name for name in vhost.exchanges if not name.startswith("amq.")} == {"x"}
    assert vhost.exchanges["x"].internal
    bindings = {
        (row["source_name"], row["destination_name"], row["routing_key"])
        for row in broker.broker.inspect("bindings", "/")
        if row["source_name"]
    }
    assert bindings == {("x", "kept", "a.#"), ("amq.direct", "kept", "a.#"), ("amq.topic", "x", "#")}
    again = broker.connect()
    again.publish("a.b", b"1", exchange="amq.topic")
    assert everything(again, "kept") == [(b"1", False)]
    again.declare("kept", durable=True, arguments={"x-max-length": 100})


@pytest.mark.parametrize("how", ["clean", "crash"])
def test_only_persistent_messages_in_durable_queues_come_back(broker: SimulatedBroker, how: str) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.declare("lost")
    for queue in ("q", "lost"):
        client.publish(queue, b"persistent", properties=PERSISTENT)
        client.publish(queue, b"transient")
    client.settle()
    stop(broker, how)
    assert everything(broker.connect(), "q") == [(b"persistent", how == "crash")]


def test_after_a_clean_stop_only_what_was_delivered_is_marked(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(6):
        client.publish("q", b"%d" % number, properties=PERSISTENT)
    client.qos(3)
    client.consume("q", "a")
    client.ack(1)
    client.settle()
    assert broker.queue("q").unacked_count == 3
    broker.restart()
    expected = [(b"1", True), (b"2", True), (b"3", True), (b"4", False), (b"5", False)]
    again = broker.connect()
    assert everything(again, "q") == expected


def test_marks_survive_several_clean_stops(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(3):
        client.publish("q", b"%d" % number, properties=PERSISTENT)
    client.get("q")
    broker.restart()
    broker.restart()
    assert everything(broker.connect(), "q") == [(b"0", True), (b"1", False), (b"2", False)]


def test_a_crash_after_a_clean_stop_is_still_a_crash(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.publish("q", b"1", properties=PERSISTENT)
    broker.restart()
    broker.crash()
    assert everything(broker.connect(), "q") == [(b"1", True)]


def test_a_crash_loses_what_was_not_flushed_and_keeps_what_was(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.confirm_select()
    client.publish("q", b"flushed", properties=PERSISTENT)
    client.publish("q", b"acked", properties=PERSISTENT)
    assert client.take() == [Event(1, methods.BasicAck(2, True))]
    client.get("q", no_ack=True)
    client.publish("q", b"last", properties=PERSISTENT)
    assert client.take() == [Event(1, methods.BasicAck(3, False))]
    broker.commits_by_itself = False
    client.publish("q", b"unflushed", properties=PERSISTENT)
    client.get("q", no_ack=True)
    assert client.take() == []
    broker.crash()
    broker.commits_by_itself = True
    assert everything(broker.connect(), "q") == [(b"acked", True), (b"last", True)]


def test_new_messages_go_behind_recovered_ones(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    for number in range(3):
        client.publish("q", b"old%d" % number, properties=PERSISTENT)
    broker.restart()
    again = broker.connect()
    for number in range(3):
        again.publish("q", b"new%d" % number)
    for _ in range(3):
        assert again.get("q") is not None
    again.nack(0, multiple=True)
    bodies = [body for body, _ in everything(again, "q")]
    assert bodies == [b"old0", b"old1", b"old2", b"new0", b"new1", b"new2"]


def test_a_deleted_queues_messages_do_not_come_back_under_its_name(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", durable=True)
    client.publish("q", b"old", properties=PERSISTENT)
    client.get("q")
    client.send(1, methods.QueueDelete(queue="q"))
    client.expect(methods.QueueDeleteOk)
    client.declare("q", durable=True)
    client.publish("q", b"new", properties=PERSISTENT)
    broker.settle()
    broker.crash()
    assert everything(broker.connect(), "q") == [(b"new", True)]
    broker.settle()
    assert broker.broker.store.statistics()["entries"] == 0


def test_users_and_permissions_come_back(broker: SimulatedBroker) -> None:
    broker.broker.users.add_user("tester", "secret", ["monitoring"])
    broker.broker.users.set_permissions("tester", "/", "^a", "^b", "^c")
    broker.restart()
    users = broker.broker.users
    assert users.authenticate("tester", "secret", True).tags == {"monitoring"}
    assert users.may_access_vhost("tester", "/")
    assert len(list_permissions(users, "/")) == 2


def test_defaults_are_for_blank_stores_alone(broker: SimulatedBroker) -> None:
    broker.broker.users.delete_user("guest")
    broker.broker.users.add_user("tester", "secret")
    broker.restart()
    assert "guest" not in broker.broker.users


def test_definitions_of_an_unknown_kind_are_refused_in_words(broker: SimulatedBroker) -> None:
    definitions = broker.broker.definitions
    definitions.put("marvel", "/", "m", {"arguments": "AAAAAA=="})
    definitions.commit()
    fresh = Broker(broker.broker.store, definitions, broker.broker.users, now_ms=0)
    with pytest.raises(StorageError, match=r"hold a marvel 'm'.*newer Warren"):
        recover(fresh, default_user="guest", default_password="guest", default_vhost="/")


def test_a_noted_position_beyond_what_is_left_marks_no_new_messages(broker: SimulatedBroker) -> None:
    """The message at that position may have been lost to damage; numbers start over from the last one that is there."""
    client = broker.connect()
    client.declare("q", durable=True)
    client.publish("q", b"old", properties=PERSISTENT)
    broker.settle()
    definitions = broker.broker.definitions
    broker.restart(lambda: definitions.put("delivered", "/", "q", {"position": 1 << 40}))
    again = broker.connect()
    again.publish("q", b"new")
    assert everything(again, "q") == [(b"old", True), (b"new", False)]


def counted(client: SimulatedClient, queue: str) -> list[tuple[bytes, int]]:
    """Bodies of what is ready, which the client holds then, and how often each has failed."""
    found = []
    while (event := client.get(queue)) is not None:
        headers = properties_of(event).headers or {}
        found.append((event.body, int(str(headers.get("x-delivery-count", 0)))))
    return found


def properties_of(event: Event) -> Properties:
    return Properties.parse(event.properties)


def limited(broker: SimulatedBroker, limit: int) -> SimulatedClient:
    """A client that holds the first of four messages; the second has failed, the third came back without that."""
    broker.broker.counts_returns = False
    client = broker.connect()
    client.declare("q", durable=True, arguments={"x-delivery-limit": limit})
    for body in (b"1", b"2", b"3", b"4"):
        client.publish("q", body, properties=PERSISTENT)
    for _ in range(3):
        assert client.get("q") is not None
    client.send(1, methods.BasicReject(2, requeue=True))
    client.nack(3)
    client.settle()
    return client


def test_what_was_held_in_a_crash_has_failed(broker: SimulatedBroker) -> None:
    limited(broker, 5)
    broker.crash()
    assert counted(broker.connect(), "q") == [(b"1", 1), (b"2", 1), (b"3", 0), (b"4", 0)]
    broker.crash()
    assert counted(broker.connect(), "q") == [(b"1", 2), (b"2", 2), (b"3", 1), (b"4", 1)]


def test_a_clean_stop_counts_each_failure_once(broker: SimulatedBroker) -> None:
    limited(broker, 5)
    broker.restart()
    broker.crash()
    assert counted(broker.connect(), "q") == [(b"1", 1), (b"2", 1), (b"3", 0), (b"4", 0)]


def test_a_crash_may_be_one_failure_too_many(broker: SimulatedBroker) -> None:
    limited(broker, 0)
    broker.crash()
    broker.settle()
    assert counted(broker.connect(), "q") == [(b"3", 0), (b"4", 0)]


def test_a_policy_that_ends_a_limit_ends_the_counting(broker: SimulatedBroker) -> None:
    limit = make_policy("policy", "p", "", {"delivery-limit": 5})
    client = broker.connect()
    client.declare("q", durable=True)
    client.publish("q", b"1", properties=PERSISTENT)
    broker.broker.policies.set(broker.vhost, limit)
    assert client.get("q") is not None
    client.settle()
    broker.broker.policies.clear(broker.vhost, "policy", "p")
    broker.settle()
    broker.crash()
    broker.broker.policies.set(broker.vhost, limit)
    assert counted(broker.connect(), "q") == [(b"1", 0)]
