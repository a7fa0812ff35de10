"""Whoever observes messages sees each of them on its way, and nobody is asked while there is none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import Event
from warren.adapters.amqp091.codec import methods
from warren.core.clients.client import Client
from warren.core.message_observer import MessageObserver
from warren.core.messages.checks import HIDDEN_CONTEXT
from warren.core.messages.field_table import FieldValue
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties, encode_properties
from warren.core.queues.base import Queue
from warren.core.queues.consumer import Consumer
from warren.core.routing.route import Route
from warren.core.routing.vhost import VirtualHost


class Recorder(MessageObserver):
    """Notes what it sees, in words."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.skips = False

    def publishing(self, vhost: VirtualHost, route: Route, message: Message, client: Client | None) -> object | None:
        message.properties = message.properties.with_header_entries({HIDDEN_CONTEXT: "own"})
        message.framed_for = 0
        self.seen.append(f"publishing {message.address.routing_key} by {client.user.name if client else None}")
        return None if self.skips else "noted"

    def published(self, noted: object, outcome: str) -> None:
        self.seen.append(f"published {noted} {outcome}")

    def delivering(
        self, queue: Queue, message: Message, client: Client | None, consumer: Consumer | None, redelivered: bool
    ) -> object | None:
        assert (message.properties.headers or {}).get(HIDDEN_CONTEXT) == "own"
        how = "polled" if consumer is None else "consumed"
        self.seen.append(f"delivering {queue.name} {how}{' again' if redelivered else ''}")
        return None if self.skips else message

    def delivered(self, noted: object, *, settled: bool) -> None:
        assert isinstance(noted, Message)
        self.seen.append(f"delivered{' and settled' if settled else ''}")

    def dying(self, queue: Queue, message: Message, reason: str, exchange: str | None) -> object | None:
        self.seen.append(f"dying {queue.name} {reason} {exchange}")
        return None if self.skips else "noted"

    def died(self, noted: object, *, taken: bool, stays: bool) -> None:
        self.seen.append(f"died {'taken' if taken else 'lost'}{' stays' if stays else ''}")

    def returned(self, queue: Queue, messages: Sequence[Message], *, failed: bool) -> None:
        self.seen.append(f"returned {queue.name} {len(messages)}{' failed' if failed else ''}")

    def left(self, queue: Queue, sequence: int) -> None:
        self.seen.append(f"left {queue.name}")

    def take(self) -> list[str]:
        """What was seen since the last call."""
        seen, self.seen = self.seen, []
        return seen


@pytest.fixture
def recorder(broker: SimulatedBroker) -> Recorder:
    made = Recorder()
    broker.broker.observe_messages(made)
    return made


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def _tag(event: Event | None) -> int:
    assert event is not None
    assert isinstance(event.method, methods.BasicGetOk)
    return event.method.delivery_tag


PUBLISHED = ["publishing q by guest", "published noted taken"]


def test_a_message_that_is_consumed_and_acknowledged(broker: SimulatedBroker, recorder: Recorder) -> None:
    client = broker.connect()
    client.declare("q")
    client.consume("q")
    for _ in range(2):
        client.publish("q", b"m")
        client.settle()
        assert recorder.take() == [*PUBLISHED, "delivering q consumed", "delivered"]
    event = [each for each in client.take() if each.body]
    assert len(event) == 2
    assert all(HIDDEN_CONTEXT not in (Properties.parse(each.properties).headers or {}) for each in event)
    client.ack(2, multiple=True)
    assert recorder.take() == ["left q", "left q"]


def test_what_needs_no_acknowledgement(broker: SimulatedBroker, recorder: Recorder) -> None:
    client = broker.connect()
    client.declare("q")
    client.consume("q", no_ack=True)
    client.publish("q", b"m")
    client.settle()
    seen = recorder.take()
    assert [each for each in seen if each != "left q"] == [
        *PUBLISHED,
        "delivering q consumed",
        "delivered and settled",
    ]


