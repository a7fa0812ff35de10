"""Whatever one command, or the end of a connection, settles of a large window: a turn has its share of it, whoever else
wants something has a turn in between, and what follows finds it done.

Counted is what leaves the window in one turn.

Longer than 400 lines because every protocol has its ways to end a window, and all of them are to be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import core_clients, direct_clients
from tests.support.core_clients import take
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, answers
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.settings import MqttSettings
from warren.adapters.session.deliveries import SETTLED_PER_SLICE, Verdict
from warren.adapters.session.read_gate import SETTLING
from warren.core.queues.classic.burials import DEAD_LETTER_WORK
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.storage.recovery import finish_chores

MANY = 3 * SETTLED_PER_SLICE + 7


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """On disk."""
    simulated = SimulatedBroker(tmp_path)
    yield simulated
    simulated.settle()
    simulated.close()


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    """In memory."""
    simulated = SimulatedBroker()
    yield simulated
    simulated.close()


def fill(broker: SimulatedBroker, count: int = MANY, arguments: dict[str, str | int] | None = None) -> ClassicQueue:
    queue = core_clients.queue(broker, "q", arguments or {}, durable=True)
    assert isinstance(queue, ClassicQueue)
    for number in range(count):
        core_clients.publish(broker, "", b"%d" % number, core_clients.persistent(), "q")
    broker.settle()
    return queue


def consuming(
    broker: SimulatedBroker, count: int = MANY, arguments: dict[str, str | int] | None = None, *, tx: bool = False
) -> tuple[ClassicQueue, SimulatedClient]:
    """A client with all messages of the queue; its consumer is cancelled."""
    queue = fill(broker, count, arguments)
    client = broker.connect()
    if tx:
        client.send(1, methods.TxSelect())
    client.consume("q", "c")
    client.take()
    client.send(1, methods.BasicCancel("c", False))
    client.take()
    assert queue.unacked_count == count
    return queue, client


def most_per_turn(broker: SimulatedBroker, unacked: Callable[[], int]) -> int:
    """How many left the window in the turn with the most of them."""
    most, more = 0, True
    while more:
        before = unacked()
        more = broker.broker.end_turn()
        most = max(most, before - unacked())
    return most


def names(client: SimulatedClient) -> list[str]:
    return [event.method.NAME for event in client.take() if event.method is not None]


def ready(queue: ClassicQueue) -> list[bytes]:
    return [message.body for message in queue.browse(0, queue.ready_count)]


IN_ORDER = [b"%d" % number for number in range(MANY)]


@pytest.mark.parametrize("tag", [0, MANY])
@pytest.mark.parametrize("requeue", [True, False])
def test_amqp_nack(broker: SimulatedBroker, tag: int, requeue: bool) -> None:
    queue, client = consuming(broker)
    client.nack(tag, multiple=True, requeue=requeue)
    assert queue.unacked_count == MANY
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert queue.unacked_count == 0
    assert ready(queue) == (IN_ORDER if requeue else [])


def test_amqp_ack(broker: SimulatedBroker) -> None:
    queue, client = consuming(broker)
    client.ack(MANY - 5, multiple=True)
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert (queue.unacked_count, queue.ready_count) == (5, 0)


def test_an_ack_that_fits_into_the_turn_is_done_at_once(broker: SimulatedBroker) -> None:
    queue, client = consuming(broker)
    client.ack(SETTLED_PER_SLICE, multiple=True)
    assert queue.unacked_count == MANY - SETTLED_PER_SLICE
    assert not broker.broker.chores


def test_everybody_together_has_one_ration(broker: SimulatedBroker) -> None:
    queue = fill(broker)
    clients = [broker.connect() for _ in range(3)]
    for client in clients:
        client.send(1, methods.BasicQos(0, MANY // 3, False))
        client.consume("q", "c")
        client.take()
    assert queue.unacked_count == MANY // 3 * 3
    before = queue.unacked_count
    for client in clients:
        client.ack(SETTLED_PER_SLICE, multiple=True)
    assert before - queue.unacked_count == SETTLED_PER_SLICE
    assert most_per_turn(broker, lambda: queue.unacked_count) <= 2 * SETTLED_PER_SLICE


def test_dead_letters_cost_more_than_what_just_goes(broker: SimulatedBroker) -> None:
    graves = core_clients.queue(broker, "graves")
    letters: dict[str, str | int] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue, client = consuming(broker, SETTLED_PER_SLICE, letters)
    client.nack(0, multiple=True, requeue=False)
    assert most_per_turn(broker, lambda: queue.unacked_count) <= SETTLED_PER_SLICE // DEAD_LETTER_WORK
    assert (queue.unacked_count, graves.ready_count) == (0, SETTLED_PER_SLICE)


def test_dead_letters_one_by_one(broker: SimulatedBroker) -> None:
    """Many small commands are no quicker than a large one."""
    graves = core_clients.queue(broker, "graves")
    letters: dict[str, str | int] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"}
    queue, client = consuming(broker, 300, letters)
    client.send_bytes(b"".join(methods.encode_frame(1, methods.BasicReject(tag, False)) for tag in range(1, 301)))
    first = 300 - queue.unacked_count
    assert max(first, most_per_turn(broker, lambda: queue.unacked_count)) <= SETTLED_PER_SLICE // DEAD_LETTER_WORK + 1
    assert (queue.unacked_count, graves.ready_count) == (0, 300)
    assert take(graves) == IN_ORDER[:300]


SPENT: dict[str, str | int] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 0,
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "graves",
}
"""Whatever comes back to such a queue is a dead letter."""


def _nack(client: SimulatedClient) -> None:
    client.nack(0, multiple=True, requeue=True)


def _nack_each(client: SimulatedClient) -> None:
    client.send_bytes(b"".join(methods.encode_frame(1, methods.BasicNack(tag, False, True)) for tag in range(1, 301)))


def _reject_each(client: SimulatedClient) -> None:
    client.send_bytes(b"".join(methods.encode_frame(1, methods.BasicReject(tag, True)) for tag in range(1, 301)))


def _recover(client: SimulatedClient) -> None:
    client.send(1, methods.BasicRecover(True))


def _lose(client: SimulatedClient) -> None:
    client.transport.lose()


@pytest.mark.parametrize("end", [_nack, _nack_each, _reject_each, _recover, _lose])
def test_dead_letters_of_what_has_come_back_too_often(
    broker: SimulatedBroker, end: Callable[[SimulatedClient], None]
) -> None:
    graves = core_clients.queue(broker, "graves")
    queue, client = consuming(broker, 300, SPENT)
    end(client)
    first = graves.ready_count
    most = most_per_turn(broker, lambda: -graves.ready_count)
    assert max(first, most) <= SETTLED_PER_SLICE // DEAD_LETTER_WORK + 1
    assert (queue.unacked_count, queue.ready_count, graves.ready_count) == (0, 0, 300)
    assert take(graves) == IN_ORDER[:300]


def test_amqp_recover_is_answered_when_all_is_back(broker: SimulatedBroker) -> None:
    queue, client = consuming(broker)
    client.send(1, methods.BasicRecover(True))
    client.collect()
    assert not client.events
    broker.broker.end_turn()
    client.collect()
    assert not client.events
    assert names(client) == ["basic.recover-ok"]
    assert ready(queue) == IN_ORDER


@pytest.mark.parametrize(
    ("method", "answer", "channel"),
    [
        (methods.ChannelClose(200, "", 0, 0), "channel.close-ok", 1),
        (methods.ConnectionClose(200, "", 0, 0), "connection.close-ok", 0),
    ],
    ids=["channel", "connection"],
)
def test_amqp_close_is_answered_when_all_is_back(
    broker: SimulatedBroker, method: methods.Method, answer: str, channel: int
) -> None:
    queue, client = consuming(broker)
    client.send(channel, method)
    counted = []
    while broker.broker.chores:
        broker.broker.end_turn()
        client.collect()
        counted.append((len(client.events), queue.unacked_count))
    assert [unacked for events, unacked in counted if events and unacked] == []
    assert [event.method.NAME for event in client.events if event.method is not None] == [answer]
    assert ready(queue) == IN_ORDER


def test_a_connection_that_is_lost(broker: SimulatedBroker) -> None:
    queue, client = consuming(broker)
    client.transport.lose()
    assert client.connection not in broker.broker.sessions
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert ready(queue) == IN_ORDER


def test_a_connection_that_is_lost_with_many_channels(broker: SimulatedBroker) -> None:
    """Each has a window that would fit into a turn by itself."""
    queue = fill(broker, 20 * 500)
    client = broker.connect(channels=20)
    for number in range(1, 21):
        client.send(number, methods.BasicQos(0, 500, False))
        client.consume("q", f"c{number}", channel=number)
        client.take()
    assert queue.unacked_count == 20 * 500
    client.transport.lose()
    assert queue.unacked_count == 20 * 500 - SETTLED_PER_SLICE
    assert most_per_turn(broker, lambda: queue.unacked_count) <= SETTLED_PER_SLICE
    assert (queue.unacked_count, queue.ready_count) == (0, 20 * 500)
    assert ready(queue) == [b"%d" % number for number in range(20 * 500)]


@pytest.mark.parametrize("turns", range(5))
def test_what_was_acknowledged_before_the_connection_was_lost_is(broker: SimulatedBroker, turns: int) -> None:
    """The acknowledgement had come; that it takes some turns is no reason to deliver again."""
    queue, client = consuming(broker)
    client.ack(MANY - 10, multiple=True)
    for _ in range(turns):
        broker.broker.end_turn()
    client.transport.lose()
    broker.settle()
    assert (queue.unacked_count, ready(queue)) == (0, IN_ORDER[-10:])
    assert queue.message_counts["ack"] == MANY - 10


def test_what_follows_finds_it_done(broker: SimulatedBroker) -> None:
    _, client = consuming(broker)
    client.nack(0, multiple=True)
    assert client.connection.read_gate.is_closed_for(SETTLING)
    client.send(1, methods.BasicGet(queue="q", no_ack=True))
    client.send(1, methods.QueueDeclare(queue="q", passive=True))
    other = broker.connect()
    other.send(1, methods.BasicQos(0, 1, False))
    assert names(other) == ["basic.qos-ok"], "others don't wait"
    found = client.take()
    assert [event.body for event in found] == [b"0", b""]
    assert isinstance(found[1].method, methods.QueueDeclareOk)
    assert found[1].method.message_count == MANY - 1
    assert not client.connection.read_gate.is_closed_for(SETTLING)


def test_a_consumer_gets_nothing_newer_before_what_it_gives_back(broker: SimulatedBroker) -> None:
    fill(broker, MANY + 50)
    client = broker.connect()
    client.send(1, methods.BasicQos(0, MANY, False))
    client.consume("q", "c")
    client.take()
    client.nack(0, multiple=True)
    bodies = [event.body for event in client.take() if isinstance(event.method, methods.BasicDeliver)]
    assert bodies == IN_ORDER


def test_a_consumer_that_timed_out(broker: SimulatedBroker) -> None:
    queue = fill(broker)
    client = broker.connect()
    client.send(1, methods.BasicConsume(queue="q", consumer_tag="c", arguments={"x-consumer-timeout": 1000}))
    client.take()
    broker._now_ms += 2000
    for _ in range(2):
        broker._now_ms += 1000
        broker.broker.advance(broker._now_ms)
    assert queue.unacked_count == MANY
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert (queue.unacked_count, ready(queue)) == (0, IN_ORDER)
    assert names(client) == ["basic.cancel"]
    client.ack(5)
    assert names(client) == []


def test_counts_of_a_channel_are_right_afterwards(broker: SimulatedBroker) -> None:
    queue, client = consuming(broker)
    counts = client.connection.channels.by_number[1].counts
    client.ack(MANY - 10, multiple=True)
    broker.settle()
    assert counts.snapshot()["ack"] == MANY - 10
    client.send(1, methods.ChannelClose(200, "", 0, 0))
    broker.settle()
    (row,) = broker.broker.inspect("connections", None)
    assert queue.message_counts["ack"] == MANY - 10
    assert row["channels"] == 0


# A transaction's window


def test_a_rollback_of_very_many_acknowledgements(broker: SimulatedBroker) -> None:
    queue, client = consuming(broker, 12_000, tx=True)
    client.ack(3)
    client.ack(11_990, multiple=True)
    client.ack(11_995)
    client.send(1, methods.TxRollback())
    assert names(client) == ["tx.rollback-ok"]
    unacked = client.connection.channels.by_number[1].deliveries.unacked
    assert list(unacked) == list(range(1, 12_001))
    assert queue.unacked_count == 12_000


@pytest.mark.parametrize("turns", range(4))
def test_a_channel_that_ends_while_acknowledgements_are_collected(broker: SimulatedBroker, turns: int) -> None:
    queue, client = consuming(broker, 12_000, tx=True)
    client.ack(7)
    client.ack(11_990, multiple=True)
    for _ in range(turns):
        broker.broker.end_turn()
    client.transport.lose()
    broker.settle()
    assert queue.unacked_count == 0
    assert ready(queue) == [b"%d" % number for number in range(12_000)]


# Other protocols


def stomp(broker: SimulatedBroker, ack: str = "client") -> tuple[ClassicQueue, StompClient, str]:
    """A session with all messages, and the id of the last."""
    queue = fill(broker)
    client = StompClient(broker)
    client.connect()
    client.transport.receive(f"SUBSCRIBE\nid:0\ndestination:/amq/queue/q\nack:{ack}\n\n\0".encode())
    broker.settle()
    last = answers(client.transport.take())[-1]
    assert queue.unacked_count == MANY
    return queue, client, last.headers.get("ack") or last["message-id"]


@pytest.mark.parametrize(("command", "left"), [("ACK", 0), ("NACK", MANY)])
def test_stomp_cumulative(broker: SimulatedBroker, command: str, left: int) -> None:
    queue, client, last = stomp(broker)
    client.transport.receive(b"UNSUBSCRIBE\nid:0\n\n\0")
    header = "id" if client.session.version == "1.2" else "message-id"
    data = f"{command}\nsubscription:0\n{header}:{last}\nreceipt:1\n\n\0BEGIN\ntransaction:a\nreceipt:2\n\n\0"
    client.transport.receive(data.encode())
    assert client.transport.paused
    receipts = []
    most, more = 0, True
    while more:
        before = queue.unacked_count
        more = broker.broker.end_turn()
        most = max(most, before - queue.unacked_count)
        receipts.append((queue.unacked_count, [each["receipt-id"] for each in answers(client.transport.take())]))
    assert most == SETTLED_PER_SLICE
    assert [found for unacked, found in receipts if unacked and found] == []
    assert [each for _, found in receipts for each in found] == ["1", "2"]
    assert (queue.unacked_count, ready(queue)) == (0, IN_ORDER[:left])
    assert not client.transport.paused


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("command", ["ACK", "NACK"])
def test_stomp_commit_of_a_cumulative_one(disk: SimulatedBroker, turns: int, command: str) -> None:
    """All of it or nothing, also across a crash; and it is answered when it is on disk."""
    _, client, last = stomp(disk)
    disk.commits_by_itself = False
    header = "id" if client.session.version == "1.2" else "message-id"
    client.transport.receive(
        f"UNSUBSCRIBE\nid:0\n\n\0BEGIN\ntransaction:a\n\n\0{command}\nsubscription:0\n{header}:{last}\n"
        "transaction:a\nrequeue:false\n\n\0SEND\ndestination:/queue/other\npersistent:true\ntransaction:a\n\nx\0"
        "COMMIT\ntransaction:a\nreceipt:1\n\n\0".encode()
    )
    for _ in range(turns):
        disk.broker.end_turn()
    is_done = not disk.broker.chores
    assert answers(client.transport.take()) == []
    disk.begin_commit()
    disk.finish_commit()
    disk.broker.end_turn()
    receipts = [each["receipt-id"] for each in answers(client.transport.take())]
    assert receipts == ["1"] if is_done else ["1"] not in [receipts]
    disk.crash()
    disk.commits_by_itself = True
    assert ready(disk.queue("q")) == ([] if is_done else IN_ORDER)
    assert [message.body for message in disk.queue("other").browse(0, 10)] == ([b"x"] if is_done else [])


@pytest.mark.parametrize("turns", range(4))
def test_stomp_commit_goes_to_its_end_without_the_session(broker: SimulatedBroker, turns: int) -> None:
    queue, client, last = stomp(broker)
    header = "id" if client.session.version == "1.2" else "message-id"
    client.transport.receive(
        f"BEGIN\ntransaction:a\n\n\0ACK\nsubscription:0\n{header}:{last}\ntransaction:a\n\n\0"
        "SEND\ndestination:/queue/other\ntransaction:a\n\nx\0COMMIT\ntransaction:a\n\n\0".encode()
    )
    for _ in range(turns):
        broker.broker.end_turn()
    client.transport.lose()
    broker.settle()
    assert (queue.unacked_count, queue.ready_count, broker.queue("other").ready_count) == (0, 0, 1)


def test_stomp_disconnect_is_answered_when_all_is_back(broker: SimulatedBroker) -> None:
    queue, client, _ = stomp(broker)
    client.transport.receive(b"DISCONNECT\nreceipt:1\n\n\0")
    while queue.unacked_count:
        broker.broker.end_turn()
        assert queue.unacked_count == 0 or not client.transport.take()
    broker.settle()
    assert [each["receipt-id"] for each in answers(client.transport.take())] == ["1"]
    assert ready(queue) == IN_ORDER
    assert client.transport.closed


def test_stomp_session_that_is_lost(broker: SimulatedBroker) -> None:
    queue, client, _ = stomp(broker)
    client.transport.lose()
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert ready(queue) == IN_ORDER


@pytest.mark.parametrize(("verdict", "left"), [("ack", 0), ("requeue", MANY)])
def test_a_program_in_the_process(broker: SimulatedBroker, verdict: Verdict, left: int) -> None:
    queue = fill(broker)
    session = direct_clients.session_of(broker)
    consumer = direct_clients.consume(session, prefetch=MANY)
    broker.settle()
    deliveries = direct_clients.taken(consumer)
    consumer.queue.park(consumer)
    consumer.parked = True
    consumer.active = False
    consumer.settle(deliveries[-1].tag, verdict, multiple=True)
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert (queue.unacked_count, ready(queue)) == (0, IN_ORDER[:left])


def test_a_program_in_the_process_that_ends(broker: SimulatedBroker) -> None:
    queue = fill(broker)
    session = direct_clients.session_of(broker)
    consumer = direct_clients.consume(session, prefetch=MANY)
    broker.settle()
    for _ in range(100):
        consumer.take()
    session.close()
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert ready(queue) == IN_ORDER


def mqtt(broker: SimulatedBroker, filter: str, *, qos: int = 1, expiry_s: int = 100) -> tuple[ClassicQueue, MqttClient]:
    """A session with all messages of one queue under way."""
    client = MqttClient(broker, settings=replace(MqttSettings(), in_flight_max=65_535))
    client.connect("a", clean_start=False, session_expiry_interval=expiry_s, receive_maximum=65_535)
    client.subscribe(filter, qos=qos)
    for number in range(MANY):
        core_clients.publish(broker, "amq.topic", b"%d" % number, core_clients.persistent(), "t")
    broker.settle()
    (queue,) = broker.vhost.queues.values()
    assert isinstance(queue, ClassicQueue)
    assert len(client.session.outgoing) == MANY
    return queue, client


def test_mqtt_what_a_group_shares_goes_back(broker: SimulatedBroker) -> None:
    queue, client = mqtt(broker, "$share/g/t")
    client.transport.lose()
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert ready(queue) == IN_ORDER


def test_mqtt_session_that_ends(broker: SimulatedBroker) -> None:
    queue, client = mqtt(broker, "t", expiry_s=0)
    client.transport.lose()
    assert not broker.vhost.queues
    assert most_per_turn(broker, lambda: queue.unacked_count) == SETTLED_PER_SLICE
    assert queue.unacked_count == 0


@pytest.mark.parametrize("slices", range(4))
def test_mqtt_session_that_ends_and_a_crash(disk: SimulatedBroker, slices: int) -> None:
    """What it had in the message log is gone with it, also what there was no time for."""
    _, client = mqtt(disk, "t", qos=2)
    client.transport.lose()
    disk.settle()
    disk.commits_by_itself = False
    again = MqttClient(disk)
    again.transport.receive(client_takes_a_new_session())
    for _ in range(slices):
        disk.broker.end_turn()
    disk.begin_commit()
    disk.finish_commit()
    disk.crash()
    disk.commits_by_itself = True
    disk.settle()
    assert disk.broker.store.statistics()["entries"] == 0
    assert not disk.broker.damage()


def client_takes_a_new_session() -> bytes:
    """CONNECT of client "a" with clean start."""
    return bytes.fromhex("100e00044d5154540502000000") + b"\0\1a"


# A stop, and a crash


def test_a_stop_settles_all_that_was_asked_for(disk: SimulatedBroker) -> None:
    queue, client = consuming(disk)
    client.ack(MANY - 10, multiple=True)
    disk.broker.end_turn()
    assert queue.unacked_count > 10
    finish_chores(disk.broker)
    assert queue.unacked_count == 10
    disk.restart()
    assert ready(disk.queue("q")) == IN_ORDER[-10:]


@pytest.mark.parametrize("turns", range(5))
def test_a_crash_loses_nothing_of_what_returns(disk: SimulatedBroker, turns: int) -> None:
    _, client = consuming(disk)
    client.nack(0, multiple=True)
    for _ in range(turns):
        disk.broker.end_turn()
    disk.begin_commit()
    disk.finish_commit()
    disk.crash()
    assert ready(disk.queue("q")) == IN_ORDER
