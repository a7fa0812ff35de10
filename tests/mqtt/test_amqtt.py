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


def test_retained_messages_a_session_and_a_will(port: int) -> None:
    client_class = _client()

    def made(client_id: str, **config: Any) -> Any:
        return client_class(client_id=client_id, config={"auto_reconnect": False, **config})

    async def exchange() -> list[bytes]:
        url = f"mqtt://127.0.0.1:{port}/"
        received = []
        subscriber = made("amqtt-away", cleansession=False)
        await subscriber.connect(url, cleansession=False)
        await subscriber.subscribe([("amqtt/kept", 1), ("amqtt/will", 1)])
        await subscriber.disconnect()
        will = {"topic": "amqtt/will", "message": "gone", "qos": 1, "retain": False}
        dying = made("amqtt-dying", will=will)
        await dying.connect(url)
        await dying.publish("amqtt/kept", b"while away", qos=1, retain=True)
        dying._handler.writer._writer.transport.abort()
        subscriber = made("amqtt-away", cleansession=False)
        await subscriber.connect(url, cleansession=False)
        for _ in range(2):
            received.append(bytes((await subscriber.deliver_message()).data))
        await subscriber.subscribe([("amqtt/+", 1)])
        retained = await subscriber.deliver_message()
        received.append(bytes(retained.data))
        await subscriber.publish("amqtt/kept", b"", qos=1, retain=True)
        await subscriber.unsubscribe(["amqtt/kept", "amqtt/will", "amqtt/+"])
        await subscriber.disconnect()
        return received

    assert asyncio.run(asyncio.wait_for(exchange(), 30)) == [b"while away", b"gone", b"while away"]
