"""Reading a stream: from where, how fast, and again and again (spec H.2)."""

from __future__ import annotations

import pytest

from tests.adapters.amqp091.streams.talk import Talk, offset_of, properties_of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.administration.listing.selecting import Query, select
from warren.core.messages.field_table import Encodable, Timestamp
from warren.core.messages.properties import encode_properties

BODIES = [b"%d" % number for number in range(10)]


@pytest.fixture
def ten(talk: Talk) -> Talk:
    """Ten messages in one chunk."""
    talk.declare()
    talk.publish(*BODIES)
    return talk


def test_it_is_read_again_and_again(ten: Talk) -> None:
    for _ in range(3):
        assert ten.read("first") == BODIES
    assert ten.queue.ready_count == 10


def test_what_is_read_isnt_published_again(ten: Talk) -> None:
    for _ in range(3):
        ten.read("first")
    counts = ten.queue.message_counts
    assert (counts["publish"], counts["publish_bytes"], counts["deliver"]) == (10, 10, 30)
    query = Query("queues", columns=("messages", "message_bytes", "message_bytes_ram", "message_bytes_persistent"))
    (row,) = select(ten.broker.broker, query).finish().rows
    assert row == {
        "messages": 10,
        "message_bytes": None,
        "message_bytes_ram": None,
        "message_bytes_persistent": None,
    }


def test_every_delivery_says_its_offset(ten: Talk) -> None:
    ten.consume(x_stream_offset="first")
    ten.began()
    events = ten.deliveries()
    assert [offset_of(event) for event in events] == list(range(10))
    assert not any(event.method.redelivered for event in events if isinstance(event.method, methods.BasicDeliver))


def test_an_offset_within_a_chunk_begins_there(ten: Talk) -> None:
    assert ten.read(4) == BODIES[4:]


def test_without_an_offset_a_reader_gets_what_comes_next(ten: Talk) -> None:
    ten.consume()
    ten.began()
    assert ten.bodies() == []
    ten.client.publish("s", b"new")
    assert ten.bodies() == [b"new"]


@pytest.mark.parametrize("offset", ["next", 10, 1000])
def test_what_is_to_come_is_waited_for(ten: Talk, offset: Encodable) -> None:
    ten.consume(x_stream_offset=offset)
    ten.began()
    ten.client.publish("s", b"new")
    assert ten.bodies() == ([b"new"] if offset != 1000 else [])


def test_last_is_the_last_chunk(ten: Talk) -> None:
    ten.publish(b"a", b"b")
    assert ten.read("last") == [b"a", b"b"]


def test_a_time_gives_the_chunks_since_then(ten: Talk, broker: SimulatedBroker) -> None:
    broker.advance(10_000)
    between = broker.broker.now_ms // 1000
    broker.advance(10_000)
    ten.publish(b"later")
    assert ten.read(Timestamp(between)) == [b"later"]
    assert ten.read(Timestamp(between - 100)) == [*BODIES, b"later"]
    assert ten.read(Timestamp(between + 100)) == []


def test_an_age_gives_the_chunks_since_then(ten: Talk, broker: SimulatedBroker) -> None:
    broker.advance(7_200_000)
    ten.publish(b"later")
    assert ten.read("1h") == [b"later"]
    assert ten.read("3h") == [*BODIES, b"later"]
    assert ten.read("1m") == [b"later"]


def test_acknowledging_is_credit(ten: Talk) -> None:
    ten.consume(3, x_stream_offset="first")
    ten.began()
    assert ten.bodies() == BODIES[:3]
    ten.client.ack(1)
    assert ten.bodies() == BODIES[3:4]
    ten.client.ack(4, multiple=True)
    assert ten.bodies() == BODIES[4:7]


@pytest.mark.parametrize("requeue", [True, False])
def test_rejecting_is_credit_too_and_nothing_comes_again(ten: Talk, requeue: bool) -> None:
    ten.consume(3, x_stream_offset="first")
    ten.began()
    assert ten.bodies() == BODIES[:3]
    ten.client.nack(3, multiple=True, requeue=requeue)
    assert ten.bodies() == BODIES[3:6]
    assert ten.queue.unacked_count == 3
    ten.client.transport.lose()
    ten.broker.settle()
    assert ten.queue.unacked_count == 0
    assert ten.queue.ready_count == 10


def test_readers_go_at_their_own_pace(ten: Talk) -> None:
    ten.consume(2, tag="slow", x_stream_offset="first")
    ten.began()
    ten.consume(100, tag="quick", x_stream_offset="first")
    ten.began()
    events = ten.deliveries()
    taken: dict[str, list[bytes]] = {"slow": [], "quick": []}
    for event in events:
        assert isinstance(event.method, methods.BasicDeliver)
        taken[event.method.consumer_tag].append(event.body)
    assert taken == {"slow": BODIES[:2], "quick": BODIES}


