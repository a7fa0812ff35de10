"""Links that we receive by: credit, drain, windows, settlement, and what ends them (part 2, 2.6; spec H.1, I)."""

from __future__ import annotations

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, Frame, annotations_of, body_of, data, messages, of, only
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.performatives import SETTLED, Attach, Detach, Disposition, End, Flow, Transfer
from warren.adapters.amqp10.codec.termini import Accepted, Modified, Rejected, Released, Source
from warren.adapters.amqp10.codec.values import Described, Symbol
from warren.adapters.amqp10.settings import Amqp10Settings
from warren.core.declaring.queues import declare_queue, delete_queue
from warren.core.errors import BrokerError
from warren.core.messages.field_table import FieldValue


def fill(client: Amqp10Client, count: int, queue: str = "q") -> None:
    """So many messages in a queue, `0` and so on."""
    if queue not in client.simulated.vhost.queues:
        declare_queue(client.connection.logged_in, queue, durable=True)
    client.attach_sender(f"/queues/{queue}", handle=200, name=f"fill-{queue}")
    for number in range(count):
        client.publish(data(b"%d" % number), handle=200, settled=True)
    client.detach(200)
    client.take()


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """A connection with a session, and a queue `q` with ten messages."""
    made = connect()
    fill(made, 10)
    return made


def test_nothing_comes_before_there_is_credit_and_then_as_much_as_that(
    client: Amqp10Client, simulated: SimulatedBroker
) -> None:
    attach = only(Attach, client.attach_receiver("/queues/q"))
    assert (attach.role, attach.source.address, attach.initial_delivery_count) == (False, "/queues/q", 0)
    assert isinstance(attach.source.default_outcome, Released)
    got = client.credit(3)
    assert [body_of(each) for each in messages(got)] == [b"0", b"1", b"2"]
    assert [each.delivery_id for each in of(Transfer, got)] == [0, 1, 2]
    assert client.settle(0, 2) == []
    assert simulated.queue("q").ready_count == 7
    assert simulated.queue("q").unacked_count == 0


