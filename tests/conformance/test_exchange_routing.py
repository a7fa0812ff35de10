"""How messages find queues across exchanges: the default exchange, bindings between exchanges, alternates
(A.6)."""

from __future__ import annotations

from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Workbench,
    channel_refusal,
    drain,
    fill,
    get,
    ready_count,
    send,
    synchronise,
)
from tests.support.brokers import Broker


def test_default_exchange_routes_by_queue_name(bench: Workbench, channel: BlockingChannel) -> None:
    queue, other = bench.queue(channel), bench.queue(channel)
    send(channel, "", queue, b"message")
    delivery = get(channel, queue)
    assert delivery is not None
    assert (delivery.body, delivery.exchange, delivery.routing_key) == (b"message", "", queue)
    assert drain(channel, other) == []


def test_duplicate_routes_to_a_queue_deliver_once(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "fanout")
    queue = bench.bound_queue(channel, exchange, "a", "b", "a")
    send(channel, exchange, "", b"once")
    assert drain(channel, queue) == [b"once"]


def test_one_message_reaches_every_matching_queue(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "direct")
    queues = [bench.bound_queue(channel, exchange, "key") for _ in range(5)]
    other = bench.bound_queue(channel, exchange, "other")
    send(channel, exchange, "key", b"1", b"2")
    synchronise(channel)
    assert [drain(channel, queue) for queue in queues] == [[b"1", b"2"]] * 5
    assert drain(channel, other) == []


def test_rebinding_changes_nothing(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "direct")
    queue = bench.bound_queue(channel, exchange, "key", "key")
    channel.queue_unbind(queue, exchange, "key")
    send(channel, exchange, "key", b"message")
    synchronise(channel)
    assert drain(channel, queue) == []


def test_bindings_with_other_arguments_are_other_bindings(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "direct")
    queue = bench.queue(channel)
    channel.queue_bind(queue, exchange, "key", arguments={"note": 1})
    channel.queue_bind(queue, exchange, "key", arguments={"note": 2})
    channel.queue_unbind(queue, exchange, "key", arguments={"note": 1})
    channel.queue_unbind(queue, exchange, "key")
    send(channel, exchange, "key", b"still bound")
    synchronise(channel)
    assert drain(channel, queue) == [b"still bound"]


def test_unbinding_what_is_not_bound_is_fine(bench: Workbench, channel: BlockingChannel) -> None:
    exchange, queue = bench.exchange(channel), bench.queue(channel)
    source = bench.exchange(channel, "topic")
    channel.queue_unbind(queue, exchange, "never bound")
    channel.exchange_unbind(exchange, source, "never bound")
    synchronise(channel)


def test_binding_between_exchanges(bench: Workbench, channel: BlockingChannel) -> None:
    source, destination = bench.exchange(channel, "topic"), bench.exchange(channel, "direct")
    channel.exchange_bind(destination, source, "a.#")
    queue = bench.bound_queue(channel, destination, "a.b")
    send(channel, source, "a.b", b"both match")
    send(channel, source, "a.c", b"only the first matches")
    delivery = get(channel, queue)
    assert delivery is not None
    assert (delivery.body, delivery.exchange, delivery.routing_key) == (b"both match", source, "a.b")
    assert drain(channel, queue) == []


def test_unbinding_exchanges(bench: Workbench, channel: BlockingChannel) -> None:
    source, destination = bench.exchange(channel, "fanout"), bench.exchange(channel, "fanout")
    channel.exchange_bind(destination, source, "key")
    queue = bench.bound_queue(channel, destination, "")
    channel.exchange_unbind(destination, source, "key")
    send(channel, source, "key", b"message")
    synchronise(channel)
    assert drain(channel, queue) == []


def test_exchanges_bound_in_a_circle_deliver_once(bench: Workbench, channel: BlockingChannel) -> None:
    circle = [bench.exchange(channel, "fanout") for _ in range(3)]
    queues = [bench.bound_queue(channel, exchange, "") for exchange in circle]
    for source, destination in zip(circle, [*circle[1:], circle[0]], strict=True):
        channel.exchange_bind(destination, source)
    channel.exchange_bind(circle[0], circle[0])
    send(channel, circle[1], "", b"once")
    synchronise(channel)
    assert [drain(channel, queue) for queue in queues] == [[b"once"]] * 3


def test_two_ways_to_a_queue_deliver_once(bench: Workbench, channel: BlockingChannel) -> None:
    source = bench.exchange(channel, "fanout")
    queue = bench.bound_queue(channel, source, "")
    for _ in range(2):
        middle = bench.exchange(channel, "fanout")
        channel.exchange_bind(middle, source)
        channel.queue_bind(queue, middle)
    send(channel, source, "", b"once")
    synchronise(channel)
    assert drain(channel, queue) == [b"once"]


