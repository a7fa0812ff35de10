"""Why a channel or connection was closed: the rows of tests/support/reply_texts.py, on a socket, against any broker.

With `--broker rabbitmq` the texts are RabbitMQ's own, to the letter, so that the table says what RabbitMQ says.
"""

from __future__ import annotations

import pytest

from tests.support import amqp_bytes as wire
from tests.support import reply_texts
from tests.support.amqp_wire import Close, WireClient, wire_client
from tests.support.brokers import Broker
from tests.support.reply_texts import Row, begins_with


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in reply_texts.ROWS])
def test_the_table(broker: Broker, row: Row) -> None:
    with wire_client(broker.address) as other, wire_client(broker.address) as client:
        if row.before:
            other.send(row.before)
            other.read_frame()
        client.send_if_open(row.frames)
        closes, close = _close_of(client)
        other.send(reply_texts.CLEAN_UP)
        for _ in range(3):
            other.read_frame()
        other.close()
    if broker.is_warren:
        assert (closes, close.code) == (row.closes, row.code)
        assert begins_with(close.text, row.text, exact=row.exact), close.text
    else:
        assert (closes, close.text) == (row.in_3_10_closes, row.in_3_10[: reply_texts.TEXT_BYTES_MAX])


def _close_of(client: WireClient) -> tuple[str, Close]:
    """What was closed, and why; everything is at rest afterwards."""
    while not (frame := client.read_frame()).name.endswith(".close"):
        pass
    if frame.name == "connection.close":
        client.send_if_open(wire.method(0, "connection.close-ok"))
        client.read_to_end()
    else:
        client.send(wire.method(frame.channel, "channel.close-ok"))
        client.close()
    return frame.name.removesuffix(".close"), Close.of(frame)