def test_settled_deliveries_obey_credit_too(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_receiver("/queues/q", snd_settle_mode=SETTLED)
    got = client.credit(3)
    assert [each.settled for each in of(Transfer, got)] == [True] * 3
    assert simulated.queue("q").unacked_count == 0
    assert simulated.queue("q").ready_count == 7


def test_settling_gives_no_credit(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    client.credit(2)
    assert client.settle(0, 1) == []
    got = client.credit(2, delivery_count=2)
    assert [body_of(each) for each in messages(got)] == [b"2", b"3"]


def test_drain_uses_up_what_is_left(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    got = client.credit(15, drain=True)
    assert len(messages(got)) == 10
    (flow,) = of(Flow, got)
    assert (flow.drain, flow.link_credit, flow.delivery_count) == (True, 0, 15)
    (flow,) = of(Flow, client.credit(0, delivery_count=15, drain=True))
    assert (flow.drain, flow.link_credit, flow.delivery_count) == (True, 0, 15)


def test_echo_is_answered_with_the_state_of_the_link(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    (flow,) = of(Flow, client.credit(4, echo=True))
    assert (flow.link_credit, flow.delivery_count, flow.available, flow.drain) == (0, 4, 6, False)
    asked = Flow()
    asked.echo = True
    asked.next_incoming_id, asked.incoming_window = 4, 100
    (flow,) = of(Flow, client.send(asked))
    assert (flow.handle, flow.next_outgoing_id) == (None, 4)


def test_the_window_of_the_session_holds_messages_back(connect: Connect) -> None:
    client = connect(window=3)
    fill(client, 10)
    client.attach_receiver("/queues/q")
    assert len(messages(client.credit(10, incoming_window=3))) == 3
    more = Flow()
    more.next_incoming_id, more.incoming_window = 3, 4
    assert len(messages(client.send(more))) == 4


def test_a_large_message_waits_in_parts_for_the_window(connect: Connect) -> None:
    client = connect(max_frame_size=512)
    client.attach_sender("/queue/q")
    client.publish(data(bytes(range(256)) * 10))
    client.attach_receiver("/queues/q")
    got = client.credit(5, incoming_window=2)
    assert len(of(Transfer, got)) == 2
    more = Flow()
    more.next_incoming_id, more.incoming_window = 2, 100
    rest = client.send(more)
    transfers = of(Transfer, got + rest)
    assert [each.delivery_id for each in transfers] == [0] + [None] * (len(transfers) - 1)
    assert [each.more for each in transfers] == [True] * (len(transfers) - 1) + [False]
    (message,) = messages(got + rest)
    assert body_of(message) == bytes(range(256)) * 10


def test_released_comes_again_and_says_so(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    client.credit(1)
    client.settle(0, state=Released())
    (message,) = messages(client.credit(1, delivery_count=1))
    assert body_of(message) == b"0"
    assert (message.first_acquirer, message.delivery_count) == (False, 0)


def dead_lettering(client: Amqp10Client) -> None:
    """A queue `work` whose dead letters come to `dead`, with one message."""
    declare_queue(client.connection.logged_in, "dead", durable=True)
    declare_queue(
        client.connection.logged_in,
        "work",
        durable=True,
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"},
    )
    fill(client, 1, "work")


@pytest.mark.parametrize("here", [True, False], ids=["rejected", "modified"])
def test_rejected_and_undeliverable_is_a_dead_letter(client: Amqp10Client, here: bool) -> None:
    dead_lettering(client)
    client.attach_receiver("/queues/work")
    client.credit(1)
    state: object = Rejected()
    if not here:
        state = Modified()
        state.undeliverable_here = True
    client.settle(0, state=state)
    client.attach_receiver("/queues/dead", handle=2)
    (message,) = messages(client.credit(1, handle=2))
    deaths = annotations_of(message)["x-opt-deaths"]
    assert [(death["queue"], death["reason"], death["count"]) for death in deaths] == [("work", "rejected", 1)]
    assert annotations_of(message)["x-first-death-reason"] == "rejected"


def test_modified_counts_a_failed_delivery(client: Amqp10Client) -> None:
    declare_queue(client.connection.logged_in, "counted", durable=True, arguments={"x-queue-type": "quorum"})
    fill(client, 1, "counted")
    client.attach_receiver("/queues/counted")
    client.credit(1)
    state = Modified()
    state.delivery_failed = True
    client.settle(0, state=state)
    (message,) = messages(client.credit(1, delivery_count=1))
    assert message.delivery_count == 1
    assert annotations_of(message)["x-delivery-count"] == 1


def test_a_receiver_that_settles_second_is_answered(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_receiver("/queues/q", rcv_settle_mode=1)
    client.credit(2)
    told = only(Disposition, client.settle(0, 1, settled=False))
    assert (told.role, told.first, told.last, told.settled, type(told.state)) == (False, 0, 1, True, Accepted)
    assert simulated.queue("q").unacked_count == 0


def test_ten_thousand_accepts_by_ranges_leave_nothing(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(window=20_000)
    declare_queue(client.connection.logged_in, "many", durable=True)
    queue = simulated.queue("many")
    fill(client, 10_000, "many")
    client.attach_receiver("/queues/many")
    assert len(messages(client.credit(10_000, incoming_window=20_000))) == 10_000
    for first in range(0, 10_000, 500):
        client.settle(first, first + 499)
    assert queue.unacked_count == 0
    assert not client.connection.sessions[0].deliveries.unacked


def test_one_range_may_settle_all_there_is(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect(window=20_000)
    fill(client, 10_000, "many")
    client.attach_receiver("/queues/many")
    client.credit(10_000, incoming_window=20_000)
    client.settle(0, 9_999)
    client.settle(0, 0x7FFF_0000)
    assert simulated.queue("many").unacked_count == 0


def test_what_was_settled_before_is_no_error(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    client.credit(2)
    client.settle(0)
    assert client.settle(0, 1) == []
    assert client.settle(77) == []


def test_a_range_that_ends_before_it_begins_ends_the_session(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    client.credit(2)
    assert only(End, client.settle(5, 1)).error.condition == "amqp:invalid-field"


@pytest.mark.parametrize("closed", [True, False])
def test_detaching_gives_back_what_is_not_settled(
    client: Amqp10Client, simulated: SimulatedBroker, closed: bool
) -> None:
    client.attach_receiver("/queues/q")
    client.credit(4)
    client.settle(0)
    assert only(Detach, client.detach(1, closed=closed)).closed is closed
    assert simulated.queue("q").ready_count == 9
    assert not simulated.queue("q").consumers
    client.attach_receiver("/queues/q")
    assert [body_of(each) for each in messages(client.credit(1))] == [b"1"]


def test_ending_the_session_gives_back_what_is_not_settled(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    client.attach_receiver("/queues/q")
    client.credit(4)
    only(End, client.end())
    assert simulated.queue("q").ready_count == 10
    assert client.connection.channel_rows() == []


def test_a_deleted_queue_detaches_its_links(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q")
    delete_queue(client.connection.logged_in, "q")
    detach = only(Detach, client.take())
    assert (detach.closed, detach.error.condition) == (True, "amqp:resource-deleted")


@pytest.mark.parametrize("links", [1, 3, 200])
def test_what_links_have_of_a_queue_that_is_deleted_is_not_counted_with_it(client: Amqp10Client, links: int) -> None:
    for handle in range(links):
        client.attach_receiver("/queues/q", handle=handle)
    client.credit(4, handle=0)
    counts: list[int | BrokerError] = []
    delete_queue(client.connection.logged_in, "q", answer=counts.append)
    client.simulated.settle()
    assert counts == [6]
    assert not client.connection.sessions[0].deliveries.unacked


def test_one_name_in_both_directions_is_two_links(client: Amqp10Client) -> None:
    client.attach_sender("/queues/q", handle=0, name="same")
    client.attach_receiver("/queues/q", handle=1, name="same")
    assert len(client.connection.sessions[0].links) == 2


def test_a_link_that_is_attached_again_is_stolen(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q", handle=1, name="one")
    detach, attach = client.attach_receiver("/queues/q", handle=2, name="one")
    assert (detach.body.handle, detach.body.error.condition) == (1, "amqp:link:stolen")
    assert attach.body.handle == 2


def test_handles_are_used_once_and_bounded(connect: Connect) -> None:
    client = connect()
    client.attach_sender("/queue/q", handle=7)
    assert only(End, client.attach_sender("/queue/q", handle=7, name="b")).error.condition == (
        "amqp:session:handle-in-use"
    )
    client.end()
    client.begin(1)
    (close,) = client.attach_sender("/queue/q", handle=256, channel=1)
    assert close.body.error.condition == "amqp:connection:framing-error"


def test_a_detach_of_a_handle_that_never_was_ends_the_session(client: Amqp10Client) -> None:
    assert only(End, client.detach(9)).error.condition == "amqp:session:unattached-handle"


@pytest.mark.parametrize("address", ["/queues/nothing", "/exchanges/amq.direct/k", "/queues/a/b", None])
def test_a_source_that_names_nothing_is_told(client: Amqp10Client, address: str | None) -> None:
    attach, detach = client.attach_receiver(address)
    assert attach.body.source is None
    assert detach.body.error.condition == "amqp:not-found"


def test_a_dynamic_source_is_a_queue_of_the_connections_own(client: Amqp10Client, simulated: SimulatedBroker) -> None:
    source = Source()
    source.dynamic = True
    answer = only(Attach, client.attach_receiver(None, source=source)).source
    assert answer.dynamic
    name = answer.address.removeprefix("/queues/")
    assert simulated.vhost.queues[name].owner is client.connection.client
    client.begin(1)
    client.attach_sender(answer.address, channel=1)
    client.publish(data(b"reply"), channel=1)
    assert [body_of(each) for each in messages(client.credit(1))] == [b"reply"]
    client.detach(1)
    assert name not in simulated.vhost.queues


def test_older_sources_are_bound_queues(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.attach_receiver("/topic/a.*")
    client.attach_sender("/exchanges/amq.topic/a.b")
    client.publish(data(b"x"))
    assert len(messages(client.credit(1))) == 1
    strict = connect(Amqp10Settings(addresses_v1=False))
    assert only(Detach, strict.attach_receiver("/topic/a")[1:]).error.condition == "amqp:not-found"


def test_priorities_of_consumers_are_properties_of_links(client: Amqp10Client) -> None:
    client.attach_receiver("/queues/q", handle=1, properties={"rabbitmq:priority": -1})
    client.attach_receiver("/queues/q", handle=2, properties={"rabbitmq:priority": 5})
    client.credit(1, handle=1)
    (queue,) = (each for each in client.simulated.vhost.queues.values() if each.name == "q")
    assert sorted(consumer.priority for consumer in queue.consumers) == [-1, 5]


def actives(frames: list[Frame]) -> list[object]:
    """What flows say of whether a link is the active one."""
    return [(each.properties or {}).get("rabbitmq:active") for each in of(Flow, frames)]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_a_link_is_told_whether_it_is_the_active_one(client: Amqp10Client, connect: Connect, kind: str) -> None:
    arguments: dict[str, FieldValue] = {"x-single-active-consumer": True, "x-queue-type": kind}
    declare_queue(client.connection.logged_in, "one", durable=True, arguments=arguments)
    fill(client, 2, "one")
    other = connect()
    assert actives(client.attach_receiver("/queues/one")) == [True]
    assert actives(other.attach_receiver("/queues/one")) == [False]
    assert messages(other.credit(5)) == []
    assert len(messages(client.credit(1))) == 1
    client.detach(1)
    got = other.take()
    assert actives(got)[0] is True
    assert len(messages(got)) == 2
    assert actives(other.credit(5, delivery_count=2, echo=True)) == [True]


def test_a_link_of_higher_priority_becomes_the_active_one(client: Amqp10Client, connect: Connect) -> None:
    arguments: dict[str, FieldValue] = {"x-single-active-consumer": True, "x-queue-type": "quorum"}
    declare_queue(client.connection.logged_in, "one", durable=True, arguments=arguments)
    assert actives(client.attach_receiver("/queues/one")) == [True]
    other = connect()
    assert actives(other.attach_receiver("/queues/one", properties={"rabbitmq:priority": 5})) == [True]
    assert actives(client.take()) == [False]


def test_links_of_other_queues_are_told_nothing(client: Amqp10Client) -> None:
    assert of(Flow, client.attach_receiver("/queues/q")) == []
    assert actives(client.credit(1, echo=True)) == [None]


@pytest.mark.parametrize(
    "name",
    [
        "rabbitmq:stream-offset-spec",
        "rabbitmq:stream-filter",
        "apache.org:selector-filter:string",
        "apache.org:no-local-filter:list",
    ],
)
def test_filters_of_streams_are_refused_by_queues(client: Amqp10Client, name: str) -> None:
    source = Source()
    source.address = "/queues/q"
    source.filter = {Symbol(name): Described(Symbol(name), "x")}
    assert only(Attach, client.attach_receiver(None, source=source)).source.filter is None
    assert len(messages(client.credit(10))) == 10


def test_unknown_filters_are_missing_in_the_answer(client: Amqp10Client) -> None:
    source = Source()
    source.address = "/queues/q"
    source.filter = {"anything": "x"}
    assert only(Attach, client.attach_receiver(None, source=source)).source.filter is None


def test_a_delivery_that_is_kept_too_long_is_released_and_the_link_stays(
    connect: Connect, simulated: SimulatedBroker
) -> None:
    client = connect(Amqp10Settings(idle_timeout_ms=0))
    declare_queue(client.connection.logged_in, "q", durable=True, arguments={"x-consumer-timeout": 60_000})
    fill(client, 1)
    client.attach_receiver("/queues/q")
    client.credit(1)
    for _ in range(12):
        simulated.advance(10_000)
    got = client.take()
    (told,) = of(Disposition, got)
    assert isinstance(told.state, Released)
    assert len(client.connection.sessions[0].links) == 1
    assert client.settle(0) == []
    assert len(messages(client.credit(1, delivery_count=1))) == 1
