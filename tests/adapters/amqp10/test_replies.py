"""Direct reply-to (spec H.1): requests and answers within AMQP 1.0, and to and from AMQP 0-9-1."""

from __future__ import annotations

from typing import Any

import proton
import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10 import replies
from warren.adapters.amqp10.codec.performatives import SETTLED, Attach, Detach, Disposition
from warren.adapters.amqp10.codec.termini import Accepted, Released, Source
from warren.core.declaring.queues import declare_queue
from warren.core.messages.properties import Properties, encode_properties

PREFIX = "/queues/amq.rabbitmq.reply-to."


def asking(client: Amqp10Client, handle: int = 1, **fields: Any) -> str:
    """A requester's link; its address."""
    answer = only(Attach, client.attach_receiver(None, handle=handle, source=volatile(), **{**SETTLES, **fields}))
    assert (answer.source.dynamic, answer.source.expiry_policy, answer.source.durable) == (True, "link-detach", 0)
    assert answer.source.capabilities == ["rabbitmq:volatile-queue"]
    address = answer.source.address
    assert isinstance(address, str)
    return address


SETTLES = {"snd_settle_mode": SETTLED}


def volatile() -> Source:
    source = Source()
    source.dynamic = True
    source.expiry_policy = "link-detach"
    source.capabilities = ["rabbitmq:volatile-queue"]
    return source


def request(address: str) -> bytes:
    return bytes(proton.Message(body=b"request", inferred=True, reply_to=address).encode())


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """With a queue `requests`."""
    made = connect()
    declare_queue(made.connection.logged_in, "requests")
    return made


def test_an_answer_comes_to_the_address_of_the_link(
    client: Amqp10Client, simulated: SimulatedBroker, connect: Connect
) -> None:
    address = asking(client)
    assert address.startswith(PREFIX)
    assert list(simulated.vhost.queues) == ["requests"]
    client.credit(10)
    client.attach_sender("/queues/requests", handle=0)
    client.publish(request(address), handle=0)
    responder = connect()
    responder.attach_receiver("/queues/requests")
    (message,) = messages(responder.credit(1))
    assert message.reply_to == address
    responder.attach_sender(message.reply_to, handle=5)
    assert isinstance(only(Disposition, responder.publish(data(b"answer"), handle=5)).state, Accepted)
    assert [body_of(each) for each in messages(client.take())] == [b"answer"]
    responder.attach_sender(None, handle=6)
    by_itself = proton.Message(body=b"second", inferred=True, address=message.reply_to)
    responder.publish(bytes(by_itself.encode()), handle=6)
    assert [body_of(each) for each in messages(client.take())] == [b"second"]


def test_two_links_of_a_session_have_addresses_of_their_own(client: Amqp10Client) -> None:
    first, second = asking(client, 1), asking(client, 2)
    assert first != second
    client.credit(1, handle=1)
    client.credit(1, handle=2)
    client.attach_sender(second, handle=5)
    frames = client.publish(data(b"x"), handle=5)
    assert [each.body.handle for each in frames if each.payload] == [2]


def test_a_requester_of_amqp_0_9_1_is_answered(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    requester = simulated.connect()
    requester.consume("amq.rabbitmq.reply-to", no_ack=True)
    raw = encode_properties(reply_to="amq.rabbitmq.reply-to").raw
    requester.publish("requests", b"request", properties=raw)
    requester.settle()
    client.attach_receiver("/queues/requests")
    (message,) = messages(client.credit(1))
    assert str(message.reply_to).startswith(PREFIX)
    client.attach_sender(message.reply_to, handle=5)
    client.publish(data(b"answer"), handle=5)
    requester.settle()
    assert requester.take_bodies() == [b"answer"]
    requester.close()


def test_a_responder_of_amqp_0_9_1_answers(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    address = asking(client)
    client.credit(1)
    client.attach_sender("/queues/requests", handle=0)
    client.publish(request(address), handle=0, settled=True)
    responder = simulated.connect()
    event = responder.get("requests", no_ack=True)
    assert event is not None
    reply_to = Properties.parse(event.properties).reply_to
    assert reply_to is not None
    responder.publish(reply_to, b"answer")
    responder.settle()
    assert [body_of(each) for each in messages(client.take())] == [b"answer"]
    responder.close()


def test_a_requester_that_is_gone_is_nobody(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    address = asking(client)
    client.attach_sender(None, handle=5)
    client.attach_sender(address, handle=6)
    client.detach(1)
    assert not simulated.vhost.reply_queues
    late = bytes(proton.Message(body=b"late", inferred=True, address=address).encode())
    assert isinstance(only(Disposition, client.publish(late, handle=5)).state, Released)
    assert isinstance(only(Disposition, client.publish(data(b"late"), handle=6)).state, Released)
    _, detach = client.attach_sender(address, handle=7)
    assert detach.body.error.condition == "amqp:not-found"


def test_what_ends_the_session_ends_the_address(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    asking(client)
    client.end()
    assert not simulated.vhost.reply_queues


@pytest.mark.parametrize(("name", "value"), [("snd_settle_mode", 0), ("expiry_policy", "never"), ("durable", 1)])
def test_answers_are_settled_and_volatile(client: Amqp10Client, name: str, value: Any) -> None:
    source = volatile()
    fields: dict[str, Any] = dict(SETTLES)
    if name in fields:
        fields[name] = value
    else:
        setattr(source, name, value)
    frames = client.attach_receiver(None, source=source, **fields)
    (detach,) = of(Detach, frames)
    assert detach.error.condition == "amqp:invalid-field"


def test_nobody_consumes_anothers_answers(client: Amqp10Client, connect: Connect) -> None:
    address = asking(client)
    other = connect()
    _, detach = other.attach_receiver(address)
    assert detach.body.error.condition == "amqp:not-found"


def test_what_waits_for_credit_is_bounded(client: Amqp10Client) -> None:
    address = asking(client)
    client.attach_sender(address, handle=5)
    for number in range(replies.WAITING_MAX + 2):
        client.publish(data(b"%d" % number), handle=5, settled=True)
    kept = [b"%d" % number for number in range(2, replies.WAITING_MAX + 2)]
    assert [body_of(each) for each in messages(client.credit(replies.WAITING_MAX + 9))] == kept