def test_alternate_exchange_gets_what_was_not_routed(bench: Workbench, channel: BlockingChannel) -> None:
    alternate = bench.exchange(channel, "fanout")
    exchange = bench.exchange(channel, "direct", arguments={"alternate-exchange": alternate})
    routed = bench.bound_queue(channel, exchange, "key")
    caught = bench.bound_queue(channel, alternate, "")
    send(channel, exchange, "key", b"routed")
    send(channel, exchange, "other", b"not routed")
    delivery = get(channel, caught)
    assert delivery is not None
    assert (delivery.body, delivery.exchange, delivery.routing_key) == (b"not routed", exchange, "other")
    assert drain(channel, caught) == []
    assert drain(channel, routed) == [b"routed"]


def test_alternate_exchanges_form_chains(bench: Workbench, channel: BlockingChannel) -> None:
    last = bench.exchange(channel, "fanout")
    middle = bench.exchange(channel, "direct", arguments={"alternate-exchange": last})
    first = bench.exchange(channel, "direct", arguments={"alternate-exchange": middle})
    at_middle, at_last = bench.bound_queue(channel, middle, "middle"), bench.bound_queue(channel, last, "")
    send(channel, first, "middle", b"to the second")
    send(channel, first, "nowhere", b"to the third")
    synchronise(channel)
    assert drain(channel, at_middle) == [b"to the second"]
    assert drain(channel, at_last) == [b"to the third"]


def test_alternate_exchanges_in_a_circle_end(bench: Workbench, channel: BlockingChannel) -> None:
    first, second = bench.name("exchange"), bench.name("exchange")
    channel.exchange_declare(first, "direct", arguments={"alternate-exchange": second})
    channel.exchange_declare(second, "direct", arguments={"alternate-exchange": first})
    queue = bench.bound_queue(channel, second, "key")
    send(channel, first, "nowhere", b"dropped")
    send(channel, first, "key", b"routed")
    synchronise(channel)
    assert drain(channel, queue) == [b"routed"]


def test_missing_alternate_exchange_drops(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "direct", arguments={"alternate-exchange": bench.name("missing")})
    queue = bench.bound_queue(channel, exchange, "key")
    send(channel, exchange, "nowhere", b"dropped")
    send(channel, exchange, "key", b"routed")
    synchronise(channel)
    assert drain(channel, queue) == [b"routed"]


def test_alternate_of_an_exchange_reached_by_binding(bench: Workbench, channel: BlockingChannel) -> None:
    alternate = bench.exchange(channel, "fanout")
    caught = bench.bound_queue(channel, alternate, "")
    middle = bench.exchange(channel, "direct", arguments={"alternate-exchange": alternate})
    source = bench.exchange(channel, "fanout")
    channel.exchange_bind(middle, source)
    send(channel, source, "key", b"message")
    synchronise(channel)
    assert drain(channel, caught) == [b"message"]


def test_internal_exchange_is_reached_by_binding_only(bench: Workbench, channel: BlockingChannel) -> None:
    internal = bench.exchange(channel, "fanout", internal=True)
    queue = bench.bound_queue(channel, internal, "")
    source = bench.exchange(channel, "fanout")
    channel.exchange_bind(internal, source)
    send(channel, source, "", b"by way of the binding")
    synchronise(channel)
    assert drain(channel, queue) == [b"by way of the binding"]
    with channel_refusal(403, "ACCESS_REFUSED - cannot publish to internal exchange"):
        send(channel, internal, "", b"directly")
        synchronise(channel)


def test_deleting_a_queue_ends_its_routes(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "fanout")
    queue = bench.bound_queue(channel, exchange, "")
    other = bench.bound_queue(channel, exchange, "")
    send(channel, exchange, "", b"1")
    channel.queue_delete(queue)
    send(channel, exchange, "", b"2")
    channel.queue_declare(queue)
    send(channel, exchange, "", b"3")
    synchronise(channel)
    assert drain(channel, other) == [b"1", b"2", b"3"]
    assert drain(channel, queue) == []


def test_a_route_that_was_used_follows_new_bindings(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "topic")
    first = bench.bound_queue(channel, exchange, "a.*")
    send(channel, exchange, "a.b", b"1")
    second = bench.bound_queue(channel, exchange, "#")
    send(channel, exchange, "a.b", b"2")
    channel.queue_unbind(first, exchange, "a.*")
    send(channel, exchange, "a.b", b"3")
    synchronise(channel)
    assert drain(channel, first) == [b"1", b"2"]
    assert drain(channel, second) == [b"2", b"3"]


def test_messages_keep_their_order_through_an_exchange(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    bodies = fill(channel, queue, 500)
    first = get(channel, queue)  # which comes behind all of them, as RabbitMQ's counts may not
    assert first is not None
    assert ready_count(channel, queue) == 499
    assert [first.body, *drain(channel, queue)] == bodies


def test_a_missing_alternate_exchange_drops_and_is_told_of_once(
    bench: Workbench, channel: BlockingChannel, broker: Broker
) -> None:
    exchange = bench.exchange(channel, "headers", arguments={"alternate-exchange": "nowhere"})
    send(channel, exchange, "key", b"1", b"2", b"3")
    synchronise(channel)
    if broker.is_warren:
        assert broker.read_log().count(f"exchange '{exchange}' has the alternate exchange 'nowhere'") == 1
