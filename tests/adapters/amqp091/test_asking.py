"""What waits behind a question that a queue answers later, and what becomes of it when the channel ends first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.asking import Asking
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import FRAME_BODY, FRAME_HEADER, FRAME_METHOD
from warren.adapters.session.read_gate import ReadGate
from warren.core.errors import PreconditionFailed

CLOSE = (10, 50)
ACK, REJECT, NACK, PUBLISH = ((60, number) for number in (80, 90, 120, 40))


@pytest.fixture
def asking() -> Asking:
    """Channels 1 and 2 wait."""
    made = Asking(ReadGate(SimulatedTransport()))
    made.begin(1)
    made.begin(2)
    return made


WANTED = [
    (FRAME_METHOD, 1, PUBLISH, True),
    (FRAME_METHOD, 1, ACK, False),
    (FRAME_METHOD, 2, REJECT, False),
    (FRAME_METHOD, 2, NACK, False),
    (FRAME_HEADER, 1, ACK, True),
    (FRAME_BODY, 1, ACK, True),
    (FRAME_METHOD, 3, PUBLISH, False),
    (FRAME_METHOD, 0, CLOSE, True),
    (FRAME_METHOD, 0, (10, 60), False),
]


@pytest.mark.parametrize(("kind", "number", "ids", "wanted"), WANTED)
def test_what_must_wait(asking: Asking, kind: int, number: int, ids: tuple[int, int], wanted: bool) -> None:
    """What a body begins with, which may look like an acknowledgement, says nothing."""
    assert asking.wants(kind, number, *ids) == wanted


def test_a_close_waits_for_the_last(asking: Asking) -> None:
    for number, frame in ((1, b"a"), (0, b"close"), (2, b"b"), (1, b"c")):
        asking.add(FRAME_METHOD, number, frame)
    assert asking.end(1) == [(FRAME_METHOD, 1, b"a"), (FRAME_METHOD, 1, b"c")]
    assert asking.active
    assert asking.end(2) == [(FRAME_METHOD, 0, b"close"), (FRAME_METHOD, 2, b"b")]
    assert not asking.active


def test_what_stays_is_that_of_others(asking: Asking) -> None:
    asking.add(FRAME_METHOD, 2, b"b")
    asking.begin(3)
    assert asking.end(3) == []
    asking.end(1)
    asking.add(FRAME_METHOD, 5, b"of a channel that does not wait")
    assert asking.end(2) == [(FRAME_METHOD, 2, b"b")]


def test_nothing_is_left_of_a_connection_that_ends(asking: Asking) -> None:
    asking.add(FRAME_METHOD, 1, b"a")
    asking.clear()
    assert not asking.active
    assert not asking.wants(FRAME_METHOD, 1, *PUBLISH)
    assert asking.end(1) == []


# With a connection


@pytest.fixture
def broker() -> Iterator[SimulatedBroker]:
    with late_queues():
        broker = SimulatedBroker()
        yield broker
        broker.settle()
        broker.check()
        broker.close()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Its channel 1 waits for the queue late."""
    client = broker.connect(channels=2)
    client.declare("fast")
    client.send(1, methods.QueueDeclare(queue="late", arguments={"x-queue-type": "late"}))
    broker.advance(LATE_BY_MS)
    client.expect(methods.QueueDeclareOk)
    return client


def test_a_close_goes_on_when_what_it_waited_for_has_failed(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """What waited on that channel is void."""
    client.send(1, methods.BasicGet(queue="late"))
    client.publish("fast", b"void")
    client.send(0, methods.ConnectionClose(200, "bye", 0, 0))
    assert client.take() == []
    client.connection.channel_failed(client.connection.channels.by_number[1], PreconditionFailed("for a test"))
    assert [method.NAME for method in client.take_methods() if method] == ["channel.close", "connection.close-ok"]
    assert broker.queue("fast").ready_count == 0


def test_a_channel_that_is_opened_again_at_once_knows_nothing_of_it(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.send(1, methods.BasicGet(queue="late"))
    client.publish("fast", b"void")
    client.connection.channel_failed(client.connection.channels.by_number[1], PreconditionFailed("for a test"))
    client.send(1, methods.ChannelCloseOk())
    client.send(1, methods.ChannelOpen())
    client.publish("fast", b"valid")
    client.expect(methods.ChannelOpenOk)
    assert [message.body for message in broker.queue("fast").browse(0, 9)] == [b"valid"]


def test_a_fault_in_going_on_ends_the_connection(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """As one in a method that is answered at once does."""
    late = broker.vhost.queue("late")
    assert isinstance(late, LateQueue)

    def get(answer: Any, **more: object) -> None:
        late._later(lambda: answer("neither a message nor none"))

    late.get = get  # type: ignore[method-assign]
    client.send(1, methods.BasicGet(queue="late"))
    broker.advance(LATE_BY_MS)
    close = client.expect(methods.ConnectionClose, 0)
    assert close.reply_code == 541
