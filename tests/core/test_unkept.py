"""An answer about what is declared is sent when a power failure can't take that away any more, in every protocol."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import ClassVar, cast

import pytest
from wsproto.events import CloseConnection, TextMessage

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from tests.support.simulated_websocket import WebSocketClient, frame
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec.packets import ConnAck, Connect, SubAck, Subscribe, Subscription, UnsubAck
from warren.adapters.mqtt.codec.versions import V5
from warren.core.storage.commit import Commit
from warren.core.storage.definitions.memory import MemoryDefinitionStore
from warren.core.storage.engine import LongFlush


class SyncedDefinitions(MemoryDefinitionStore):
    """Rows in memory that have to be synced like those on disk; syncs are counted."""

    durable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.syncs = 0
        self._is_synced = True

    def commit(self) -> None:
        if self.dirty:
            self._is_synced = False
        super().commit()

    @property
    def unsynced(self) -> bool:
        return not self._is_synced

    def sync(self) -> None:
        self.syncs += 1
        self._is_synced = True


@pytest.fixture
def definitions() -> SyncedDefinitions:
    return SyncedDefinitions()


@pytest.fixture
def broker(definitions: SyncedDefinitions) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker(definitions=definitions)
    broker.settle()
    yield broker
    broker.commits_by_itself = True
    broker.settle()
    broker.check()
    assert not broker.broker.unkept
    broker.close()


def waiting(broker: SimulatedBroker, channels: int = 1) -> SimulatedClient:
    """A connected client of a broker whose commits wait from now on."""
    client = broker.connect(channels)
    broker.settle()
    broker.commits_by_itself = False
    return client


def commit(broker: SimulatedBroker) -> None:
    broker.settle()
    broker.begin_commit()
    broker.finish_commit()
    broker.settle()


DURABLE = [
    (methods.QueueDeclare(queue="new", durable=True), methods.QueueDeclareOk),
    (methods.ExchangeDeclare(exchange="new", type="topic", durable=True), methods.ExchangeDeclareOk),
    (methods.QueueBind(queue="q", exchange="x", routing_key="new"), methods.QueueBindOk),
    (methods.QueueUnbind(queue="q", exchange="x", routing_key="old"), methods.QueueUnbindOk),
    (methods.ExchangeBind(destination="x", source="amq.topic", routing_key="new"), methods.ExchangeBindOk),
    (methods.ExchangeUnbind(destination="x", source="amq.topic", routing_key="old"), methods.ExchangeUnbindOk),
    (methods.QueueDelete(queue="q"), methods.QueueDeleteOk),
    (methods.ExchangeDelete(exchange="x"), methods.ExchangeDeleteOk),
]


@pytest.mark.parametrize(("method", "answer"), DURABLE, ids=lambda each: getattr(each, "NAME", ""))
def test_the_answer_comes_after_the_sync(
    broker: SimulatedBroker, method: methods.Method, answer: type[methods.Method]
) -> None:
    before = broker.connect()
    before.declare("q", durable=True)
    before.send(1, methods.ExchangeDeclare(exchange="x", type="topic", durable=True))
    before.send(1, methods.QueueBind(queue="q", exchange="x", routing_key="old"))
    before.send(1, methods.ExchangeBind(destination="x", source="amq.topic", routing_key="old"))
    broker.settle()
    client = waiting(broker)
    client.send(1, method)
    assert client.take() == []
    broker.begin_commit()
    assert client.take() == []
    broker.finish_commit()
    (event,) = client.take()
    assert isinstance(event.method, answer)


def test_what_is_not_kept_is_answered_at_once(broker: SimulatedBroker) -> None:
    client = waiting(broker)
    client.send(1, methods.QueueDeclare(queue="transient"))
    client.send(1, methods.ExchangeDeclare(exchange="transient", type="fanout"))
    client.send(1, methods.QueueBind(queue="transient", exchange="transient"))
    assert len(client.take()) == 3


def test_many_declares_share_a_sync(broker: SimulatedBroker, definitions: SyncedDefinitions) -> None:
    clients = [broker.connect() for _ in range(10)]
    broker.settle()
    broker.commits_by_itself = False
    before = definitions.syncs
    for number, client in enumerate(clients):
        for each in range(50):
            client.send(1, methods.QueueDeclare(queue=f"{number}.{each}", durable=True))
    commit(broker)
    assert definitions.syncs == before + 1
    for number, client in enumerate(clients):
        assert [event.method for event in client.take()] == [
            methods.QueueDeclareOk(f"{number}.{each}", 0, 0) for each in range(50)
        ]


def test_what_comes_behind_a_held_answer_keeps_its_order(broker: SimulatedBroker) -> None:
    client = waiting(broker, channels=2)
    client.send(1, methods.QueueDeclare(queue="q", durable=True))
    client.send(1, methods.BasicConsume(queue="q", consumer_tag="c"))
    client.publish("q", b"body", channel=2)
    client.settle()
    assert client.take() == []
    commit(broker)
    events = client.take()
    assert [type(event.method) for event in events] == [
        methods.QueueDeclareOk,
        methods.BasicConsumeOk,
        methods.BasicDeliver,
    ]


def test_others_are_not_held_up(broker: SimulatedBroker) -> None:
    consumer = broker.connect()
    consumer.declare("other")
    consumer.consume("other")
    client = waiting(broker)
    client.send(1, methods.QueueDeclare(queue="q", durable=True))
    publisher = broker.connect()
    publisher.publish("other", b"body")
    assert consumer.take_bodies() == [b"body"]
    assert client.take() == []


def test_who_asks_for_what_is_not_synced_yet_waits_too(broker: SimulatedBroker) -> None:
    client, other = broker.connect(), waiting(broker)
    client.send(1, methods.QueueDeclare(queue="q", durable=True))
    client.settle()
    other.send(1, methods.QueueDeclare(queue="q", passive=True))
    other.settle()
    assert other.take() == []
    commit(broker)
    assert [type(event.method) for event in other.take()] == [methods.QueueDeclareOk]


def test_a_declare_during_a_commit_waits_for_the_next(broker: SimulatedBroker, definitions: SyncedDefinitions) -> None:
    client = waiting(broker)
    client.send(1, methods.QueueDeclare(queue="a", durable=True))
    client.settle()
    broker.begin_commit()
    client.send(1, methods.QueueDeclare(queue="b", durable=True))
    client.settle()
    broker.finish_commit()
    client.settle()
    assert client.take() == []
    commit(broker)
    assert len(client.take()) == 2


def test_without_an_answer_the_next_one_waits(broker: SimulatedBroker) -> None:
    """Who goes on after a no-wait declaration and is answered then may rely on it."""
    client = waiting(broker)
    client.send(1, methods.QueueDeclare(queue="q", durable=True, nowait=True))
    client.send(1, methods.ConfirmSelect())
    assert client.take() == []
    commit(broker)
    assert [event.method for event in client.take()] == [methods.ConfirmSelectOk()]


def test_a_client_that_closes_gets_all_its_answers_first(broker: SimulatedBroker) -> None:
    client = waiting(broker)
    client.send(1, methods.QueueDeclare(queue="q", durable=True))
    client.send(0, methods.ConnectionClose(reply_code=200))
    client.settle()
    assert client.take() == []
    assert not client.transport.closed
    commit(broker)
    assert [type(event.method) for event in client.take()] == [methods.QueueDeclareOk, methods.ConnectionCloseOk]


@pytest.mark.parametrize("protocol", ["amqp", "stomp"])
def test_a_silent_client_that_is_reset_is_not_told_what_is_not_kept(broker: SimulatedBroker, protocol: str) -> None:
    """It may be there after all, and rely on it."""
    client: SimulatedClient | StompClient
    if protocol == "amqp":
        client = broker.accept()
        client.handshake(heartbeat=10)
        client.open(1)
    else:
        client = StompClient(broker).connect(heart_beat="10000,0")
    broker.settle()
    broker.commits_by_itself = False
    if isinstance(client, SimulatedClient):
        client.send(1, methods.QueueDeclare(queue="q", durable=True))
    else:
        client.send("SUBSCRIBE", destination="/queue/q", id="1", receipt="r")
    client.transport.take()
    for _ in range(20):
        broker.advance(10_000)
    assert client.transport.aborted
    assert client.transport.take() == b""
    commit(broker)
    assert client.transport.take() == b""


def test_a_websocket_that_closes_gets_its_answers_first(broker: SimulatedBroker) -> None:
    """Who has said Close may still read; who is silent is reset, and not told."""
    for code in (1000, None):
        client = WebSocketClient(broker).stomp()
        broker.settle()
        broker.commits_by_itself = False
        client.send(frame(0x81, b"SUBSCRIBE\nid:1\ndestination:/queue/%a\nreceipt:r\n\n\0" % code))
        if code is not None:
            client.send(frame(0x88, code.to_bytes(2, "big")))
            assert client.events() == []
            assert not client.closed
            commit(broker)
            receipt, close = client.events()
            assert isinstance(receipt, TextMessage)
            assert isinstance(close, CloseConnection)
        else:
            broker.advance(59_999)
            broker.advance(1)
            assert client.closed
            assert not any(isinstance(event, TextMessage) for event in client.events())
        broker.commits_by_itself = True
        broker.settle()


def test_a_client_that_is_lost_leaves_nothing_behind(broker: SimulatedBroker) -> None:
    client = waiting(broker)
    client.send(1, methods.QueueDeclare(queue="q", durable=True))
    client.lose()
    broker.settle()
    commit(broker)
    assert not broker.broker.unkept


def test_a_receipt_of_subscribe_waits(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    broker.settle()
    broker.commits_by_itself = False
    assert client.send("SUBSCRIBE", destination="/queue/q", id="1", receipt="r") == []
    commit(broker)
    assert [answer.command for answer in client.answers()] == ["RECEIPT"]
    client.transport.lose()


def test_suback_unsuback_and_connack_of_a_session_that_is_kept_wait(broker: SimulatedBroker) -> None:
    broker.commits_by_itself = False
    client = MqttClient(broker)
    client.send(Connect("c", V5, False, 0, None, None, None, properties={"session_expiry_interval": 100}))
    assert client.packets() == []
    commit(broker)
    assert [type(packet) for packet in client.packets()] == [ConnAck]
    assert client.send(Subscribe(1, (Subscription("a/#", 1),))) == []
    commit(broker)
    assert [type(packet) for packet in client.packets()] == [SubAck]
    client.unsubscribe_unread("a/#")
    assert client.packets() == []
    commit(broker)
    assert [type(packet) for packet in client.packets()] == [UnsubAck]
    client.lose()


def test_a_client_of_a_program_waits(broker: SimulatedBroker) -> None:
    """What gateway.client asks before it goes on."""
    assert not broker.broker.unkept.is_anything
    client = waiting(broker)
    client.send(1, methods.QueueDeclare(queue="q", durable=True))
    client.settle()
    assert broker.broker.unkept.is_anything
    commit(broker)
    assert not broker.broker.unkept.is_anything


# A disk that has no room for messages


class FullFlush:
    """Messages that the disk has no room for."""

    def write(self) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")


def begin_on_full_disk(broker: SimulatedBroker) -> Commit:
    """A commit with messages, tried once."""
    commit = broker.broker.begin_commit()
    commit.flush = cast("LongFlush", FullFlush())
    try_again(broker, commit)
    return commit


def try_again(broker: SimulatedBroker, commit: Commit) -> None:
    """As the commit loop does it."""
    with pytest.raises(OSError, match="no space"):
        commit.write()
    broker.broker.keep_definitions(commit)
    broker.settle()


def test_on_a_full_disk_definitions_are_synced_and_answered(
    broker: SimulatedBroker, definitions: SyncedDefinitions
) -> None:
    client = waiting(broker)
    before = definitions.syncs
    client.send(1, methods.QueueDeclare(queue="a", durable=True))
    client.settle()
    commit = begin_on_full_disk(broker)
    assert [type(event.method) for event in client.take()] == [methods.QueueDeclareOk]
    assert definitions.syncs == before + 1
    client.send(1, methods.QueueDelete(queue="a"))
    assert client.take() == []
    called = []
    broker.broker.unkept.when_kept(lambda: called.append(True))
    broker.broker.extend_commit(commit)
    assert (client.take(), called) == ([], [])
    try_again(broker, commit)
    assert [type(event.method) for event in client.take()] == [methods.QueueDeleteOk]
    assert called == [True]
    broker.broker.extend_commit(commit)
    try_again(broker, commit)
    assert definitions.syncs == before + 2, "nothing is synced that is so already"
    commit.flush = None
    commit.write()
    broker.broker.finish_commit(commit)


def test_on_a_full_disk_what_is_declared_during_a_try_waits_for_the_next(broker: SimulatedBroker) -> None:
    client = waiting(broker)
    commit = broker.broker.begin_commit()
    commit.flush = cast("LongFlush", FullFlush())
    client.send(1, methods.QueueDeclare(queue="a", durable=True))
    client.settle()
    try_again(broker, commit)
    assert client.take() == []
    broker.broker.extend_commit(commit)
    try_again(broker, commit)
    assert [type(event.method) for event in client.take()] == [methods.QueueDeclareOk]
    commit.flush = None
    broker.broker.finish_commit(commit)
