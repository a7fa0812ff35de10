"""The broker as a whole: batches, commits, virtual hosts, what is let go of when it ends."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.core_broker import core_broker
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, Event, handshake_bytes
from tests.support.simulated_consumer import SimulatedConsumer
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.codec import methods
from warren.core.broker import DEADLINES_PER_TURN, ROUNDS_MAX, Broker
from warren.core.clients.outbox import Outbox
from warren.core.errors import NotAllowed, PreconditionFailed
from warren.core.messages.message import Message


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(tmp_path)
    yield broker
    broker.close()


def test_at_rest_no_commit_is_wanted(disk: SimulatedBroker) -> None:
    disk.settle()
    client = disk.connect()
    client.declare("q", durable=True)
    client.confirm_select()
    client.publish("q", b"1", properties=PERSISTENT)
    disk.settle()
    assert not disk.broker.commit_wanted
    client.consume("q", "a")
    client.ack(1)
    disk.settle()
    assert not disk.broker.commit_wanted
    assert disk.broker.store.statistics()["entries"] == 0


def test_an_ack_wants_a_commit(disk: SimulatedBroker) -> None:
    client = disk.connect()
    client.declare("q", durable=True)
    client.publish("q", b"1", properties=PERSISTENT)
    assert client.get("q") is not None
    disk.commits_by_itself = False
    client.ack(1)
    assert disk.broker.commit_wanted


def test_what_is_put_off_to_the_end_of_the_batch_runs_once() -> None:
    simulated = SimulatedBroker()
    broker = simulated.broker
    ran: list[str] = []

    def first() -> None:
        ran.append("first")
        broker.at_end_of_batch(lambda: ran.append("second"))

    broker.at_end_of_batch(first)
    broker.dispatch()
    broker.dispatch()
    assert ran == ["first", "second"]


class Restless(SimulatedTransport):
    """Has more to do after every send; `times` of them."""

    def __init__(self, broker: Broker, times: int, *, puts_off: bool) -> None:
        super().__init__()
        self.outbox = Outbox(broker.touched, self)
        self.sends = 0
        self._broker = broker
        self._times = times
        self._puts_off = puts_off

    def send(self) -> None:
        self.outbox.take()
        self.sends += 1
        if self.sends >= self._times:
            return
        if self._puts_off:
            self._broker.at_end_of_batch(self.outbox.touch)
        else:
            self.outbox.touch()


@pytest.mark.parametrize("puts_off", [False, True])
def test_a_turn_is_bounded_and_says_that_there_is_more(puts_off: bool) -> None:
    broker = SimulatedBroker().broker
    restless = Restless(broker, ROUNDS_MAX + 2, puts_off=puts_off)
    restless.outbox.touch()
    assert broker.end_turn()
    assert restless.sends == ROUNDS_MAX
    assert not broker.end_turn()
    assert restless.sends == ROUNDS_MAX + 2
    assert not broker.end_turn()
    assert restless.sends == ROUNDS_MAX + 2


def test_time_never_runs_backwards() -> None:
    broker = SimulatedBroker().broker
    now_ms = broker.now_ms
    broker.advance(now_ms - 5)
    assert broker.now_ms == now_ms


def test_virtual_hosts_come_and_go() -> None:
    simulated = SimulatedBroker()
    broker = simulated.broker
    vhost = broker.add_vhost("other", {"description": "for a test"})
    broker.users.set_permissions("guest", "other", ".*", ".*", ".*")
    with pytest.raises(PreconditionFailed, match="exists already"):
        broker.add_vhost("other", {})
    client = simulated.accept()
    client.send_bytes(handshake_bytes(vhost="other"))
    client.open()
    client.declare("q", durable=True)
    stays = simulated.connect()
    broker.delete_vhost("other")
    close = client.expect(methods.ConnectionClose, 0)
    assert (close.reply_code, close.reply_text) == (320, "CONNECTION_FORCED - vhost 'other' is deleted")
    assert vhost.queues == {}
    assert stays.take() == []
    with pytest.raises(NotAllowed, match="vhost other not found"):
        broker.vhost("other")
    client.lose()
    simulated.restart()
    assert list(simulated.broker.vhosts) == ["/"]


@pytest.mark.interpreted("refers weakly to what has no such references in the compiled form")
def test_nothing_is_kept_of_connections_queues_and_messages_that_ended(disk: SimulatedBroker) -> None:
    client = disk.connect(channels=3)
    client.declare("q", durable=True)
    client.declare("mine", exclusive=True)
    client.confirm_select()
    client.send(3, methods.TxSelect())
    client.expect(methods.TxSelectOk, 3)
    client.qos(2, global_=True, channel=2)
    client.consume("q", "a", channel=2)
    client.consume("mine", "b", channel=2)
    client.consume("amq.rabbitmq.reply-to", "c", no_ack=True)
    for _ in range(5):
        client.publish("q", b"123456789012345678901234567890", properties=PERSISTENT)
        client.publish("mine", b"1")
        client.publish("q", b"1", channel=3)
    client.take()
    channel = client.connection.channels.by_number[2]
    message = next(iter(channel.deliveries.unacked.values()))[1]
    assert message.body
    watched = weakref.WeakSet[object]([client.connection, client.transport])
    client.send(2, methods.QueueDelete(queue="q"))
    client.expect(methods.QueueDeleteOk, 2)
    client.close()
    disk.settle()
    disk.check()
    disk.clients.clear()
    del client, channel, message
    gc.collect()
    assert list(watched) == []
    broker = disk.broker
    for left in (broker.sessions, broker.awaiting_flush, broker.touched, broker.dirty_queues, broker.crowded_queues):
        assert not left
    assert disk.vhost.reply_queues == {}
    assert broker.store.statistics()["entries"] == 0
    assert disk.timers == 0
    assert (broker.client_count, broker.channel_count) == (0, 0)


@pytest.mark.parametrize("end", ["close", "lose", "force"])
def test_counts_of_connections_and_channels_return_to_zero(end: str) -> None:
    simulated = SimulatedBroker()
    client = simulated.connect(channels=3)
    client.send(2, methods.BasicGet(queue="missing"))
    client.expect(methods.ChannelClose, 2)
    assert simulated.broker.channel_count == 3
    client.close_channel(3)
    assert simulated.broker.channel_count == 2
    if end == "close":
        client.close()
    elif end == "lose":
        client.lose()
    else:
        client.connection.force_close("maintenance")
    assert (simulated.broker.client_count, simulated.broker.channel_count) == (0, 0)


def test_a_bug_in_one_delivery_leaves_the_other_queues_served(caplog: pytest.LogCaptureFixture) -> None:
    simulated = SimulatedBroker()
    client = simulated.connect()
    for name in ("a", "b", "c"):
        client.declare(name)
        if name != "b":
            client.consume(name, name, no_ack=True)

    class Broken(SimulatedConsumer):
        """Can't take what it asks for."""

        def deliver(self, message: Message, redelivered: bool) -> bool:
            raise RuntimeError("a bug")

    broken = Broken(simulated.queue("b"), no_ack=True)
    simulated.queue("b").add_consumer(broken)
    for name in ("a", "b", "c"):
        client.publish(name, name.encode())
    assert client.take_bodies() == [b"a", b"c"]
    assert "queue 'b' in vhost '/': internal error while delivering" in caplog.text
    assert "a bug" in caplog.text
    simulated.queue("b").remove_consumer(broken)
    client.consume("b", "b", no_ack=True)
    client.publish("b", b"later")
    assert client.take_bodies() == [b"later"]


