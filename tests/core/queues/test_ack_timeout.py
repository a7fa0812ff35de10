"""The acknowledgement timeout in virtual time, through AMQP connections (spec A.5, A.7)."""

from __future__ import annotations

import logging

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import CAPABILITIES, SimulatedClient
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import FieldTable
from warren.core.policies.policy import make_policy
from warren.core.queues.ack_timeout import INTERVAL_MAX_MS, INTERVAL_MIN_MS
from warren.core.settings import TIMEOUT_DEFAULT_MS

MINUTE_MS = 60_000


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def consuming(
    broker: SimulatedBroker, *, arguments: FieldTable | None = None, queue_arguments: FieldTable | None = None
) -> SimulatedClient:
    """A client whose consumer "t" holds one message of "q"."""
    client = broker.connect()
    client.declare("q", arguments=queue_arguments)
    client.send(1, methods.BasicConsume(queue="q", consumer_tag="t", arguments=arguments or {}))
    client.expect(methods.BasicConsumeOk)
    client.publish("q", b"held")
    assert client.take_bodies() == [b"held"]
    return client


def wait(broker: SimulatedBroker, milliseconds: int) -> None:
    """Let time pass in steps as a gateway does: whenever something is due."""
    end_ms = broker.broker.now_ms + milliseconds
    while (at_ms := broker.broker.deadlines.next_at_ms) is not None and at_ms <= end_ms:
        broker.advance(at_ms - broker.broker.now_ms)
    broker.advance(end_ms - broker.broker.now_ms)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "warren.consumer"]


