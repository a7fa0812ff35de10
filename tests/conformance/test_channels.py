"""Opening, failing and closing channels, and the numbers they go by (A.4)."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Workbench, queue_exists
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address, WireClient, close_channel, wire_client

OPEN = wire.shortstr("")


def fail(client: WireClient, channel: int) -> None:
    """Something that the broker answers by closing the channel."""
    client.send(passive_declare(channel, "missing"))


def passive_declare(channel: int, queue: str) -> bytes:
    names = wire.short(0) + wire.shortstr(queue)
    return wire.method(channel, "queue.declare", names, wire.bits(True), wire.table())


def test_opening_twice(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        client.send(wire.method(1, "channel.open", OPEN))
        close = client.expect_connection_close()
    assert (close.code, close.class_id, close.method_id) == (504, 20, 10)
    assert "CHANNEL_ERROR - second 'channel.open' seen" in close.text


@pytest.mark.parametrize("name", ["channel.flow", "channel.close", "queue.declare", "tx.select"])
def test_methods_before_open(broker_address: Address, name: str) -> None:
    arguments = {
        "channel.flow": wire.bits(True),
        "channel.close": wire.short(200) + wire.shortstr("") + wire.long(0),
        "queue.declare": wire.short(0) + wire.shortstr("") + wire.bits(False) + wire.table(),
        "tx.select": b"",
    }[name]
    with wire_client(broker_address, channel=None) as client:
        client.send(wire.method(1, name, arguments))
        close = client.expect_connection_close()
    assert close.code == 504
    assert "CHANNEL_ERROR - expected 'channel.open'" in close.text


def test_numbers_can_be_used_again(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        for _ in range(10):
            client.send(close_channel(1))
            client.expect("channel.close-ok", 1)
            client.open_channel(1)
        client.round_trip(1)


def test_numbers_can_be_used_again_after_an_error(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        for _ in range(10):
            fail(client, 1)
            assert client.expect_channel_close(1).code == 404
            client.open_channel(1)
        client.round_trip(1)


def test_frames_for_a_failed_channel_are_dropped_until_close_ok(bench: Workbench, channel: BlockingChannel) -> None:
    never, queue = bench.name("never"), bench.queue(channel)
    with wire_client(bench.address) as client:
        fail(client, 1)
        names = wire.short(0) + wire.shortstr(never)
        client.send(wire.method(1, "queue.declare", names, wire.bits(False), wire.table()))
        client.send(wire.publish(1, "", queue, b"dropped"))
        assert client.expect_channel_close(1).code == 404
        client.open_channel(1)
        client.round_trip(1)
    assert not queue_exists(bench, never)
    assert channel.queue_declare(queue, passive=True).method.message_count == 0


def test_failing_in_the_middle_of_contents(bench: Workbench, channel: BlockingChannel) -> None:
    """The header and body that belong to a refused publish are dropped too."""
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        client.send(wire.publish(1, "missing", "key", b"x" * 1000), wire.publish(1, "", queue, b"dropped"))
        assert client.expect_channel_close(1).code == 404
        client.open_channel(1)
        client.send(wire.publish(1, "", queue, b"kept"))
        client.round_trip(1)
    assert channel.queue_declare(queue, passive=True).method.message_count == 1


def test_both_sides_closing_at_once(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        fail(client, 1)
        client.send(close_channel(1))
        assert client.expect("channel.close", 1).short() == 404
        client.expect("channel.close-ok", 1)
        client.send(wire.method(1, "channel.close-ok"))
        client.open_channel(1)
        client.round_trip(1)


def test_closing_tells_which_method_failed(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        fail(client, 1)
        close = client.expect_channel_close(1)
    assert (close.class_id, close.method_id) == (50, 10)
    assert close.text == "NOT_FOUND - no queue 'missing' in vhost '/'"


def test_long_texts_are_cut(broker_address: Address) -> None:
    """Reply texts are short strings: 255 octets (A.1)."""
    with wire_client(broker_address) as client:
        client.send(passive_declare(1, "q" * 255))
        close = client.expect_channel_close(1)
    assert close.text.startswith("NOT_FOUND - no queue 'qqq")
    assert 200 <= len(close.text.encode()) <= 255


def test_long_texts_are_cut_between_characters(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        client.send(passive_declare(1, "日" * 85))
        close = client.expect_channel_close(1)
    assert close.code == 404
    assert close.text.encode(), "still UTF-8"


def test_flow_on_is_answered(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        client.send(wire.method(1, "channel.flow", wire.bits(True)))
        assert client.expect("channel.flow-ok", 1).octet() == 1


def test_as_many_channels_as_negotiated(broker_address: Address) -> None:
    with wire_client(broker_address, channel=None, channel_max=5) as client:
        for number in range(1, 6):
            client.open_channel(number)
        client.send(wire.method(6, "channel.open", OPEN))
        close = client.expect_connection_close()
    words = "NOT_ALLOWED - number of channels opened (5) has reached the negotiated channel_max (5)"
    assert (close.code, words in close.text) == (530, True)


def test_closed_channels_make_room(broker_address: Address) -> None:
    with wire_client(broker_address, channel=None, channel_max=1) as client:
        client.open_channel(1)
        client.send(close_channel(1))
        client.expect("channel.close-ok", 1)
        client.open_channel(1)
        client.round_trip(1)


def test_all_2047_channels(broker_address: Address) -> None:
    with wire_client(broker_address, channel=None) as client:
        client.send(*(wire.method(number, "channel.open", OPEN) for number in range(1, 2048)))
        for _ in range(2047):
            client.expect("channel.open-ok")
        client.round_trip(1)
        client.round_trip(2047)
        client.send(wire.method(2048, "channel.open", OPEN))
        close = client.expect_connection_close()
    words = "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)"
    assert (close.code, words in close.text) == (530, True)


def test_access_request_always_gets_a_ticket(broker_address: Address) -> None:
    with wire_client(broker_address) as client:
        client.send(wire.method(1, "access.request", wire.shortstr("/data"), wire.bits(True, True, True)))
        assert client.expect("access.request-ok", 1).short() == 1