def test_a_bug_in_one_confirm_leaves_the_others_told(disk: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        """Waits for the disk, too."""

        def mark(self) -> int:
            return 0

        def flushed(self, mark: int) -> None:
            raise RuntimeError("a bug")

    client = disk.connect()
    client.declare("q", durable=True)
    client.confirm_select()
    disk.broker.awaiting_flush[Broken()] = None
    client.publish("q", b"x", properties=PERSISTENT)
    assert client.take() == [Event(1, methods.BasicAck(1, False))]
    assert "a bug" in caplog.text


def _note(seen: list[int], what: int, now_ms: int) -> None:
    seen.append(what)


def test_what_is_due_at_one_moment_is_done_in_turns() -> None:
    broker = core_broker()
    seen: list[int] = []
    for number in range(3 * DEADLINES_PER_TURN + 1):
        broker.deadlines.schedule(10, partial(_note, seen, number))
    broker.advance(10)
    assert len(seen) == DEADLINES_PER_TURN
    per_turn: list[int] = []
    more = True
    while more:
        before = len(seen)
        more = broker.end_turn()
        per_turn.append(len(seen) - before)
    assert per_turn == [DEADLINES_PER_TURN, DEADLINES_PER_TURN, 1]
    assert seen == list(range(3 * DEADLINES_PER_TURN + 1))
    assert not broker.chores


def test_time_goes_on_while_much_is_due() -> None:
    broker = core_broker()
    seen: list[int] = []
    for at_ms in (10, 20):
        for _ in range(2 * DEADLINES_PER_TURN):
            broker.deadlines.schedule(at_ms, partial(_note, seen, at_ms))
    broker.advance(10)
    broker.advance(20)
    while broker.end_turn():
        pass
    assert seen == [10] * 2 * DEADLINES_PER_TURN + [20] * 2 * DEADLINES_PER_TURN