def test_thirty_minutes_with_a_warning_at_half_time(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    client = consuming(broker)
    with caplog.at_level(logging.WARNING):
        wait(broker, TIMEOUT_DEFAULT_MS // 2 - 1)
        assert warnings(caplog) == []
        wait(broker, 2 * MINUTE_MS)
        (warning,) = warnings(caplog)
        assert "consumer 't'" in warning
        wait(broker, TIMEOUT_DEFAULT_MS // 2 - 2 * MINUTE_MS)
        assert client.take() == []
        assert len(warnings(caplog)) == 1
        wait(broker, 2 * MINUTE_MS)
    (cancel,) = client.take_methods()
    assert isinstance(cancel, methods.BasicCancel)
    assert (cancel.consumer_tag, cancel.nowait) == ("t", True)
    assert "cancelling it" in warnings(caplog)[1]
    queue = broker.queue("q")
    assert (queue.ready_count, queue.unacked_count, queue.consumers) == (1, 0, [])
    broker.check()


def test_the_channel_lives_on(broker: SimulatedBroker) -> None:
    """It gets the message again, marked."""
    client = consuming(broker)
    wait(broker, TIMEOUT_DEFAULT_MS + 2 * MINUTE_MS)
    client.take()
    client.consume("q", "again")
    delivery, event = client.expect_event(methods.BasicDeliver)
    assert (event.body, delivery.redelivered, delivery.delivery_tag) == (b"held", True, 2)
    client.ack(2)
    assert client.take() == []
    assert broker.queue("q").ready_count == 0


@pytest.mark.parametrize("multiple", [False, True])
def test_a_late_acknowledgement(broker: SimulatedBroker, multiple: bool) -> None:
    client = consuming(broker)
    wait(broker, TIMEOUT_DEFAULT_MS + 2 * MINUTE_MS)
    client.take()
    client.ack(1, multiple=multiple)
    assert client.take() == []
    assert broker.queue("q").ready_count == 1


def test_only_the_slow_consumer_of_a_channel_is_cancelled(broker: SimulatedBroker) -> None:
    client = consuming(broker)
    client.declare("other")
    client.consume("other", "quick")
    for _ in range(40):
        client.publish("other", b"x")
        (event,) = client.take()
        assert isinstance(event.method, methods.BasicDeliver)
        client.ack(event.method.delivery_tag)
        wait(broker, MINUTE_MS)
        client.collect()
        if client.events:
            break
    (cancel,) = client.take_methods()
    assert isinstance(cancel, methods.BasicCancel)
    assert cancel.consumer_tag == "t"
    assert [consumer.tag for consumer in broker.queue("other").consumers] == ["quick"]


def test_without_cancel_notify_the_channel_is_closed(broker: SimulatedBroker) -> None:
    client = broker.accept()
    capabilities = {name: value for name, value in CAPABILITIES.items() if name != "consumer_cancel_notify"}
    client.handshake(capabilities=capabilities)
    client.open()
    client.declare("q", arguments={"x-delivery-limit": 0})
    client.consume("q", "t")
    client.publish("q", b"held")
    client.take()
    wait(broker, TIMEOUT_DEFAULT_MS + 2 * MINUTE_MS)
    close = client.expect(methods.ChannelClose)
    assert close.reply_code == 406
    assert "delivery acknowledgement on channel 1 timed out" in close.reply_text
    assert "Timeout value used: 1800000 ms" in close.reply_text
    assert broker.queue("q").ready_count == 1


@pytest.mark.parametrize(
    ("argument", "of_queue", "policy", "timeout_ms"),
    [
        (60_000, None, None, 60_000),
        (600_000, 60_000, 60_000, 600_000),
        (None, 60_000, None, 60_000),
        (None, 600_000, 60_000, 60_000),
        (None, None, 60_000, 60_000),
        (0, 60_000, None, None),
        (None, 0, None, None),
        (None, None, 0, None),
    ],
)
def test_what_sets_the_timeout(
    broker: SimulatedBroker, argument: int | None, of_queue: int | None, policy: int | None, timeout_ms: int | None
) -> None:
    """The consumer's argument; else the shorter of the queue's and the policy's; 0 is none."""
    if policy is not None:
        definition = {"consumer-timeout": policy}
        broker.broker.policies.set(broker.vhost, make_policy("policy", "p", "", dict(definition)))
    client = consuming(
        broker,
        arguments={} if argument is None else {"x-consumer-timeout": argument},
        queue_arguments={} if of_queue is None else {"x-consumer-timeout": of_queue},
    )
    if timeout_ms is None:
        wait(broker, 24 * 60 * MINUTE_MS)
        assert client.take() == []
        return
    wait(broker, timeout_ms - 1)
    assert client.take() == []
    wait(broker, max(timeout_ms // 4, 10 * INTERVAL_MIN_MS))
    assert isinstance(client.take_methods()[0], methods.BasicCancel)


def test_a_policy_counts_for_consumers_that_are_there_already(broker: SimulatedBroker) -> None:
    client = consuming(broker)
    broker.broker.policies.set(broker.vhost, make_policy("policy", "p", "", {"consumer-timeout": 4000}))
    wait(broker, 5000)
    assert isinstance(client.take_methods()[0], methods.BasicCancel)


def test_polled_messages_are_nobodys_consumer(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    client.publish("q", b"polled")
    assert client.get("q") is not None
    wait(broker, 2 * TIMEOUT_DEFAULT_MS)
    assert client.take() == []


def test_expiry_is_no_failure_of_the_delivery(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q", arguments={"x-delivery-limit": 0})
    client.consume("q", "t")
    client.publish("q", b"slow")
    client.take()
    wait(broker, TIMEOUT_DEFAULT_MS + 2 * MINUTE_MS)
    assert broker.queue("q").ready_count == 1


def test_every_consumer_is_warned_of(broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    """Those that come after others went, too."""
    with caplog.at_level(logging.WARNING):
        for number in range(1, 20):
            client = consuming(broker)
            wait(broker, TIMEOUT_DEFAULT_MS * 2 // 3)
            client.close()
            broker.queue("q").drop_ready()
            assert len(warnings(caplog)) == number


def wakeups(broker: SimulatedBroker, milliseconds: int) -> int:
    count, end_ms = 0, broker.broker.now_ms + milliseconds
    while (at_ms := broker.broker.deadlines.next_at_ms) is not None and at_ms <= end_ms:
        broker.advance(at_ms - broker.broker.now_ms)
        count += 1
    return count


def test_an_impatient_consumer_costs_nothing_once_it_is_gone(broker: SimulatedBroker) -> None:
    """The broker wakes up often for one, and never more often than is reasonable."""
    client = broker.connect()
    client.declare("q")
    client.send(1, methods.BasicConsume(queue="q", consumer_tag="t", arguments={"x-consumer-timeout": 1}))
    client.take()
    assert wakeups(broker, 1000) <= 1000 // INTERVAL_MIN_MS
    client.close()
    wait(broker, 1000)
    assert wakeups(broker, 10 * INTERVAL_MAX_MS) == 10
