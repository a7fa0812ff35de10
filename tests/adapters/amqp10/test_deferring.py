"""Messages whose publisher says when they are to be delivered (x-opt-delivery-time, x-opt-delivery-delay)."""

from __future__ import annotations

import proton
import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, annotations_of, body_of, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import described
from warren.adapters.amqp10.codec.performatives import Detach, Disposition
from warren.adapters.amqp10.codec.sections import VALUE
from warren.adapters.amqp10.codec.termini import Accepted, Coordinator, Declare, Discharge, TransactionalState
from warren.core.administration.operations import delayed
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.errors import AccessRefused, PreconditionFailed
from warren.core.exchanges.delaying.deferring import EXCHANGE


def deferred(name: str, value: object, body: bytes = b"later", **fields: object) -> bytes:
    """A message with one of the annotations."""
    message = proton.Message(body=body, inferred=True, annotations={proton.symbol(name): value}, **fields)
    return bytes(message.encode())


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """With a queue `q`, a link to it, and one that receives from it."""
    made = connect()
    declare_queue(made.connection.logged_in, "q", durable=True)
    made.attach_sender("/queues/q")
    made.attach_receiver("/queues/q")
    made.credit(10)
    return made


def test_a_delay_counts_from_the_transfer(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    told = only(Disposition, client.publish(deferred("x-opt-delivery-delay", 5000)))
    assert isinstance(told.state, Accepted)
    simulated.advance(4999)
    assert messages(client.take()) == []
    simulated.advance(1)
    (message,) = messages(client.take())
    assert body_of(message) == b"later"
    assert annotations_of(message) == {"x-opt-delivery-delay": 5000, "x-exchange": "", "x-routing-key": "q"}


@pytest.mark.parametrize("kind", [int, proton.timestamp, proton.ulong])
def test_a_time_counts_before_a_delay(client: Amqp10Client, simulated: SimulatedBroker, kind: type) -> None:
    at_ms = simulated.broker.now_ms + 2000
    annotations = {
        proton.symbol("x-opt-delivery-time"): kind(at_ms),
        proton.symbol("x-opt-delivery-delay"): proton.uint(9000),
    }
    client.publish(bytes(proton.Message(body=b"x", inferred=True, annotations=annotations).encode()))
    simulated.advance(1999)
    assert messages(client.take()) == []
    simulated.advance(1)
    assert len(messages(client.take())) == 1


@pytest.mark.parametrize(("name", "value"), [("x-opt-delivery-time", 5), ("x-opt-delivery-delay", -3)])
def test_what_is_past_is_delivered_at_once(client: Amqp10Client, name: str, value: int) -> None:
    assert len(messages(client.publish(deferred(name, value)))) == 1


def test_two_alike_are_deferred_both(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    for _ in range(2):
        assert messages(client.publish(deferred("x-opt-delivery-delay", 1000))) == []
    simulated.advance(1000)
    assert len(messages(client.take())) == 2


def test_what_is_no_number_detaches_the_link(client: Amqp10Client) -> None:
    detach = only(Detach, client.publish(deferred("x-opt-delivery-time", "tomorrow")))
    assert detach.error.condition == "amqp:invalid-field"


def test_an_exchange_routes_when_it_is_due(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_sender("/exchanges/amq.topic/a.b", handle=5)
    told = only(Disposition, client.publish(deferred("x-opt-delivery-delay", 1000), handle=5))
    assert isinstance(told.state, Accepted)
    client.attach_receiver("/topic/a.*", handle=6)
    client.credit(1, handle=6)
    simulated.advance(1000)
    (message,) = messages(client.take())
    assert annotations_of(message)["x-exchange"] == "amq.topic"


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_it_outlives_a_restart(durable: SimulatedBroker, kind: str) -> None:
    client = Amqp10Client(durable).open().begin()
    declare_queue(client.connection.logged_in, "kept", durable=True, arguments={"x-queue-type": kind})
    client.attach_sender("/queues/kept")
    client.publish(deferred("x-opt-delivery-delay", 60_000, durable=True))
    client.publish(deferred("x-opt-delivery-delay", 60_000, b"lost"))
    durable.restart()
    assert durable.queue("kept").ready_count == 0
    durable.advance(1)
    durable.advance(59_999)
    again = Amqp10Client(durable).open().begin()
    again.attach_receiver("/queues/kept")
    assert [body_of(each) for each in messages(again.credit(5))] == [b"later"]
    durable.restart()
    assert durable.queue("kept").ready_count == 1
    durable.advance(60_000)
    assert durable.queue("kept").ready_count == 1


def test_it_is_listed_and_cancelled_as_delayed_ones_are(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.publish(deferred("x-opt-delivery-delay", 1000))
    broker = simulated.broker
    steps = delayed.pending(broker, "/", EXCHANGE, 10)
    while steps.step():
        pass
    (found,) = steps.result
    assert (found.due_at_ms, found.routing_key) == (broker.now_ms + 1000, "q")
    assert delayed.cancel(broker, "/", EXCHANGE, [found.id]).message_count == 1
    simulated.advance(1000)
    assert messages(client.take()) == []


def test_the_exchange_is_the_brokers_own(client: Amqp10Client) -> None:
    client.publish(deferred("x-opt-delivery-delay", 1000))
    actor = client.connection.logged_in
    with pytest.raises(AccessRefused):
        declare_exchange(actor, "amq.other", "x-deferred", arguments={"x-delayed-type": "direct"})
    with pytest.raises(PreconditionFailed, match="the broker's own"):
        declare_exchange(actor, "other", "x-deferred", arguments={"x-delayed-type": "direct"})
    _, detach = client.attach_sender(f"/exchanges/{EXCHANGE}/q", handle=9)
    assert detach.body.error.condition == "amqp:unauthorized-access"


def test_a_transaction_defers_with_its_discharge(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_sender(None, handle=3, target=Coordinator())
    told = of(Disposition, client.publish(described(VALUE, encode_composite(Declare())), handle=3))
    txn_id = told[0].state.txn_id
    client.publish(deferred("x-opt-delivery-delay", 1000), state=TransactionalState(txn_id))
    simulated.advance(1000)
    assert messages(client.take()) == []
    done = Discharge()
    done.txn_id = txn_id
    got = client.publish(described(VALUE, encode_composite(done)), handle=3)
    assert isinstance(of(Disposition, got)[0].state, Accepted)
    assert messages(got) == []
    simulated.advance(1)
    assert len(messages(client.take())) == 1
