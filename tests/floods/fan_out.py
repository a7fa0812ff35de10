"""Floods over AMQP 0-9-1 of messages that each go to very many queues."""

from __future__ import annotations

from typing import Final

from tests.floods.stage import CHANNEL, PERSISTENT, Amqp, Stage
from tests.floods.table import flood
from tests.support import amqp_bytes as wire

MESSAGES: Final = 100

MESSAGE: Final = wire.publish(CHANNEL, "amq.fanout", "", b"0123456789", properties=PERSISTENT)


def bound(stage: Stage) -> Amqp:
    """A client, with as many queues as the flood's size, which all get what is published to a fanout exchange."""
    client = stage.amqp()
    client.frames(
        client.declaration(f"q{number}") + client.bind("amq.fanout", f"q{number}", "") for number in range(stage.size)
    )
    client.turn()
    return client


@flood(8_000, small=1_000, calls=60_000)
def messages_to_many(stage: Stage) -> None:
    """Messages that come together go to thousands of queues each."""
    client = bound(stage)
    with stage.measured():
        client.send(MESSAGE * MESSAGES)
        client.turn()


@flood(8_000, small=1_000, calls=130_000)
def tx_commit_to_many(stage: Stage) -> None:
    """Such messages are committed together."""
    client = bound(stage)
    client.call("tx.select")
    client.send(MESSAGE * MESSAGES)
    client.turn()
    with stage.measured():
        client.call("tx.commit")
