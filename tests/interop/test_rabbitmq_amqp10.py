"""RabbitMQ's own client of AMQP 1.0 for Python: management, publishing, consuming."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rabbitmq_amqp_python_client import (
    AddressHelper,
    AMQPMessagingHandler,
    ClassicQueueSpecification,
    ConsumerOptions,
    ConsumerSettleStrategy,
    Converter,
    Environment,
    ExchangeSpecification,
    ExchangeToQueueBindingSpecification,
    ExchangeType,
    Message,
    OutcomeState,
    QuorumQueueSpecification,
    ValidationCodeException,
)

from tests.interop.clients import url
from tests.support.warren_process import warren_process


class DoneError(Exception):
    """Enough has come."""


class Taking(AMQPMessagingHandler):
    """Takes so many messages, and does with each what `outcomes` says; nothing with one that comes settled."""

    def __init__(self, outcomes: list[str]) -> None:
        super().__init__()
        self.outcomes = outcomes
        self.got: list[str] = []

    def on_amqp_message(self, event: Any) -> None:
        self.got.append(bytes(event.message.body).decode())
        outcome = self.outcomes[len(self.got) - 1]
        if outcome:
            getattr(self.delivery_context, outcome)(event)
        if len(self.got) == len(self.outcomes):
            raise DoneError


class Annotating(Taking):
    """Gives the first message back with an annotation, and keeps the annotations of the second."""

    def on_amqp_message(self, event: Any) -> None:
        if self.got:
            self.annotations = dict(event.message.annotations)
            super().on_amqp_message(event)
            return
        self.got.append(bytes(event.message.body).decode())
        self.delivery_context.requeue_with_annotations(event, {"x-opt-tried": "once"})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Of a Warren of its own: the RabbitMQ that other tests compare with speaks no AMQP 1.0."""
    with warren_process(in_memory=True) as process:
        yield process.addresses["amqp"]


@pytest.fixture
def connection(address: tuple[str, int]) -> Iterator[Any]:
    """Dialled."""
    environment = Environment(uri=url(address))
    made = environment.connection()
    made.dial()
    yield made
    environment.close()


def take(connection: Any, queue: str, outcomes: list[str]) -> list[str]:
    """So many messages."""
    handler = Taking(outcomes)
    consumer = connection.consumer(AddressHelper.queue_address(queue), message_handler=handler)
    with pytest.raises(DoneError):
        consumer.run()
    consumer.close()
    return handler.got


def test_what_is_declared_is_there_and_can_be_deleted(connection: Any) -> None:
    management = connection.management()
    management.declare_queue(QuorumQueueSpecification(name="interop-rabbitmq-quorum"))
    shown = management.queue_info("interop-rabbitmq-quorum")
    assert (shown.name, shown.queue_type.value, shown.is_durable) == ("interop-rabbitmq-quorum", "quorum", True)
    with pytest.raises(ValidationCodeException):
        management.declare_queue(ClassicQueueSpecification(name="interop-rabbitmq-quorum"))
    management.delete_queue("interop-rabbitmq-quorum")
    with pytest.raises(ValidationCodeException):
        management.queue_info("interop-rabbitmq-quorum")


def test_from_an_exchange_to_a_queue_and_to_a_consumer(connection: Any) -> None:
    management = connection.management()
    management.declare_exchange(ExchangeSpecification(name="interop-rabbitmq", exchange_type=ExchangeType.topic))
    management.declare_queue(ClassicQueueSpecification(name="interop-rabbitmq"))
    bound = management.bind(
        ExchangeToQueueBindingSpecification(
            source_exchange="interop-rabbitmq", destination_queue="interop-rabbitmq", binding_key="a.*"
        )
    )
    publisher = connection.publisher(AddressHelper.exchange_address("interop-rabbitmq", "a.b"))
    for number in range(3):
        told = publisher.publish(Message(body=Converter.string_to_bytes(f"{number}")))
        assert told.remote_state == OutcomeState.ACCEPTED
    assert management.queue_info("interop-rabbitmq").message_count == 3
    assert take(connection, "interop-rabbitmq", ["accept", "requeue", "accept", "discard"]) in (
        ["0", "1", "2", "1"],
        ["0", "1", "1", "2"],
    )
    management.unbind(bound)
    assert management.purge_queue("interop-rabbitmq") == 0
    management.delete_queue("interop-rabbitmq")
    management.delete_exchange("interop-rabbitmq")


def test_an_answer_comes_by_direct_reply_to(connection: Any, address: tuple[str, int]) -> None:
    handler = Taking([""])
    options = ConsumerOptions(settle_strategy=ConsumerSettleStrategy.DirectReplyTo)
    requester = connection.consumer(message_handler=handler, consumer_options=options)
    assert requester.address.startswith("/queues/amq.rabbitmq.reply-to.")
    answering = Environment(uri=url(address))
    responder = answering.connection()
    responder.dial()
    publisher = responder.publisher(requester.address)
    told = publisher.publish(Message(body=Converter.string_to_bytes("answer")))
    assert told.remote_state == OutcomeState.ACCEPTED
    with pytest.raises(DoneError):
        requester.run()
    assert handler.got == ["answer"]
    answering.close()


def test_what_a_consumer_writes_on_a_message_stays_there(connection: Any) -> None:
    management = connection.management()
    management.declare_queue(ClassicQueueSpecification(name="interop-rabbitmq-written"))
    publisher = connection.publisher(AddressHelper.queue_address("interop-rabbitmq-written"))
    publisher.publish(Message(body=Converter.string_to_bytes("m")))
    handler = Annotating(["", "accept"])
    consumer = connection.consumer(AddressHelper.queue_address("interop-rabbitmq-written"), message_handler=handler)
    with pytest.raises(DoneError):
        consumer.run()
    consumer.close()
    assert handler.got == ["m", "m"]
    assert handler.annotations["x-opt-tried"] == "once"
    management.delete_queue("interop-rabbitmq-written")
