"""Messages and bindings whose queue's definition is lost: set aside, told of, and back when it is declared again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.storage.test_damaged_definitions import DamagedDefinitions
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.administration import operations
from warren.core.administration.definitions_json.exporting import export_definitions
from warren.core.administration.definitions_json.importing import import_definitions
from warren.core.errors import NotFound
from warren.core.messages.field_table import FieldValue
from warren.core.messages.properties import encode_properties
from warren.core.queues.classic.contents import SETTLED_AT_ONCE
from warren.core.storage.definitions.store import Row
from warren.core.storage.recovery import MARKER, NOTES_DELETIONS

COUNT = 250


@pytest.fixture
def definitions() -> DamagedDefinitions:
    return DamagedDefinitions()


@pytest.fixture
def broker(tmp_path: Path, definitions: DamagedDefinitions) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(tmp_path, definitions=definitions)
    yield broker
    broker.settle()
    broker.check()
    broker.close()


def bodies_of(count: int) -> list[bytes]:
    return [b"%06d" % number for number in range(count)]


def fill(broker: SimulatedBroker, queue: str = "q", count: int = COUNT) -> SimulatedClient:
    """A bound queue with messages."""
    client = broker.connect()
    client.declare(queue, durable=True)
    client.send(1, methods.QueueBind(queue=queue, exchange="amq.topic", routing_key=f"{queue}.#"))
    for body in bodies_of(count):
        client.publish(queue, body, properties=PERSISTENT)
    client.settle()
    return client


def take_all(client: SimulatedClient, queue: str) -> list[bytes]:
    found = []
    while (event := client.get(queue, no_ack=True)) is not None:
        found.append(event.body)
    return found


def is_queue(row: Row) -> bool:
    return row[0] == "queue"


def set_aside(broker: SimulatedBroker) -> list[tuple[str, str, int]]:
    return [(each.kind, each.name, each.messages) for each in operations.quarantine.quarantined(broker.broker)]


def test_messages_of_a_lost_queue_come_back_when_it_is_declared_again(
    broker: SimulatedBroker, definitions: DamagedDefinitions, caplog: pytest.LogCaptureFixture
) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    assert set_aside(broker) == [("queue", "q", COUNT)]
    assert f"{COUNT} message(s) of queue 'q' in vhost '/' (number 1) are set aside" in caplog.text
    assert "a binding from 'amq.topic' to 'q' in vhost '/' has lost an end" in caplog.text
    client = broker.connect()
    assert client.declare("q", durable=True).message_count == COUNT
    assert set_aside(broker) == []
    client.publish("q.new", b"new", exchange="amq.topic")
    assert take_all(client, "q") == [*bodies_of(COUNT), b"new"]
    broker.settle()
    assert broker.broker.store.statistics()["entries"] == 0


def test_what_came_back_stays_over_the_next_restart(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    definitions.recovered()
    client = broker.connect()
    client.declare("q", durable=True)
    client.publish("q", b"new", properties=PERSISTENT)
    client.settle()
    broker.crash()
    assert set_aside(broker) == []
    client = broker.connect()
    client.publish("q.a", b"bound", exchange="amq.topic")
    assert take_all(client, "q") == [*bodies_of(COUNT), b"new", b"bound"]


def test_what_is_set_aside_waits_over_restarts(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    definitions.recovered()
    fill(broker, "other", 3)
    broker.restart()
    broker.crash()
    assert set_aside(broker) == [("queue", "q", COUNT)]
    client = broker.connect()
    assert client.declare("q", durable=True).message_count == COUNT
    assert take_all(client, "other") == bodies_of(3)


def test_another_queue_gets_nothing_of_it(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    client = broker.connect()
    assert client.declare("r", durable=True).message_count == 0
    assert client.declare("q").message_count == 0, "a queue that isn't durable is another one"
    assert broker.queue("r").store_id > 1
    assert set_aside(broker) == [("queue", "q", COUNT)]


def add_default_user(broker: SimulatedBroker) -> None:
    """As an operator does who wants it back."""
    assert not broker.broker.users
    broker.broker.users.add_user("guest", "guest", ["administrator"])
    broker.broker.users.set_permissions("guest", "/", ".*", ".*", ".*")


def test_all_definitions_may_be_lost(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    """As when somebody moves the database away; the counter of numbers is lost with it."""
    fill(broker)
    fill(broker, "other", 3)

    def lose_everything() -> None:
        definitions.clear()
        definitions._last_ids.clear()

    broker.crash(lose_everything)
    assert set_aside(broker) == [("queue", "q", COUNT), ("queue", "other", 3)]
    add_default_user(broker)
    client = broker.connect()
    assert client.declare("new", durable=True).message_count == 0
    assert broker.queue("new").store_id == 3
    assert client.declare("other", durable=True).message_count == 3
    assert client.declare("q", durable=True).message_count == COUNT


def test_a_definition_that_is_imported_brings_messages_back(
    broker: SimulatedBroker, definitions: DamagedDefinitions
) -> None:
    fill(broker)
    exported = export_definitions(broker.broker, product_name="", product_version="", rabbitmq_version="").finish()
    broker.crash(lambda: definitions.lose(is_queue))
    import_definitions(broker.broker, json.dumps(exported))
    broker.settle()
    assert broker.queue("q").ready_count == COUNT
    assert take_all(broker.connect(), "q") == bodies_of(COUNT)


def test_delayed_messages_come_back_with_their_exchange(
    broker: SimulatedBroker, definitions: DamagedDefinitions
) -> None:
    def declare(client: SimulatedClient) -> None:
        arguments: dict[str, FieldValue] = {"x-delayed-type": "topic"}
        client.send(
            1, methods.ExchangeDeclare(exchange="later", type="x-delayed-message", durable=True, arguments=arguments)
        )
        client.expect(methods.ExchangeDeclareOk)

    client = broker.connect()
    declare(client)
    client.declare("q", durable=True)
    client.send(1, methods.QueueBind(queue="q", exchange="later", routing_key="#"))
    client.expect(methods.QueueBindOk)
    client.publish("a", b"held", exchange="later", properties=delayed(5000))
    client.settle()
    broker.crash(lambda: definitions.lose(lambda row: row[0] == "exchange"))
    assert set_aside(broker) == [("exchange", "later", 1)]
    client = broker.connect()
    declare(client)
    assert set_aside(broker) == []
    assert len(broker.vhost.exchanges["later"].bindings) == 1
    broker.advance(1)
    broker.advance(6000)
    assert take_all(client, "q") == [b"held"], "the binding came back, too"


def delayed(milliseconds: int) -> bytes:
    """Properties of a persistent message with x-delay."""
    return encode_properties(headers={"x-delay": milliseconds}, delivery_mode=2).raw


def test_what_was_deleted_is_not_taken_for_lost(broker: SimulatedBroker) -> None:
    """The deletion is committed, and its settlements are lost with the crash."""
    client = fill(broker)
    broker.commits_by_itself = False
    client.send(1, methods.QueueDelete(queue="q"))
    client.settle()
    broker.crash()
    broker.commits_by_itself = True
    assert set_aside(broker) == []
    client = broker.connect()
    assert client.declare("q", durable=True).message_count == 0
    assert broker.broker.store.statistics()["entries"] == 0


def deletions(definitions: DamagedDefinitions) -> list[str]:
    return [name for kind, _, name, _ in definitions.load() if kind == "deleted"]


def change_definitions(broker: SimulatedBroker, name: str) -> None:
    """Rows of deletions go with the next change."""
    broker.broker.add_vhost(name, {})
    broker.settle()


@pytest.mark.parametrize("acknowledges", [True, False], ids=["acknowledged", "requeued"])
def test_what_consumers_keep_of_a_deleted_queue_is_not_taken_for_lost(
    broker: SimulatedBroker, definitions: DamagedDefinitions, acknowledges: bool
) -> None:
    """However long they keep it, and whatever is committed meanwhile."""
    client = fill(broker, count=3)
    consumer = broker.connect()
    for _ in range(3):
        assert consumer.get("q") is not None
    client.send(1, methods.QueueDelete(queue="q"))
    client.expect(methods.QueueDeleteOk)
    change_definitions(broker, "one")
    change_definitions(broker, "two")
    assert deletions(definitions) == ["1"]
    if acknowledges:
        consumer.send(1, methods.BasicAck(delivery_tag=0, multiple=True))
    else:
        consumer.lose()
    broker.settle()
    change_definitions(broker, "three")
    assert deletions(definitions) == []
    assert broker.broker.store.statistics()["entries"] == 0


def test_a_crash_while_consumers_keep_something_of_a_deleted_queue(broker: SimulatedBroker) -> None:
    client = fill(broker, count=3)
    assert broker.connect().get("q") is not None
    client.send(1, methods.QueueDelete(queue="q"))
    client.expect(methods.QueueDeleteOk)
    change_definitions(broker, "one")
    change_definitions(broker, "two")
    broker.crash()
    assert set_aside(broker) == []
    assert broker.connect().declare("q", durable=True).message_count == 0
    broker.settle()
    assert broker.broker.store.statistics()["entries"] == 0


def test_a_crash_while_what_came_back_to_a_deleted_queue_is_settled(broker: SimulatedBroker) -> None:
    """Thousands are settled over several turns (core/queues/classic/contents.py)."""
    client = fill(broker, count=2 * SETTLED_AT_ONCE)
    consumer = broker.connect()
    consumer.consume("q")
    assert len(consumer.take_bodies()) == 2 * SETTLED_AT_ONCE
    client.send(1, methods.QueueDelete(queue="q"))
    client.expect(methods.QueueDeleteOk)
    broker.commits_by_itself = False
    consumer.transport.lose()
    for name in ("one", "two"):
        broker.broker.add_vhost(name, {})
        broker.broker.dispatch()
        broker.begin_commit()
        broker.finish_commit()
    assert broker.broker.chores
    broker.crash()
    broker.commits_by_itself = True
    assert set_aside(broker) == []


def test_rows_of_deletions_go_once_they_are_settled(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    client = fill(broker)
    for number in range(5):
        client.send(1, methods.QueueDelete(queue="q"))
        client.expect(methods.QueueDeleteOk)
        broker.settle()
        client.declare("q", durable=True)
        broker.settle()
        client.publish("q", b"one", properties=PERSISTENT)
        broker.settle()
        assert [row for row in definitions.load() if row[0] == "deleted"] == [], number
    broker.restart()
    assert [row for row in definitions.load() if row[0] == "deleted"] == []


def test_what_an_older_warren_left_of_a_deletion_is_settled(
    broker: SimulatedBroker, definitions: DamagedDefinitions
) -> None:
    """It noted no deletions, so a crash behind one looks like damage; there is none."""
    fill(broker)

    def as_an_older_one() -> None:
        definitions.delete(MARKER, "", NOTES_DELETIONS)
        definitions.delete("queue", "/", "q")

    broker.crash(as_an_older_one)
    assert set_aside(broker) == []
    broker.settle()
    assert broker.broker.store.statistics()["entries"] == 0


def test_an_administrator_gives_them_to_a_queue(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    client = fill(broker, "r", 1)
    (found,) = operations.quarantine.quarantined(broker.broker)
    assert (found.exchange, found.routing_key, found.message_bytes) == ("", "q", COUNT * 6)
    steps = operations.quarantine.restore(broker.broker, found.number, "/", "r")
    slices = 1
    while steps.step():
        broker.settle()
        slices += 1
    assert slices > COUNT / operations.quarantine.MOVED_AT_ONCE
    assert steps.result == COUNT
    assert set_aside(broker) == []
    broker.settle()
    broker.crash()
    assert set_aside(broker) == []
    client = broker.connect()
    assert take_all(client, "r") == [*bodies_of(1), *bodies_of(COUNT)]


def test_a_crash_in_the_middle_neither_loses_nor_doubles(
    broker: SimulatedBroker, definitions: DamagedDefinitions
) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    definitions.recovered()
    fill(broker, "r", 0)
    steps = operations.quarantine.restore(broker.broker, 1, "/", "r")
    assert steps.step()
    broker.settle()
    broker.crash()
    (found,) = operations.quarantine.quarantined(broker.broker)
    assert found.messages == COUNT - operations.quarantine.MOVED_AT_ONCE
    operations.quarantine.restore(broker.broker, 1, "/", "r").finish()
    assert take_all(broker.connect(), "r") == bodies_of(COUNT)


def test_a_queue_deleted_meanwhile_leaves_the_rest_set_aside(
    broker: SimulatedBroker, definitions: DamagedDefinitions
) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    client = fill(broker, "r", 0)
    steps = operations.quarantine.restore(broker.broker, 1, "/", "r")
    assert steps.step()
    client.send(1, methods.QueueDelete(queue="r"))
    client.expect(methods.QueueDeleteOk)
    with pytest.raises(NotFound, match="still set aside"):
        steps.finish()
    assert set_aside(broker) == [("queue", "q", COUNT - operations.quarantine.MOVED_AT_ONCE)]


def test_an_administrator_drops_them(broker: SimulatedBroker, definitions: DamagedDefinitions) -> None:
    fill(broker)
    broker.crash(lambda: definitions.lose(is_queue))
    assert operations.quarantine.delete(broker.broker, 1).finish() == COUNT
    broker.settle()
    broker.crash()
    assert set_aside(broker) == []
    with pytest.raises(NotFound, match="list_quarantined"):
        operations.quarantine.delete(broker.broker, 1)


def test_where_the_name_is_lost_too_the_address_of_the_first_message_tells(
    broker: SimulatedBroker, definitions: DamagedDefinitions, tmp_path: Path
) -> None:
    fill(broker)

    def lose() -> None:
        definitions.lose(is_queue)
        (tmp_path / "messages" / "owners").unlink()

    broker.crash(lose)
    (found,) = operations.quarantine.quarantined(broker.broker)
    assert (found.kind, found.name, found.routing_key) == ("", "", "q")
    assert broker.connect().declare("q", durable=True).message_count == 0
    assert "nobody knows whom" in broker.broker.damage()[-1]
