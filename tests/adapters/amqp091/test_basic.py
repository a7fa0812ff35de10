"""What basic.consume looks at first, who a basic.get was, and what becomes of its answer when nobody is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.tracebacks import tracebacks
from warren.adapters.amqp091.codec import methods
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties
from warren.core.queues.ack_timeout import INTERVAL_MAX_MS

TRACE = "amq.rabbitmq.trace"
REPLY_TO = "amq.rabbitmq.reply-to"


@pytest.fixture
def broker(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    with late_queues():
        broker = SimulatedBroker()
        yield broker
        broker.settle()
        broker.check()
        broker.close()
    assert tracebacks(caplog) == []


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect(channels=3)
    client.declare("q")
    client.declare("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    return client


def consume(queue: str, tag: str = "", **more: bool) -> methods.BasicConsume:
    return methods.BasicConsume(queue=queue, consumer_tag=tag, **more)  # type: ignore[arg-type]


# basic.consume


def test_so_many_consumers_and_no_more(broker: SimulatedBroker, client: SimulatedClient) -> None:
    broker.broker.limits = replace(broker.broker.limits, consumers_per_channel=2)
    client.consume("q")
    client.consume(REPLY_TO, no_ack=True)
    client.consume("q", channel=2)
    client.send(1, consume("q"))
    close = client.expect(methods.ConnectionClose, 0)
    assert close.reply_code == 530
    assert close.reply_text.startswith("NOT_ALLOWED - reached maximum (2) of consumers per channel")


def test_quorum_queues_know_no_shared_prefetch(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.consume("quorum", channel=2)
    client.qos(7, global_=True)
    client.consume("q")
    client.send(1, consume("quorum"))
    close = client.expect(methods.ConnectionClose, 0)
    assert close.reply_code == 540
    assert "queue 'quorum' in vhost '/' does not support global qos; its type is quorum" in close.reply_text


@pytest.mark.parametrize("no_ack", [False, True])
def test_a_consumer_s_own_patience_counts(broker: SimulatedBroker, client: SimulatedClient, *, no_ack: bool) -> None:
    """A timeout far below the interval of who asks for nothing."""
    timeout_ms = 1000
    assert timeout_ms < INTERVAL_MAX_MS
    asked = methods.BasicConsume(
        queue="q", consumer_tag="a", no_ack=no_ack, arguments={"x-consumer-timeout": timeout_ms}
    )
    before = broker.timers
    client.send(1, asked)
    client.expect(methods.BasicConsumeOk)
    client.publish("q", b"1")
    assert client.take_bodies() == [b"1"]
    for _ in range(20):
        broker.advance(timeout_ms // 10)
    said = [method.NAME for method in client.take_methods() if method is not None]
    assert said == ([] if no_ack else ["basic.cancel"])
    assert broker.timers == before


def test_what_a_reply_consumer_is(broker: SimulatedBroker, client: SimulatedClient) -> None:
    """Alone with its queue, without acknowledgements, and no prefetch of its channel holds it up."""
    client.qos(1)
    client.consume(REPLY_TO, "replies", no_ack=True)
    ((address, queue),) = broker.vhost.reply_queues.items()
    ((consumer,),) = (queue.consumers,)
    assert (consumer.no_ack, consumer.exclusive) == (True, True)
    for body in (b"1", b"2", b"3"):
        client.publish(address, body, channel=2)
    assert client.take_bodies() == [b"1", b"2", b"3"]
    assert queue.unacked_count == 0


# basic.get


def test_the_firehose_shows_who_polled(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.declare("traces")
    client.send(1, methods.QueueBind(queue="traces", exchange=TRACE, routing_key="deliver.q"))
    client.expect(methods.QueueBindOk)
    broker.broker.set_tracing("/", True)
    client.publish("q", b"x")
    assert client.get("q", channel=3)
    broker.broker.set_tracing("/", False)
    copy = client.get("traces", no_ack=True)
    assert copy is not None
    said = Properties.parse(copy.properties).headers
    assert said is not None
    assert (said["user"], said["channel"]) == ("guest", 3)
    client.ack(1, channel=3)


@pytest.mark.parametrize("no_ack", [False, True])
@pytest.mark.parametrize("bodies", [[], [b"1"]], ids=["empty", "a message"])
def test_an_answer_for_a_channel_that_is_gone(
    broker: SimulatedBroker, client: SimulatedClient, bodies: list[bytes], *, no_ack: bool
) -> None:
    """A message returns, and nobody has failed to process it; with no_ack it is gone, as it was delivered."""
    client.send(1, methods.QueueDeclare(queue="late", arguments={"x-queue-type": "late"}))
    broker.advance(LATE_BY_MS)
    client.expect(methods.QueueDeclareOk)
    late = broker.vhost.queue("late")
    assert isinstance(late, LateQueue)
    returned: list[tuple[list[bytes], bool]] = []
    requeue = late.requeue

    def noted(messages: Iterable[Message], *, failed: bool = True) -> None:
        given = list(messages)
        returned.append(([message.body for message in given], failed))
        requeue(given, failed=failed)

    late.requeue = noted  # type: ignore[method-assign]
    for body in bodies:
        client.publish("late", body, channel=2)
    broker.advance(LATE_BY_MS)
    client.send(1, methods.BasicGet(queue="late", no_ack=no_ack))
    client.lose()
    broker.advance(LATE_BY_MS)
    back = [] if no_ack else bodies
    assert returned == [(back, False)] * len(back)
    assert [message.body for message in late.browse(0, 9)] == back
