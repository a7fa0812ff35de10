"""Publishes held back under an alarm: who is told, what goes on, what order comes out, what is bounded (spec A.3)."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME
from warren.adapters.session.held import HELD_BYTES_MAX
from warren.adapters.session.read_gate import HELD_BACK, UNREAD_REPLIES


@pytest.fixture
def broker() -> SimulatedBroker:
    broker = SimulatedBroker()
    client = broker.connect()
    client.declare("q")
    client.close()
    return broker


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    return broker.connect(channels=3)


def block(broker: SimulatedBroker, resource: str = "memory", *, raised: bool = True) -> None:
    broker.broker.alarms.set(resource, raised)
    broker.settle()


def bodies(broker: SimulatedBroker) -> list[bytes]:
    queue = broker.queue("q")
    found = []
    while (taken := queue.poll(no_ack=True)) is not None:
        found.append(taken[0].body)
    return found


def test_only_a_publisher_hears_of_an_alarm(broker: SimulatedBroker, client: SimulatedClient) -> None:
    quiet = broker.connect()
    block(broker)
    assert client.take() == quiet.take() == []
    client.publish("q", b"1")
    assert client.take_methods() == [methods.ConnectionBlocked("low on memory")]
    client.publish("q", b"2")
    block(broker, "disk")
    client.publish("q", b"3")
    assert client.take() == [], "told once"
    assert broker.queue("q").ready_count == 0
    assert client.connection.connection_row().state == "blocked"
    block(broker, raised=False)
    assert client.take() == [], "the disk is still low"
    block(broker, "disk", raised=False)
    assert client.take_methods() == [methods.ConnectionUnblocked()]
    assert quiet.take() == []
    assert bodies(broker) == [b"1", b"2", b"3"]
    assert client.connection.connection_row().state == "running"


def test_a_client_that_cannot_hear_it_is_not_told(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.handshake(capabilities={})
    client.open()
    block(broker)
    client.publish("q", b"1")
    assert client.take() == []
    block(broker, raised=False)
    assert client.take() == []
    assert bodies(broker) == [b"1"]


def test_the_second_alarm_is_told_anew(broker: SimulatedBroker, client: SimulatedClient) -> None:
    for resource, reason in [("memory", "low on memory"), ("disk", "low on disk")]:
        block(broker, resource)
        client.publish("q", b"1")
        assert client.take_methods() == [methods.ConnectionBlocked(reason)]
        block(broker, resource, raised=False)
        assert client.take_methods() == [methods.ConnectionUnblocked()]


@pytest.mark.parametrize("remembered", [False, True])
def test_a_publish_that_the_connection_knows_by_heart_is_held_too(
    broker: SimulatedBroker, client: SimulatedClient, remembered: bool
) -> None:
    if remembered:
        client.publish("q", b"0")
        client.publish("q", b"0")
        assert bodies(broker) == [b"0", b"0"]
    block(broker)
    client.publish("q", b"1")
    client.publish("q", b"22222222222222222222222222")
    broker.settle()
    assert broker.queue("q").ready_count == 0
    block(broker, raised=False)
    client.publish("q", b"3")
    assert bodies(broker) == [b"1", b"22222222222222222222222222", b"3"]


def test_acknowledgements_heartbeats_and_other_channels_go_on(broker: SimulatedBroker, client: SimulatedClient) -> None:
    for number in range(6):
        client.publish("q", b"%d" % number)
    client.consume("q", "c")
    client.take()
    block(broker)
    client.publish("q", b"held")
    client.expect(methods.ConnectionBlocked, 0)
    client.ack(1)
    client.ack(3, multiple=True)
    client.nack(4)
    client.send(1, methods.BasicReject(5, requeue=False))
    client.send_bytes(HEARTBEAT_FRAME)
    client.send(1, methods.QueueDeclare(queue="behind"))
    client.send(2, methods.QueueDeclare(queue="beside"))
    names = [method.NAME for method in client.take_methods() if method is not None]
    assert names == ["queue.declare-ok", "basic.deliver"]
    assert "behind" not in broker.vhost.queues
    broker.check()
    block(broker, raised=False)
    assert "behind" in broker.vhost.queues
    names = [method.NAME for method in client.take_methods() if method is not None]
    assert names == ["connection.unblocked", "queue.declare-ok", "basic.deliver"]


def test_a_publish_under_way_when_the_alarm_comes_is_finished(broker: SimulatedBroker, client: SimulatedClient) -> None:
    frames = publish_frames("q", b"x" * 6000)
    client.send_bytes(frames[:5000])
    block(broker)
    client.send_bytes(frames[5000:])
    assert client.take() == []
    assert bodies(broker) == [b"x" * 6000]


def test_order_is_kept_among_everything_that_is_held(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.confirm_select()
    block(broker)
    expected = []
    for number in range(20):
        body = b"%d" % number * [1, 50, 5000][number % 3]
        expected.append(body)
        client.publish("q", body, properties=PERSISTENT if number % 2 else b"\0\0")
    client.send(1, methods.QueueDeclare(queue="q", passive=True))
    client.take()
    block(broker, raised=False)
    events = client.take()
    [declared] = [event.method for event in events if isinstance(event.method, methods.QueueDeclareOk)]
    assert declared.message_count == 20
    assert [event.method for event in events if isinstance(event.method, methods.BasicAck)] == [
        methods.BasicAck(20, multiple=True)
    ]
    assert bodies(broker) == expected


def test_what_is_held_is_bounded(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    count = 0
    while not client.transport.paused:
        client.publish("q", b"x" * 4000)
        count += 1
        assert count < 1000
    assert count * 4000 <= HELD_BYTES_MAX + 5000
    block(broker, raised=False)
    assert not client.transport.paused
    assert broker.queue("q").ready_count == count


def test_reading_stays_paused_when_the_peer_catches_up_under_an_alarm(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    """Unread replies and held frames pause reading independently of each other."""
    client.declare("other")
    client.publish("other", b"y" * 4_000_000)
    client.take()
    block(broker)
    client.transport.socket_room = 0
    for _ in range(3):
        client.send(2, methods.BasicGet(queue="other"))
        broker.settle()
        queue = broker.queue("other")
        queue.requeue(
            [message for _, message, _ in client.connection.channels.by_number[2].deliveries.unacked.values()]
        )
        client.connection.channels.by_number[2].deliveries.unacked.clear()
    assert client.connection.read_gate.is_closed_for(UNREAD_REPLIES)
    assert client.transport.paused
    client.transport.read_by_peer(None)
    broker.settle()
    assert not client.transport.paused
    for _ in range(HELD_BYTES_MAX // 4000 + 2):
        if not client.transport.paused:
            client.publish("q", b"x" * 4000)
            broker.settle()
    client.transport.session.drained()
    assert client.transport.paused
    assert client.connection.read_gate.is_closed_for(HELD_BACK)
    assert not client.connection.read_gate.is_closed_for(UNREAD_REPLIES)
    client.connection._unread._suspend()
    client.transport.session.drained()
    assert not client.connection.read_gate.is_closed_for(UNREAD_REPLIES)
    assert client.transport.paused, "the peer has read everything, but too much is held"
    block(broker, raised=False)
    assert not client.transport.paused


def test_held_commands_wait_for_a_peer_that_does_not_read(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """A pile of held basic.get must not be answered into an outbox without end."""
    client.publish("q", b"z" * 4_000_000)
    block(broker)
    client.publish("nowhere", b"held")
    for _ in range(15):
        client.send(1, methods.BasicGet(queue="q"))
        client.send(1, methods.BasicRecover(requeue=True))
    client.take()
    client.transport.socket_room = 0
    block(broker, raised=False)
    assert client.connection.read_gate.is_closed_for(UNREAD_REPLIES)
    assert client.transport.unsent_bytes < 20_000_000
    client.publish("q", b"later")
    client.transport.read_by_peer(None)
    names = [method.NAME for method in client.take_methods() if method is not None]
    assert names.count("basic.get-ok") == names.count("basic.recover-ok") == 15
    assert not client.connection.read_gate.is_closed_for(UNREAD_REPLIES)
    assert not client.transport.paused
    assert bodies(broker)[-1] == b"later"


def test_closing_a_channel_waits_its_turn(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    client.publish("q", b"1")
    client.send(1, methods.ChannelClose(200))
    client.expect(methods.ConnectionBlocked, 0)
    assert client.take() == []
    block(broker, raised=False)
    client.expect(methods.ChannelCloseOk)
    assert bodies(broker) == [b"1"]


def test_closing_the_connection_waits_for_what_was_published_before(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    block(broker)
    client.publish("q", b"1")
    client.send(0, methods.ConnectionClose(200))
    client.expect(methods.ConnectionBlocked, 0)
    assert client.take() == []
    block(broker, raised=False)
    names = [method.NAME for method in client.take_methods() if method is not None]
    assert names == ["connection.unblocked", "connection.close-ok"]
    assert client.transport.closed
    assert bodies(broker) == [b"1"]
    broker.check()


def test_closing_the_connection_is_immediate_when_nothing_is_held(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    block(broker)
    client.close()


def test_a_lost_connection_takes_what_is_held_with_it(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    client.publish("q", b"1")
    client.lose()
    block(broker, raised=False)
    assert bodies(broker) == []
    broker.check()


def test_an_error_voids_what_the_channel_has_held(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    client.publish("q", b"void")
    client.publish("q", b"kept", channel=2)
    client.ack(99)
    close = client.expect(methods.ChannelClose)
    assert close.reply_code == 406
    client.send(1, methods.ChannelCloseOk())
    client.open(1)
    block(broker, raised=False)
    assert bodies(broker) == [b"kept"]
    broker.check()


def test_an_error_among_what_was_held_closes_as_ever(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    client.publish("q", b"1")
    client.publish("q", b"2", exchange="missing")
    client.publish("q", b"3")
    client.publish("q", b"other", channel=2)
    block(broker, raised=False)
    assert client.expect(methods.ChannelClose).reply_code == 404
    assert bodies(broker) == [b"1", b"other"]
    block(broker)
    client.publish("q", b"4", channel=2)
    client.send(2, methods.BasicQos(1, 0, False))
    block(broker, raised=False)
    assert client.expect(methods.ConnectionClose, 0).reply_code == 540
    broker.check()


def test_the_broker_may_close_a_blocked_connection(broker: SimulatedBroker, client: SimulatedClient) -> None:
    block(broker)
    client.publish("q", b"1")
    client.connection.force_close("maintenance")
    close = client.expect(methods.ConnectionClose, 0)
    assert (close.reply_code, close.reply_text) == (320, "CONNECTION_FORCED - maintenance")
    client.send(0, methods.ConnectionCloseOk())
    broker.settle()
    assert client.transport.closed
    block(broker, raised=False)
    assert bodies(broker) == []
