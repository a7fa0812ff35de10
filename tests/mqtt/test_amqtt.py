"""amqtt's client."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.interop.clients import need

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def _client() -> Any:
    try:
        from amqtt.client import MQTTClient
    except ImportError:
        need(False, "amqtt")
    return MQTTClient


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publishing_and_subscribing(port: int, qos: int) -> None:
    client_class = _client()

    async def exchange() -> list[bytes]:
        client = client_class(client_id=f"amqtt-{qos}", config={"auto_reconnect": False})
        await client.connect(f"mqtt://127.0.0.1:{port}/")
        await client.subscribe([(f"amqtt/{qos}", qos)])
        for number in range(5):
            await client.publish(f"amqtt/{qos}", b"%d" % number, qos=qos)
        received = [bytes((await client.deliver_message()).data) for _ in range(5)]
        await client.unsubscribe([f"amqtt/{qos}"])
        await client.disconnect()
        return received

    assert asyncio.run(asyncio.wait_for(exchange(), 30)) == [b"%d" % number for number in range(5)]