def test_a_message_that_is_polled(broker: SimulatedBroker, recorder: Recorder) -> None:
    client = broker.connect()
    client.declare("q")
    client.publish("q", b"m")
    client.publish("q", b"m")
    assert recorder.take() == PUBLISHED * 2
    client.get("q")
    assert recorder.take() == ["delivering q polled", "delivered"]
    client.get("q", no_ack=True)
    assert recorder.take() == ["delivering q polled", "delivered and settled", "left q"]


def test_a_message_that_comes_back(broker: SimulatedBroker, recorder: Recorder) -> None:
    client = broker.connect()
    client.declare("q")
    client.publish("q", b"m")
    client.get("q")
    recorder.take()
    client.nack(1)
    assert recorder.take() == ["returned q 1 failed"]
    client.get("q")
    assert recorder.take() == ["delivering q polled again", "delivered"]
    client.lose()
    assert recorder.take() == ["returned q 1 failed"]


def test_messages_that_die(broker: SimulatedBroker, recorder: Recorder) -> None:
    client = broker.connect()
    client.declare("grave")
    client.declare("q", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "grave"})
    client.declare("lost", arguments={"x-dead-letter-exchange": "nowhere"})
    client.declare("plain")
    for name, expected in (
        ("q", ["dying q rejected ", "died taken", "left q"]),
        ("lost", ["dying lost rejected nowhere", "died lost", "left lost"]),
        ("plain", ["dying plain rejected None", "died taken", "left plain"]),
    ):
        client.publish(name, b"m")
        event = client.get(name)
        recorder.take()
        client.nack(_tag(event), requeue=False)
        assert recorder.take() == expected
    client.publish("plain", b"m", properties=encode_properties(expiration="1").raw)
    recorder.take()
    broker.advance(2)
    assert recorder.take() == ["dying plain expired None", "died taken", "left plain"]


def test_a_dead_letter_that_stays(broker: SimulatedBroker, recorder: Recorder) -> None:
    """A quorum queue with the strategy at-least-once, until somebody takes it."""
    client = broker.connect()
    arguments: dict[str, FieldValue] = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "later",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    client.declare("q", durable=True, arguments=arguments)
    client.publish("q", b"m")
    event = client.get("q")
    recorder.take()
    client.nack(_tag(event), requeue=False)
    assert recorder.take() == ["dying q rejected ", "died lost stays"]
    client.declare("later")
    broker.advance(5_000)
    assert recorder.take() == ["dying q rejected ", "died taken", "left q"]


def test_who_skips_a_message_is_told_no_more_of_it(broker: SimulatedBroker, recorder: Recorder) -> None:
    recorder.skips = True
    client = broker.connect()
    client.declare("q")
    client.publish("q", b"m")
    event = client.get("q")
    client.nack(_tag(event), requeue=False)
    assert recorder.take() == ["publishing q by guest", "delivering q polled", "dying q rejected None", "left q"]


def test_there_is_one_observer_at_a_time(broker: SimulatedBroker, recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="an observer already"):
        broker.broker.observe_messages(Recorder())
    client = broker.connect()
    client.declare("q")
    client.publish("q", b"m")
    recorder.take()
    broker.broker.observe_messages(None)
    assert not broker.vhost.observed
    client.publish("q", b"m")
    for _ in range(2):
        client.ack(_tag(client.get("q")))
    assert recorder.take() == []


def test_remembered_routes_are_void_when_one_comes(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("q")
    for _ in range(3):
        client.publish("q", b"m")
    recorder = Recorder()
    broker.broker.observe_messages(recorder)
    client.publish("q", b"m")
    assert recorder.take() == PUBLISHED


def test_a_virtual_host_that_is_made_later_is_observed_too(broker: SimulatedBroker, recorder: Recorder) -> None:
    assert broker.broker.add_vhost("later", {}).observed
    assert not broker.vhost.tracing


def test_the_firehose_ends_without_an_observer(broker: SimulatedBroker) -> None:
    vhost = broker.vhost
    broker.broker.set_tracing("/", True)
    assert vhost.observed
    recorder = Recorder()
    broker.broker.observe_messages(recorder)
    broker.broker.set_tracing("/", False)
    assert vhost.observed
    broker.broker.observe_messages(None)
    assert not vhost.observed
