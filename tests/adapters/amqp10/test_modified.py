"""What a receiver writes on a message that it gives back by `modified` (part 3, 3.4.5; spec H.1)."""

from __future__ import annotations

from typing import Any

import proton
import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, annotations_of, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.encoding import described
from warren.adapters.amqp10.codec.performatives import Disposition, End
from warren.adapters.amqp10.codec.sections import VALUE
from warren.adapters.amqp10.codec.termini import (
    Accepted,
    Coordinator,
    Declare,
    Discharge,
    Modified,
    TransactionalState,
)
from warren.adapters.amqp10.codec.values import Int, Symbol
from warren.core.declaring.queues import declare_queue
from warren.core.messages.properties import Properties, encode_properties

OWN = {"x-exchange": "", "x-routing-key": "q"}
DURABLE = b"\x00\x53\x70\xc0\x02\x01\x41"


def modified(annotations: dict[str, Any] | None = None, *, failed: bool = False, here: bool = False) -> Modified:
    state = Modified()
    state.delivery_failed = failed
    state.undeliverable_here = here
    state.message_annotations = {Symbol(name): value for name, value in (annotations or {}).items()}
    return state


def receiving(client: Amqp10Client, kind: str = "classic", payload: bytes = data(b"m"), queue: str = "q") -> None:
    """A queue with one message, which is delivered."""
    declare_queue(client.connection.logged_in, queue, durable=True, arguments={"x-queue-type": kind})
    client.attach_sender(f"/queues/{queue}", handle=200)
    client.publish(payload, handle=200, settled=True)
    client.attach_receiver(f"/queues/{queue}")
    assert len(messages(client.credit(1))) == 1


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_it_is_there_with_the_next_delivery(connect: Connect, kind: str) -> None:
    client = connect()
    receiving(client, kind)
    client.settle(0, state=modified({"x-opt-reason": "busy", "plain": Int(5)}))
    (message,) = messages(client.credit(1, delivery_count=1))
    assert (body_of(message), message.first_acquirer) == (b"m", False)
    shown = annotations_of(message)
    assert {name: shown[name] for name in ("x-opt-reason", "plain")} == {"x-opt-reason": "busy", "plain": 5}
    client.settle(1, state=modified({"x-opt-reason": "still"}, failed=True))
    (message,) = messages(client.credit(1, delivery_count=2))
    assert annotations_of(message)["x-opt-reason"] == "still"
    assert message.delivery_count == (2 if kind == "quorum" else 0)


def test_the_publishers_own_stay_and_so_does_the_bare_message(connect: Connect) -> None:
    client = connect()
    annotations = {proton.symbol("x-own"): 1, proton.symbol("mine"): [proton.symbol("s")]}
    sent = proton.Message(body="text", subject="s", annotations=annotations, properties={"a": proton.int32(1)})
    receiving(client, payload=bytes(sent.encode()))
    client.settle(0, state=modified({"x-own": 2}))
    (message,) = messages(client.credit(1, delivery_count=1))
    assert annotations_of(message) == {"x-own": 2, "mine": ["s"], **OWN}
    assert [message.body, message.subject, dict(message.properties or {})] == ["text", "s", {"a": 1}]


