"""What went wrong in other brokers and clients of AMQP 1.0, and is right here (docs/spec, I); the rest of it is in the
tests of its subject."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, annotations_of, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import Attach, Close, Detach, Disposition, Flow, Open
from warren.adapters.amqp10.codec.sections import MESSAGE_ANNOTATIONS, sections_of
from warren.adapters.amqp10.codec.termini import Accepted, Released, Source, Target
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.core.declaring.queues import declare_queue
from warren.core.messages.properties import encode_properties

DURABLE = b"\x00\x53\x70\xc0\x02\x01\x41"


def test_settled_messages_wait_for_the_disk_as_well_before_more_may_come(durable: SimulatedBroker) -> None:
    client = Amqp10Client(durable, Amqp10Settings(link_credit=4)).open().begin()
    declare_queue(client.connection.logged_in, "q", durable=True)
    durable.settle()
    client.attach_sender("/queues/q")
    durable.commits_by_itself = False
    for _ in range(4):
        assert client.publish(DURABLE + data(b"x"), settled=True) == []
    detach = only(Detach, client.publish(DURABLE + data(b"x"), settled=True))
    assert detach.error.condition == "amqp:link:transfer-limit-exceeded"
    durable.commits_by_itself = True


def test_a_message_comes_in_payloads_of_one_byte(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.attach_sender("/queue/q")
    whole = data(b"content")
    for at in range(len(whole)):
        last = at + 1 == len(whole)
        first: dict[str, Any] = {} if not at else {"delivery_id": None, "delivery_tag": None, "message_format": None}
        got = client.publish(whole[at : at + 1], more=not last, **first)
        assert bool(of(Disposition, got)) is last
    client.attach_receiver("/queues/q")
    assert [body_of(each) for each in messages(client.credit(5))] == [b"content"]


def test_frames_are_bounded_by_our_own_limit_not_the_peers(connect: Connect) -> None:
    client = connect(max_frame_size=512)
    client.attach_sender("/queue/q")
    got = client.publish(data(b"x" * 5000))
    assert isinstance(of(Disposition, got)[0].state, Accepted)
    other = connect()
    (close,) = of(Close, other.send_bytes((131_073).to_bytes(4, "big") + b"\x02\0\0\0"))
    assert close.error.condition == "amqp:connection:framing-error"


def test_open_says_what_rabbitmqs_clients_look_for(simulated: SimulatedBroker) -> None:
    client = Amqp10Client(simulated)
    client.log_in()
    answer = only(Open, client.send(Open("me")))
    assert (answer.max_frame_size, answer.channel_max, answer.idle_time_out) == (131_072, 63, 30_000)
    assert set(answer.offered_capabilities) == {"LINK_PAIR_V1_0", "ANONYMOUS-RELAY"}
    assert {"product", "version", "cluster_name", "platform", "copyright", "information"} <= set(answer.properties)


def test_an_attach_without_a_name_is_a_decode_error_in_words(connect: Connect) -> None:
    client = connect()
    (close,) = of(Close, client.send_bytes(frame_of(0, b"\x00\x53\x12\xc0\x04\x03\x40\x43\x41")))
    assert close.error.condition == "amqp:decode-error"
    assert "attach without the field name" in close.error.description


@pytest.mark.parametrize("role", ["sender", "receiver"])
def test_a_refused_attach_is_answered_without_the_terminus(connect: Connect, role: str) -> None:
    client = connect()
    attach = client.attach_sender if role == "sender" else client.attach_receiver
    answer, detach = attach("/queues/nothing")
    assert isinstance(answer.body, Attach)
    assert (answer.body.target if role == "sender" else answer.body.source) is None
    assert (detach.body.closed, detach.body.error.condition) == (True, "amqp:not-found")
    declare_queue(client.connection.logged_in, "nothing")
    client.detach(0 if role == "sender" else 1)
    assert isinstance(attach("/queues/nothing")[0].body, Attach)
    assert len(client.connection.sessions[0].links) == 1


@pytest.mark.parametrize("address", ["/exchanges//k", "/exchanges/", "/exchanges/amq.default/k"])
def test_the_default_exchange_has_no_address(connect: Connect, address: str) -> None:
    _, detach = connect().attach_sender(address)
    assert detach.body.error.condition == "amqp:not-found"


def test_a_queue_is_published_to_with_the_right_to_the_default_exchange(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    client = connect()
    declare_queue(client.connection.logged_in, "q")
    users = simulated.broker.users
    users.set_permissions("guest", "/", "", "^q$", "")
    _, detach = client.attach_sender("/queues/q")
    assert detach.body.error.condition == "amqp:unauthorized-access"
    users.set_permissions("guest", "/", "", "^amq\\.default$", "")
    assert isinstance(client.attach_sender("/queues/q", handle=3)[0].body, Attach)
    _, detach = client.attach_receiver("/queues/q", handle=4)
    assert detach.body.error.condition == "amqp:unauthorized-access"


def test_void_headers_and_lists_of_them_are_nulls(connect: Connect, simulated: SimulatedBroker) -> None:
    other = simulated.connect()
    other.declare("q")
    raw = encode_properties(headers={"a": None, "x-a": [None, None]}).raw
    other.publish("q", b"m", properties=raw)
    other.settle()
    other.close()
    client = connect()
    client.attach_receiver("/queues/q")
    frames = client.credit(1)
    (message,) = messages(frames)
    assert dict(message.properties or {}) == {"a": None}
    whole = b"".join(each.payload for each in frames)
    (section,) = [each for each in sections_of(whole) if each.code == MESSAGE_ANNOTATIONS]
    found, _ = decode(whole, section.value_at)
    assert isinstance(found, dict)
    assert found["x-a"] == [None, None]
    assert "x-a" in annotations_of(message)


def test_a_dynamic_queue_is_the_connections_alone(connect: Connect, simulated: SimulatedBroker) -> None:
    client, other = connect(), connect()
    source, target = Source(), Target()
    source.dynamic = target.dynamic = True
    address = of(Attach, client.attach_receiver(None, source=source))[0].source.address
    second = of(Attach, client.attach_sender(None, handle=5, target=target))[0].target.address
    assert address != second
    _, detach = other.attach_receiver(address)
    assert detach.body.error.condition == "amqp:resource-locked"
    client.close()
    assert not simulated.vhost.queues


def test_a_drain_of_no_credit_is_answered_behind_what_is_on_its_way(connect: Connect) -> None:
    client = connect()
    client.attach_sender("/queue/q")
    client.publish(data(b"x"))
    client.attach_receiver("/queues/q")
    got = client.credit(1)
    assert len(messages(got)) == 1
    (flow,) = of(Flow, client.credit(0, delivery_count=1, drain=True))
    assert (flow.drain, flow.link_credit, flow.delivery_count) == (True, 0, 1)


def test_a_release_counts_as_an_acquisition_and_a_lost_connection_as_a_failure(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    simulated.broker.counts_returns = False
    client = connect()
    declare_queue(client.connection.logged_in, "q", durable=True, arguments={"x-queue-type": "quorum"})
    client.attach_sender("/queues/q")
    client.publish(data(b"x"))
    client.attach_receiver("/queues/q")
    client.credit(1)
    client.settle(0, state=Released())
    (message,) = messages(client.credit(1, delivery_count=1))
    shown = annotations_of(message)
    assert (message.delivery_count, shown.get("x-delivery-count"), shown["x-acquired-count"]) == (0, None, 1)
    client.transport.lose()
    other = connect()
    other.attach_receiver("/queues/q")
    (message,) = messages(other.credit(1))
    shown = annotations_of(message)
    assert (message.delivery_count, shown["x-delivery-count"], shown["x-acquired-count"]) == (1, 1, 2)
