"""A peer that has vanished without a word: both ends notice by heart-beats, and all goes on.

Who has heard nothing for two intervals gives up; some ends look once an interval, so that they notice within three.
The intervals are of a virtual clock.  All that talks is in this process, over real sockets, so nothing is under way
once every task waits and has done so for a moment.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.interop.test_shovel_mosquitto import client, publish
from tests.plugins.shovel.brokers import edge, fill, set_shovel, status, take, until, until_state
from tests.support.faulty_link import LOOPBACK, FaultyLink, faulty_link
from warren.adapters.mqtt.codec.packets import Publish
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker

INTERVAL_S = 10
LOOK_S = 0.5
"""Between two looks at whether it has been noticed."""

MOMENT_S = 0.05
"""In real time: so long nothing happens before the clock jumps."""

PROTOCOLS = ("amqp", "mqtt", "stomp")
LISTEN = tuple(f"{protocol}={LOOPBACK}:0" for protocol in PROTOCOLS)


def url_over(link: FaultyLink, protocol: str) -> str:
    beats = "keep_alive" if protocol == "mqtt" else "heartbeat"
    return f"{protocol}://guest:guest@{LOOPBACK}:{link.port}?{beats}={INTERVAL_S}&connection_timeout=1000"


def end(side: str, protocol: str, url: str) -> dict[str, Any]:
    """The keys of one end over the link; the other one is here."""
    keys: dict[str, Any] = {f"{side}_uri": url}
    if protocol != "amqp":
        keys[f"{side}_protocol"] = protocol
    if side == "src":
        return (
            keys
            | {
                "amqp": {"src_queue": "a"},
                "mqtt": {"src_topics": "a"},
                "stomp": {"src_destination": "/queue/a"},
            }[protocol]
        )
    return keys | {"amqp": {"dest_queue": "a"}, "mqtt": {}, "stomp": {"dest_destination": "/queue/a"}}[protocol]


async def noticed(broker: EmbeddedBroker, far: EmbeddedBroker) -> tuple[float, float]:
    """How long this side, and the other one, take to notice, in seconds; LOOK_S too many at most."""
    began_s = trio.current_time()
    (vanished,) = ports(far)
    here_s = there_s = 0.0
    while not (here_s and there_s):
        await trio.sleep(LOOK_S)
        found = await status(broker)
        if found["state"] == "terminated" and "silent" in found["reason"]:
            here_s = here_s or trio.current_time() - began_s
        if vanished not in ports(far):
            there_s = there_s or trio.current_time() - began_s
    return here_s, there_s


def ports(far: EmbeddedBroker) -> list[object]:
    """Of the connections over sockets."""
    return [row["peer_port"] for row in far.inspect("connections") if row["peer_port"]]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("side", ["src", "dest"])
async def test_it_is_noticed_on_both_ends_and_the_shovel_runs_again(
    autojump_clock: MockClock, side: str, protocol: str
) -> None:
    autojump_clock.autojump_threshold = MOMENT_S
    async with faulty_link(1) as link, open_broker(listen=LISTEN) as far, edge() as broker, broker.connect() as here:
        link.target = far.address(protocol)
        other = (
            {"dest_uri": "amqp://", "dest_queue": "in"} if side == "src" else {"src_uri": "amqp://", "src_queue": "out"}
        )
        await set_shovel(broker, **other, **end(side, protocol, url_over(link, protocol)), reconnect_delay=1)
        await until_state(broker, "running")
        link.stall()
        took_here_s, took_there_s = await noticed(broker, far)
        assert took_here_s < 3 * INTERVAL_S + LOOK_S
        assert took_there_s < 3 * INTERVAL_S + LOOK_S
        found = await until_state(broker, "running")
        assert not re.search("silent", str(found["reason"]))
        async with far.connect() as there:
            if side == "dest":
                await fill(here, "out", [b"1"])
                await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
            elif protocol == "mqtt":
                async with client("mqtt://guest:guest@{}:{}".format(*far.address("mqtt")), "writer") as writer:
                    await publish(writer, [Publish("a", b"1", 1)])
            else:
                await there.publish("", "a", b"1")
        if side == "src":
            assert await take(here, "in", 1) == [b"1"]


async def test_as_many_are_under_way_from_an_mqtt_broker_as_the_prefetch_says() -> None:
    """5 with 30 that wait: the broker keeps the rest, and gets all of them rid when there is room."""
    bodies = [b"%d" % number for number in range(30)]
    async with open_broker(listen=LISTEN) as far, edge() as broker, broker.connect() as here:
        url = "mqtt://guest:guest@{}:{}".format(*far.address("mqtt"))
        await here.declare_queue("in", durable=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
        await set_shovel(
            broker,
            src_protocol="mqtt",
            src_uri=url,
            src_topics="a",
            src_prefetch_count=5,
            dest_uri="amqp://",
            dest_queue="in",
            dest_predeclared=True,
        )
        await until_state(broker, "running")
        async with client(url, "writer") as writer:
            await publish(writer, [Publish("a", body, 1) for body in bodies])
        await until_state(broker, "blocked")

        def session() -> dict[str, object]:
            return next(row for row in far.inspect("queues") if str(row["name"]).startswith("mqtt-subscription-shovel"))

        await until(lambda: session()["messages_unacknowledged"] == 5)
        assert session()["messages"] in (29, 30)
        await here.delete_queue("in")
        await here.declare_queue("in", durable=True)
        found = await take(here, "in", 29)
        assert found[-1] == bodies[-1]