def test_other_queues_have_the_message_as_it_was(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    for name in ("one", "two"):
        declare_queue(client.connection.logged_in, name)
    client.attach_sender("/queues/one", handle=200)
    payload = proton.Message(body=b"m", annotations={proton.symbol("x-cc"): ["two"]}, inferred=True)
    client.publish(bytes(payload.encode()), handle=200)
    client.attach_receiver("/queues/one", handle=1)
    client.credit(1)
    client.settle(0, state=modified({"x-opt-mark": 1}))
    client.attach_receiver("/queues/two", handle=2)
    (message,) = messages(client.credit(1, handle=2))
    assert "x-opt-mark" not in annotations_of(message)
    (message,) = messages(client.credit(1, delivery_count=1))
    assert annotations_of(message)["x-opt-mark"] == 1


def test_consumers_of_other_protocols_see_it(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    receiving(client)
    client.settle(0, state=modified({"x-opt-mark": Int(7), "plain": "not theirs"}))
    other = simulated.connect()
    event = other.get("q", no_ack=False)
    assert event is not None
    assert Properties.parse(event.properties).headers == {"x-opt-mark": 7}
    other.close()
    stomp = StompClient(simulated).connect()
    (got,) = stomp.send("SUBSCRIBE", destination="/amq/queue/q", id="0", ack="auto")
    assert (got.body, got["x-opt-mark"]) == (b"m", "7")


def test_messages_of_other_protocols_are_written_on_too(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    declare_queue(client.connection.logged_in, "q", durable=True)
    other = simulated.connect()
    raw = encode_properties(headers={"x-theirs": "1", "a": "2"}, app_id="app", delivery_mode=2).raw
    other.publish("q", b"m", properties=raw)
    other.settle()
    client.attach_receiver("/queues/q")
    client.credit(1)
    client.settle(0, state=modified({"x-opt-mark": True, "plain": 1}))
    (message,) = messages(client.credit(1, delivery_count=1))
    assert annotations_of(message) == {"x-theirs": "1", "x-opt-mark": True, "plain": 1, **OWN}
    assert [dict(message.properties or {}), message.group_id] == [{"a": "2"}, "app"]
    client.detach(1)
    event = other.get("q", no_ack=True)
    assert event is not None
    assert Properties.parse(event.properties).headers == {"x-theirs": "1", "a": "2", "x-opt-mark": True}
    other.close()


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_it_outlives_a_restart(durable: SimulatedBroker, kind: str) -> None:
    client = Amqp10Client(durable).open().begin()
    receiving(client, kind, DURABLE + data(b"m"))
    client.settle(0, state=modified({"x-opt-mark": 1}))
    durable.restart()
    again = Amqp10Client(durable).open().begin()
    again.attach_receiver("/queues/q")
    (message,) = messages(again.credit(5))
    assert (body_of(message), annotations_of(message)["x-opt-mark"]) == (b"m", 1)
    again.settle(0)
    durable.restart()
    assert durable.queue("q").ready_count == 0


def test_a_dead_letter_has_it(connect: Connect) -> None:
    client = connect()
    declare_queue(client.connection.logged_in, "dead")
    arguments: dict[str, Any] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    declare_queue(client.connection.logged_in, "work", arguments=arguments)
    client.attach_sender("/queues/work", handle=200)
    client.publish(data(b"m"), handle=200)
    client.attach_receiver("/queues/work")
    client.credit(1)
    client.settle(0, state=modified({"x-opt-why": "broken"}, here=True))
    client.attach_receiver("/queues/dead", handle=2)
    (message,) = messages(client.credit(1, handle=2))
    assert annotations_of(message)["x-opt-why"] == "broken"
    assert annotations_of(message)["x-last-death-reason"] == "rejected"


def test_what_is_the_brokers_word_is_not_written(connect: Connect) -> None:
    client = connect()
    receiving(client)
    client.settle(0, state=modified({"x-exchange": "forged", "x-cc": ["q"], "x-opt-deaths": 1}))
    (message,) = messages(client.credit(1, delivery_count=1))
    assert {name: annotations_of(message)[name] for name in OWN} == OWN
    assert "x-cc" not in annotations_of(message)


def test_it_never_grows_beyond_what_annotations_may_have(connect: Connect) -> None:
    client = connect()
    receiving(client)
    for number in range(4):
        client.settle(number, state=modified({f"x-{number}": "v" * 50_000}))
        (message,) = messages(client.credit(1, delivery_count=number + 1))
    assert sorted(annotations_of(message)) == ["x-0", "x-1", "x-exchange", "x-routing-key"]


def test_very_many_are_written_on_in_slices(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    declare_queue(client.connection.logged_in, "q")
    client.attach_sender("/queues/q", handle=200)
    for number in range(500):
        client.publish(data(b"%d" % number), handle=200, settled=True)
    client.attach_receiver("/queues/q")
    client.credit(500)
    client.settle(0, 499, state=modified({"x-opt-mark": 1}))
    got = messages(client.credit(500, delivery_count=500, next_incoming_id=500))
    assert [body_of(each) for each in got] == [b"%d" % number for number in range(500)]
    assert all(annotations_of(each)["x-opt-mark"] == 1 for each in got)


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_delivery_time_puts_it_off(connect: Connect, simulated: SimulatedBroker, kind: str, absolute: bool) -> None:
    client = connect()
    receiving(client, kind)
    name = "x-opt-delivery-time" if absolute else "x-opt-delivery-delay"
    due = simulated.broker.now_ms + 5000 if absolute else 5000
    client.settle(0, state=modified({name: due, "x-opt-mark": 1}))
    client.credit(5, delivery_count=1)
    simulated.advance(4999)
    assert messages(client.take()) == []
    assert simulated.queue("q").unacked_count == 0
    simulated.advance(1)
    (message,) = messages(client.take())
    assert (body_of(message), annotations_of(message)) == (b"m", {"x-opt-mark": 1, **OWN})


def test_what_is_put_off_outlives_a_restart(durable: SimulatedBroker) -> None:
    client = Amqp10Client(durable).open().begin()
    receiving(client, payload=DURABLE + data(b"m"))
    client.settle(0, state=modified({"x-opt-delivery-delay": 5000}))
    durable.restart()
    assert durable.queue("q").ready_count == 0
    durable.advance(1)
    durable.advance(4999)
    assert durable.queue("q").ready_count == 1


def test_what_a_full_queue_has_no_room_for_waits(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    arguments: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
    declare_queue(client.connection.logged_in, "q", arguments=arguments)
    client.attach_sender("/queues/q", handle=200)
    client.publish(data(b"first"), handle=200)
    client.attach_receiver("/queues/q")
    client.credit(1)
    client.settle(0, state=modified({"x-opt-delivery-delay": 5000}))
    client.publish(data(b"second"), handle=200)
    simulated.advance(5000)
    assert [body_of(each) for each in messages(client.credit(1, delivery_count=1))] == [b"second"]
    client.settle(1)
    client.credit(1, delivery_count=2)
    simulated.advance(1000)
    assert [body_of(each) for each in messages(client.take())] == [b"first"]


def test_a_time_that_is_none_ends_the_session(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    receiving(client)
    (end,) = of(End, client.settle(0, state=modified({"x-opt-delivery-time": "soon"})))
    assert end.error.condition == "amqp:invalid-field"
    assert simulated.queue("q").ready_count == 1


def test_a_transaction_writes_with_its_discharge(connect: Connect) -> None:
    client = connect()
    receiving(client)
    client.attach_sender(None, handle=3, target=Coordinator())
    told = only(Disposition, client.publish(described(VALUE, encode_composite(Declare())), handle=3))
    txn_id = told.state.txn_id
    client.settle(0, state=TransactionalState(txn_id, modified({"x-opt-mark": 1})))
    done = Discharge()
    done.txn_id = txn_id
    got = client.publish(described(VALUE, encode_composite(done)), handle=3)
    assert isinstance(of(Disposition, got)[0].state, Accepted)
    (message,) = messages(client.credit(1, delivery_count=1))
    assert annotations_of(message)["x-opt-mark"] == 1
