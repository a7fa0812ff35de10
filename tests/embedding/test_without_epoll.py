"""The hub where the system has no selector that can be waited on (Windows): it looks at its sockets at intervals."""

from __future__ import annotations

import selectors

import pika
import pytest
import trio

from warren import gateway

BODIES = [b"%d" % number for number in range(200)]


def exchange_messages(url: str) -> list[bytes]:
    """Publish and consume with a blocking client; gives what arrived."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        channel.confirm_delivery()
        for body in BODIES:
            channel.basic_publish("", "q", body)
        received = []
        for method, _, body in channel.consume("q", inactivity_timeout=30):
            assert method is not None
            channel.basic_ack(method.delivery_tag)
            received.append(body)
            if len(received) == len(BODIES):
                return received
    return []


async def test_the_hub_works_without_a_descriptor_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    async with gateway.open_broker() as broker:
        received = await trio.to_thread.run_sync(exchange_messages, broker.url())
    assert received == BODIES