def test_a_cancelled_reader_gets_nothing_more(ten: Talk) -> None:
    ten.consume(x_stream_offset="first")
    ten.began()
    ten.deliveries()
    ten.client.send(1, methods.BasicCancel("t"))
    ten.client.expect(methods.BasicCancelOk)
    ten.publish(b"new")
    assert ten.bodies() == []
    assert ten.queue.consumers == []


def test_what_a_filter_asks_for_comes_and_nothing_else(talk: Talk) -> None:
    talk.declare()
    talk.publish(b"a", headers={"x-stream-filter-value": "red"})
    talk.publish(b"b", headers={"x-stream-filter-value": "blue"})
    talk.publish(b"c")
    assert talk.read("first", x_stream_filter="red") == [b"a"]
    assert talk.read("first", x_stream_filter=["red", "blue"]) == [b"a", b"b"]
    assert talk.read("first", x_stream_filter="red", x_stream_match_unfiltered=True) == [b"a", b"c"]
    assert talk.read("first", x_stream_filter="green") == []
    assert talk.read("first") == [b"a", b"b", b"c"]


def test_a_filter_works_within_a_chunk_and_offsets_stay_right(talk: Talk) -> None:
    talk.declare()
    for number in range(100):
        headers: dict[str, Encodable] = {"x-stream-filter-value": "red" if number % 3 == 0 else "blue"}
        talk.client.publish("s", b"%d" % number, properties=encode_properties(headers=headers).raw)
    talk.broker.settle()
    talk.reconnect()
    talk.consume(x_stream_offset="first", x_stream_filter="red")
    talk.began()
    events = talk.deliveries()
    assert [event.body for event in events] == [b"%d" % number for number in range(0, 100, 3)]
    assert [offset_of(event) for event in events] == list(range(0, 100, 3))


def test_properties_come_back_as_they_were(talk: Talk) -> None:
    talk.declare()
    headers: dict[str, Encodable] = {"word": "text", "number": 7, "table": {"inner": [1, "two"]}, "none": None}
    fields: dict[str, object] = {
        "content_type": "text/plain",
        "delivery_mode": 2,
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "message_id": "m",
        "timestamp": 1_700_000_000,
        "type": "t",
        "app_id": "a",
    }
    talk.publish(b"body", headers=headers, **fields)
    talk.consume(x_stream_offset="first")
    talk.began()
    (event,) = talk.deliveries()
    found = properties_of(event)
    assert {name: getattr(found, name) for name in fields} == fields
    assert {name: value for name, value in (found.headers or {}).items() if name != "x-stream-offset"} == headers
    assert isinstance(event.method, methods.BasicDeliver)
    assert (event.method.exchange, event.method.routing_key) == ("", "s")


def test_many_are_given_out_in_turns(talk: Talk) -> None:
    talk.declare()
    bodies = [b"%d" % number for number in range(5000)]
    talk.publish(*bodies)
    talk.consume(10_000, x_stream_offset="first")
    talk.began()
    assert talk.bodies() == bodies


@pytest.mark.parametrize("stop", ["restart", "crash"])
def test_it_is_there_after_a_restart(talk: Talk, broker: SimulatedBroker, stop: str) -> None:
    talk.declare()
    talk.publish(*BODIES)
    getattr(broker, stop)()
    assert talk.read(5) == BODIES[5:]
    talk.publish(b"new")
    assert talk.read(10) == [b"new"]


def test_confirms_wait_for_the_disk(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    talk.client.send(1, methods.ConfirmSelect())
    talk.client.expect(methods.ConfirmSelectOk)
    broker.commits_by_itself = False
    talk.client.publish("s", b"a")
    assert talk.client.take_methods() == []
    broker.begin_commit()
    assert talk.client.take_methods() == []
    broker.finish_commit()
    assert talk.client.take_methods() == [methods.BasicAck(1, False)]


def test_what_is_not_on_disk_is_not_read(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    talk.consume(x_stream_offset="first")
    talk.began()
    broker.commits_by_itself = False
    talk.client.publish("s", b"a")
    assert talk.bodies() == []
    broker.begin_commit()
    broker.finish_commit()
    assert talk.bodies() == [b"a"]


def test_a_transaction_is_confirmed_with_what_it_has_published(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    talk.client.send(1, methods.TxSelect())
    talk.client.expect(methods.TxSelectOk)
    broker.commits_by_itself = False
    talk.client.publish("s", b"a")
    talk.client.send(1, methods.TxCommit())
    assert talk.client.take_methods() == []
    broker.begin_commit()
    broker.finish_commit()
    assert talk.client.take_methods() == [methods.TxCommitOk()]
    broker.commits_by_itself = True
    assert talk.read("first") == [b"a"]


def test_a_broker_in_memory_has_streams_too() -> None:
    talk = Talk(SimulatedBroker())
    talk.declare()
    talk.publish(*BODIES)
    assert talk.read(3) == BODIES[3:]
