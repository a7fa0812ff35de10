"""Links that we publish by: outcomes, credit, several frames, and what is wrong (part 2, 2.6; spec H.1, I)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import Attach, Close, Detach, Disposition, End, Flow, Transfer
from warren.adapters.amqp10.codec.termini import Accepted, Rejected, Released
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.core.declaring.queues import declare_queue


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """A connection with a session, and a queue `q`."""
    made = connect()
    declare_queue(made.connection.logged_in, "q", durable=True)
    return made


def test_a_sender_is_given_credit_and_told_that_its_message_is_safe(
    client: Amqp10Client, simulated: SimulatedBroker
) -> None:
    attach, flow = client.attach_sender("/queues/q")
    assert (attach.body.role, attach.body.target.address) == (True, "/queues/q")
    assert attach.body.max_message_size == 16 * 2**20
    assert (flow.body.link_credit, flow.body.delivery_count, flow.body.handle) == (1000, 0, 0)
    told = only(Disposition, client.publish(data(b"one")))
    assert (told.role, told.first, told.settled, type(told.state)) == (True, 0, True, Accepted)
    assert simulated.queue("q").ready_count == 1


def test_what_came_settled_is_not_told(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_sender("/queues/q")
    assert client.publish(data(b"one"), settled=True) == []
    assert simulated.queue("q").ready_count == 1


def test_a_stored_message_is_accepted_after_the_flush(durable: SimulatedBroker) -> None:
    client = Amqp10Client(durable).open().begin()
    declare_queue(client.connection.logged_in, "q", durable=True)
    client.attach_sender("/queues/q")
    durable.settle()
    durable.commits_by_itself = False
    assert client.publish(b"\x00\x53\x70\xc0\x02\x01\x41" + data(b"one")) == []
    durable.begin_commit()
    assert client.take() == []
    durable.finish_commit()
    assert isinstance(only(Disposition, client.take()).state, Accepted)


def test_runs_of_messages_are_accepted_together(client: Amqp10Client) -> None:
    client.attach_sender("/queues/q")
    sent = b""
    for number in range(50):
        body = Transfer()
        body.delivery_id, body.delivery_tag, body.message_format = number, b"t", 0
        sent += frame_of(0, encode_composite(body) + data(b"x"))
    told = only(Disposition, client.send_bytes(sent))
    assert (told.first, told.last) == (0, 49)


def test_credit_is_bounded_by_what_is_not_safe_yet(durable: SimulatedBroker) -> None:
    client = Amqp10Client(durable, Amqp10Settings(link_credit=4)).open().begin()
    declare_queue(client.connection.logged_in, "q", durable=True)
    durable.settle()
    _, flow = client.attach_sender("/queues/q")
    assert flow.body.link_credit == 4
    durable.commits_by_itself = False
    for _ in range(4):
        assert client.publish(b"\x00\x53\x70\xc0\x02\x01\x41" + data(b"x"), settled=True) == []
    durable.begin_commit()
    durable.finish_commit()
    assert only(Flow, client.take()).link_credit == 4


def test_who_sends_without_credit_loses_the_link(client: Amqp10Client) -> None:
    client = client.begin(1)
    client.connection.settings = Amqp10Settings(link_credit=1)
    client.attach_sender("/queues/q", channel=1)
    client.connection.broker.alarms.set("memory", True)
    client.publish(data(b"one"), channel=1)
    detach = only(Detach, client.publish(data(b"two"), channel=1))
    assert detach.error.condition == "amqp:link:transfer-limit-exceeded"


def test_an_alarm_is_no_new_credit_until_it_is_over(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    alarms = simulated.broker.alarms
    alarms.set("memory", True)
    only(Attach, client.attach_sender("/queues/q"))
    assert client.connection.connection_row().state == "blocked"
    alarms.set("memory", False)
    assert only(Flow, client.take()).link_credit == 1000


def test_a_message_in_several_frames_is_one(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_sender("/queues/q")
    whole = data(b"several frames")
    for at in range(len(whole) - 1):
        assert client.publish(whole[at : at + 1], more=True, delivery_id=0 if not at else None) == []
    told = only(Disposition, client.publish(whole[-1:], delivery_id=None))
    assert told.first == 0
    assert [message.body for message in simulated.queue("q").browse(0, 9)] == [b"several frames"]


def test_an_aborted_message_never_was(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_sender("/queues/q")
    assert client.publish(b"\x00\x53", more=True) == []
    assert client.publish(b"", aborted=True, delivery_id=None) == []
    client.publish(data(b"whole"))
    assert simulated.queue("q").ready_count == 1


def test_a_message_that_leads_nowhere_is_released(client: Amqp10Client) -> None:
    client.attach_sender("/exchanges/amq.direct/nobody")
    assert isinstance(only(Disposition, client.publish(data(b"one"))).state, Released)


def test_a_full_queue_rejects_and_is_named(client: Amqp10Client) -> None:
    declare_queue(
        client.connection.logged_in, "full", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    client.attach_sender("/queues/full")
    client.publish(data(b"one"))
    state = only(Disposition, client.publish(data(b"two"))).state
    assert isinstance(state, Rejected)
    assert state.error is not None
    assert state.error.condition == "amqp:resource-limit-exceeded"
    assert state.error.info == {"queue": "full", "reason": "maxlen"}


@pytest.mark.parametrize(
    ("address", "condition"),
    [
        ("/queues/nothing", "amqp:not-found"),
        ("/exchanges/nothing/key", "amqp:not-found"),
        ("/exchanges//key", "amqp:not-found"),
        ("/exchanges/amq.direct/a/b", "amqp:not-found"),
        ("/queues/", "amqp:not-found"),
        ("/queues/a%2", "amqp:invalid-field"),
        ("/queues/%zz", "amqp:invalid-field"),
        ("/queues/%ff", "amqp:invalid-field"),
        ("/nothing/known", "amqp:not-found"),
        ("", "amqp:not-found"),
    ],
)
def test_an_address_that_names_nothing_is_told(client: Amqp10Client, address: str, condition: str) -> None:
    attach, detach = client.attach_sender(address)
    assert attach.body.target is None
    assert detach.body.closed
    assert detach.body.error.condition == condition
    assert client.detach(0) == []
    assert len(client.attach_sender("/queues/q")) == 2


def test_names_are_percent_encoded(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    declare_queue(client.connection.logged_in, "a/b ü", durable=True)
    client.attach_sender("/queues/a%2Fb%20%C3%BC")
    client.publish(data(b"one"))
    assert simulated.queue("a/b ü").ready_count == 1


def test_each_message_may_say_where_it_goes(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    def to(address: str) -> bytes:
        text = address.encode()
        fields = b"\x40\x40\xa1" + bytes((len(text),)) + text
        return b"\x00\x53\x73\xc0" + bytes((len(fields) + 1, 3)) + fields + data(b"x")

    client.attach_sender(None)
    assert isinstance(only(Disposition, client.publish(to("/queues/q"))).state, Accepted)
    for wrong in ("/queues/nothing", "/exchanges/nothing/k", "nowhere/at/all", "/queues/%2"):
        client.connection.settings = Amqp10Settings(addresses_v1=False)
        state = only(Disposition, client.publish(to(wrong))).state
        assert isinstance(state, Rejected), wrong
    assert isinstance(only(Disposition, client.publish(data(b"x"))).state, Rejected)
    assert isinstance(only(Disposition, client.publish(to("/exchanges/amq.direct/none"))).state, Released)
    assert simulated.queue("q").ready_count == 1


def test_older_addresses_are_understood_unless_they_are_switched_off(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    client = connect()
    client.attach_sender("/queue/made", handle=0)
    client.attach_sender("made too", handle=1)
    client.attach_sender("/topic/a.b", handle=2)
    client.attach_sender("/exchange/amq.direct/key", handle=3)
    assert {"made", "made too"} <= set(simulated.vhost.queues)
    assert len(client.connection.sessions[0].links) == 4
    strict = connect(Amqp10Settings(addresses_v1=False))
    for address in ("/queue/made", "made", "/topic/a", "/exchange/amq.direct/key"):
        _, detach = strict.attach_sender(address, handle=9)
        assert detach.body.error.condition == "amqp:not-found"
        strict.detach(9)


def test_the_subject_is_the_key_where_the_address_has_none(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.attach_sender("/queue")
    declare_queue(client.connection.logged_in, "named", durable=True)
    subject = b"\x00\x53\x73\xc0\x0b\x04\x40\x40\x40\xa1\x05named"
    client.publish(subject + data(b"x"))
    assert simulated.queue("named").ready_count == 1


def test_a_message_that_is_none_ends_the_link_alone(client: Amqp10Client) -> None:
    client.attach_sender("/queues/q")
    client.attach_sender("/queues/q", handle=5)
    detach = only(Detach, client.publish(b"\x00\x53\x99\x45"))
    assert detach.error.condition == "amqp:decode-error"
    assert client.publish(data(b"still on its way")) == []
    assert isinstance(only(Disposition, client.publish(data(b"other"), handle=5)).state, Accepted)


def test_a_message_that_is_too_large_ends_the_link(connect: Connect) -> None:
    client = connect(Amqp10Settings(message_bytes_max=100))
    client.attach_sender("/queue/q")
    client.publish(data(bytes(90)), more=True)
    detach = only(Detach, client.publish(bytes(90), delivery_id=None))
    assert detach.error.condition == "amqp:link:message-size-exceeded"


def test_somebody_elses_name_is_refused(client: Amqp10Client) -> None:
    client.attach_sender("/queues/q")
    user = b"\x00\x53\x73\xc0\x09\x02\x40\xa0\x05other"
    assert only(Detach, client.publish(user + data(b"x"))).error.condition == "amqp:unauthorized-access"


def test_a_transfer_beyond_the_window_ends_the_session(client: Amqp10Client) -> None:
    client.attach_sender("/queues/q")
    client.connection.sessions[0].incoming_window = 0
    end = only(End, client.publish(data(b"x")))
    assert end.error.condition == "amqp:session:window-violation"
    assert client.publish(data(b"on its way")) == []
    assert client.end() == []
    client.begin()


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ({"delivery_id": None}, "amqp:invalid-field"),
        ({"message_format": 7}, "amqp:not-implemented"),
    ],
)
def test_a_transfer_that_can_not_be_ends_the_link(client: Amqp10Client, fields: dict[str, Any], condition: str) -> None:
    client.attach_sender("/queues/q")
    assert only(Detach, client.publish(data(b"x"), **fields)).error.condition == condition


def test_one_delivery_ends_before_the_next_begins(client: Amqp10Client) -> None:
    client.attach_sender("/queues/q")
    client.publish(data(b"x")[:3], more=True)
    assert only(Detach, client.publish(data(b"y"))).error.condition == "amqp:invalid-field"


def test_a_handle_that_nobody_has_ends_the_session(client: Amqp10Client) -> None:
    assert only(End, client.publish(data(b"x"), handle=3)).error.condition == "amqp:session:unattached-handle"


def test_a_channel_without_a_session_ends_the_connection(client: Amqp10Client) -> None:
    assert only(Close, client.publish(data(b"x"), channel=3)).error.condition == "amqp:not-allowed"


def test_counters_of_links_may_begin_anywhere(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    _, flow = client.attach_sender("/queues/q", initial_delivery_count=0xFFFF_FFFE)
    assert flow.body.delivery_count == 0xFFFF_FFFE
    for number in range(90):
        client.publish(data(b"%d" % number))
    assert simulated.queue("q").ready_count == 90
    asked = Flow()
    asked.handle, asked.echo = 0, True
    (answer,) = of(Flow, client.send(asked))
    assert answer.delivery_count == 88


def test_nothing_of_a_message_is_lost_on_its_way_through(client: Amqp10Client) -> None:
    client.attach_sender("/queues/q")
    client.publish(data(b"one"))
    client.attach_receiver("/queues/q")
    (message,) = messages(client.credit(1))
    assert body_of(message) == b"one"


@pytest.mark.parametrize("head", [b"", b"\x00\x53\x70\xc0\x02\x01\x41", b"\x00\x53\x73\xc0\x04\x01\xa1\x01i"])
def test_messages_that_are_alike_are_each_what_they_are(
    client: Amqp10Client, simulated: SimulatedBroker, head: bytes
) -> None:
    client.attach_sender("/queues/q")
    sizes = [0, 1, 16, 16, 255, 256, 300, 16]
    for size in sizes:
        content = bytes(size)
        short = b"\x00\x53\x75\xa0" + bytes((size,)) + content if size <= 255 else data(content)
        assert isinstance(only(Disposition, client.publish(head + short)).state, Accepted)
    client.publish(head + data(b"long form"))
    client.publish(head + b"\x00\x53\x77\x41")
    client.publish(head + b"\x00\x53\x75\xa0\x01x\x00\x53\x78\xc1\x01\x00")
    client.attach_receiver("/queues/q", snd_settle_mode=1)
    got = messages(client.credit(20))
    assert [len(body_of(each)) for each in got[: len(sizes)]] == sizes
    assert [body_of(each) for each in got[len(sizes) :]] == [b"long form", True, b"x"]
    assert {each.id for each in got} == {"i" if b"\x73" in head else None}
    assert only(Detach, client.publish(head + b"\x00\x53\x75\xa0\x05x")).error.condition == "amqp:decode-error"


def test_what_is_remembered_ends_with_what_it_rests_on(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_sender("/exchanges/amq.fanout")
    for _ in range(2):
        assert isinstance(only(Disposition, client.publish(data(b"x" * 300))).state, Released)
    made = simulated.connect()
    made.send(1, methods.QueueBind(0, "q", "amq.fanout", "", False))
    made.settle()
    assert isinstance(only(Disposition, client.publish(data(b"x" * 300))).state, Accepted)
    made.close()
