"""What a stream can be, and can't (spec H.2)."""

from __future__ import annotations

import pytest

from tests.adapters.amqp091.streams.talk import Talk
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import Encodable


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ({"durable": False}, "non-durable"),
        ({"exclusive": True}, "exclusive"),
        ({"auto_delete": True}, "auto-delete"),
        ({"name": ""}, "server-named"),
    ],
)
def test_what_a_stream_cannot_be_is_refused(talk: Talk, flags: dict[str, bool], word: str) -> None:
    talk.ask_to_declare(**flags)  # type: ignore[arg-type]  # flags and a name
    assert word in talk.refusal(406)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x_max_age", "7"),
        ("x_max_age", "0D"),
        ("x_max_age", 7),
        ("x_max_age", "7d"),
        ("x_max_length_bytes", -1),
        ("x_max_length_bytes", "many"),
        ("x_stream_max_segment_size_bytes", 3_000_000_001),
        ("x_stream_filter_size_bytes", 15),
        ("x_stream_filter_size_bytes", 256),
        ("x_message_ttl", 1000),
        ("x_max_length", 10),
        ("x_max_priority", 5),
        ("x_dead_letter_exchange", "x"),
        ("x_expires", 1000),
        ("x_single_active_consumer", True),
    ],
)
def test_arguments_that_are_wrong_or_of_other_types_are_refused_by_name(
    talk: Talk, name: str, value: Encodable
) -> None:
    talk.ask_to_declare({name: value})
    assert name.replace("_", "-") in talk.refusal(406)


def test_all_its_arguments_are_taken_and_must_be_repeated(talk: Talk) -> None:
    arguments: dict[str, Encodable] = {
        "x_max_age": "7D",
        "x_max_length_bytes": 10**9,
        "x_stream_max_segment_size_bytes": 10**6,
        "x_stream_filter_size_bytes": 32,
        "x_initial_cluster_size": 3,
        "x_queue_leader_locator": "balanced",
    }
    talk.declare(arguments)
    talk.declare(arguments)
    talk.ask_to_declare({**arguments, "x_max_age": "8D"})
    assert "x-max-age" in talk.refusal(406)


def test_other_types_refuse_what_is_a_streams(talk: Talk) -> None:
    talk.client.send(1, methods.QueueDeclare(queue="c", arguments={"x-max-age": "1D"}))
    assert "x-max-age" in talk.refusal(406)


def test_a_consumer_of_another_type_has_no_offset(talk: Talk) -> None:
    talk.client.send(1, methods.QueueDeclare(queue="s"))
    talk.client.expect(methods.QueueDeclareOk)
    talk.consume(x_stream_offset="first")
    assert "x-stream-offset" in talk.refusal(406)


def test_what_takes_messages_away_is_refused(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    talk.publish(b"a")
    talk.client.send(1, methods.BasicGet(queue="s"))
    assert "basic.get not supported by stream queues" in talk.refusal(540)
    talk.reconnect()
    talk.client.send(1, methods.QueuePurge(queue="s"))
    assert "queue.purge not supported by stream queues" in talk.refusal(540)
    assert talk.queue.ready_count == 1


def test_a_consumer_needs_prefetch_and_acknowledges(talk: Talk) -> None:
    talk.declare()
    talk.consume(0)
    assert "prefetch" in talk.refusal(406)
    talk.reconnect()
    talk.consume(no_ack=True)
    assert "automatic acknowledgement not supported" in talk.refusal(540)
    talk.reconnect()
    talk.client.send(1, methods.BasicQos(prefetch_count=10, global_=True))
    talk.client.expect(methods.BasicQosOk)
    talk.consume(0)
    assert "global" in talk.refusal(540)


@pytest.mark.parametrize("offset", ["sometime", -1, True, 1.5, ["first"], "5x"])
def test_an_offset_that_is_none_is_refused(talk: Talk, offset: Encodable) -> None:
    talk.declare()
    talk.consume(x_stream_offset=offset)
    assert "x-stream-offset" in talk.refusal(406)


@pytest.mark.parametrize("values", [1, ["a", 1], []])
def test_a_filter_that_is_none_is_refused(talk: Talk, values: Encodable) -> None:
    talk.declare()
    talk.consume(x_stream_filter=values)
    assert "x-stream-filter" in talk.refusal(406)


def test_a_deleted_stream_is_gone_from_the_disk_and_its_readers_are_told(talk: Talk, broker: SimulatedBroker) -> None:
    talk.declare()
    talk.publish(b"a", b"b")
    talk.consume(x_stream_offset="first")
    talk.began()
    assert talk.bodies() == [b"a", b"b"]
    number = talk.queue.store_id
    assert broker.broker.store.streams.numbers() == [number]
    talk.client.send(1, methods.QueueDelete(queue="s"))
    talk.client.expect(methods.BasicCancel)
    assert talk.client.expect(methods.QueueDeleteOk).message_count == 2
    assert broker.broker.store.streams.numbers() == []
    talk.declare()
    assert talk.queue.store_id != number
    assert talk.read("first") == []
