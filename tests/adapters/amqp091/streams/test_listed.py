"""Streams in the sums of a virtual host."""

from __future__ import annotations

from tests.adapters.amqp091.streams.talk import Talk
from warren.core.administration.listing.selecting import Query, select


def test_what_readers_have_is_counted_once(talk: Talk) -> None:
    talk.declare()
    talk.publish(b"1", b"2", b"3")
    talk.consume(x_stream_offset="first")
    talk.began()
    assert len(talk.deliveries()) == 3
    columns = ("messages", "messages_ready", "messages_unacknowledged")
    (row,) = select(talk.broker.broker, Query("vhosts", None, columns)).finish().rows
    assert row == {"messages": 3, "messages_ready": 3, "messages_unacknowledged": 3}
