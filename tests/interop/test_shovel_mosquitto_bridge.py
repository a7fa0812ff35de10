"""What a bridge is to a real Mosquitto: it tells whether it runs, and takes a topic both ways without a loop."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.test_shovel_mosquitto import arrived, client, far, publish, url
from tests.plugins.shovel.brokers import PERSISTENT, ask, edge, set_shovel, status, take, until, until_state
from tests.plugins.shovel.test_mqtt_notifications import cut, listening
from tests.support.faulty_link import LOOPBACK, faulty_link
from tests.support.mosquitto import Mosquitto
from warren.adapters.mqtt.codec.packets import Publish, Subscription

__all__ = ["far", "url"]

VERSIONS = ["5", "3.1.1"]
MESSAGES = 50


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_tells_whether_it_runs(far: Mosquitto, url: str, version: str) -> None:
    async with faulty_link(1) as link, listening(url) as listener, edge() as broker:
        link.target = (LOOPBACK, far.port)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="mqtt",
            dest_uri=f"mqtt://{LOOPBACK}:{link.port}",
            dest_mqtt_version=version,
            dest_notification_topic="bridge/state",
        )
        assert await listener.next() == (b"1", False)
        cut(link)
        assert await listener.next() == (b"0", False), "the will"
        async with listening(url, "bridge/+") as late:
            assert await late.next() == (b"0", True)
        link.target = (LOOPBACK, far.port)
        assert await listener.next() == (b"1", False)
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        assert await listener.next() == (b"0", False), "whoever leaves in good order says so, too"


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_tells_of_a_broker_that_is_stopped(url: str, version: str) -> None:
    async with listening(url) as listener:
        async with edge() as broker:
            await set_shovel(
                broker,
                src_protocol="mqtt",
                src_uri=url,
                src_topics="a",
                src_mqtt_version=version,
                src_notification_topic="bridge/state",
                dest_uri="amqp://",
                dest_queue="in",
            )
            assert await listener.next() == (b"1", False)
        assert await listener.next() == (b"0", False)


@pytest.mark.parametrize(
    ("version", "one_client"), [("5", False), ("5", True), ("3.1.1", True)], ids=["5", "5 one", "3.1.1 one"]
)
async def test_the_same_topic_both_ways(url: str, version: str, one_client: bool) -> None:
    """Without a loop: by the header, where messages have any, or by being one client, as Mosquitto's bridges are."""
    ids = {"dest_client_id": "bridge", "src_client_id": "bridge"} if one_client else {}
    out: dict[str, Any] = {key: value for key, value in ids.items() if key.startswith("dest")}
    back: dict[str, Any] = {key: value for key, value in ids.items() if key.startswith("src")}
    async with edge() as broker, broker.connect() as here, client(url, "device") as device:
        for queue in ("out", "read"):
            await here.declare_queue(queue, durable=True)
            await here.bind_queue(queue, "amq.topic", "site.#")
        await set_shovel(
            broker,
            "out",
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="mqtt",
            dest_uri=url,
            dest_mqtt_version=version,
            no_local=True,
            **out,
        )
        await set_shovel(
            broker,
            "back",
            src_protocol="mqtt",
            src_uri=url,
            src_topics="site/#",
            src_mqtt_version=version,
            dest_uri="amqp://",
            no_local=True,
            **back,
        )
        for name in ("out", "back"):
            await until_state(broker, "running", name=name)
        await device.subscribe(Subscription("site/#", 1))
        ours = [b"here %d" % number for number in range(MESSAGES)]
        theirs = [b"there %d" % number for number in range(MESSAGES)]
        for body in ours:
            await here.publish("amq.topic", "site.x", body, PERSISTENT)
        await publish(device, [Publish("site/x", body, 1) for body in theirs])
        assert sorted(await take(here, "read", 2 * MESSAGES)) == sorted([*ours, *theirs])
        found = [message.payload for message in await arrived(device, 2 * MESSAGES)]
        assert sorted(found) == sorted([*ours, *theirs])
        await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
        # What went round a second time would be in front of these.
        await here.publish("amq.topic", "site.x", b"last here", PERSISTENT)
        await publish(device, [Publish("site/x", b"last there", 1)])
        assert sorted(await take(here, "read", 2)) == [b"last here", b"last there"]
        found = [message.payload for message in await arrived(device, 2)]
        assert sorted(found) == [b"last here", b"last there"]
        await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
        assert (await status(broker, "out"))["left_out"] == MESSAGES + 1
        assert (await status(broker, "back"))["left_out"] == (0 if one_client else MESSAGES + 1)


async def test_prefixes_in_and_out(url: str) -> None:
    async with edge() as broker, broker.connect() as here, client(url, "centre") as centre:
        for queue, key in (("out", "own.#"), ("read", "in.#")):
            await here.declare_queue(queue, durable=True)
            await here.bind_queue(queue, "amq.topic", key)
        await set_shovel(
            broker,
            "out",
            src_uri="amqp://",
            src_queue="out",
            dest_protocol="mqtt",
            dest_uri=url,
            dest_remove_prefix="own/",
            dest_topic="site/7/{topic}",
        )
        await set_shovel(
            broker,
            "in",
            src_protocol="mqtt",
            src_uri=url,
            src_topics="to/7/#",
            src_remove_prefix="to/7/",
            src_topic="in/{topic}",
            dest_uri="amqp://",
        )
        await until_state(broker, "running", name="in")
        await centre.subscribe(Subscription("#", 1))
        await here.publish("amq.topic", "own.hall.lamp", b"on", PERSISTENT)
        (told,) = await arrived(centre, 1)
        assert (told.topic, told.payload) == ("site/7/hall/lamp", b"on")
        await publish(centre, [Publish("to/7/hall/lamp", b"off", 1)])
        async with here.consume("read") as deliveries:
            delivery = await anext(deliveries)
        assert (delivery.routing_key, delivery.body) == ("in.hall.lamp", b"off")
