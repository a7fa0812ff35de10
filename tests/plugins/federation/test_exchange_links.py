"""Federated exchanges between two brokers over sockets."""

from __future__ import annotations

import pytest
import trio

from tests.plugins.federation.brokers import (
    bindings_from,
    federated,
    links,
    names,
    set_policy,
    set_upstream,
    told,
    until_link,
    until_no_link,
)
from tests.plugins.shovel.brokers import PERSISTENT, ask, take, until
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.queues.base import Queue
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.plugins.bridging import pump
from warren.plugins.federation import room

UP = Config(in_memory=True).replace(cluster_name="up")


async def test_messages_come_and_say_where_from() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await here.declare_exchange("fed.x", "topic", durable=True)
        await here.declare_queue("q", durable=True)
        await here.bind_queue("q", "fed.x", "a.*")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        link = await until_link(down)
        await far.publish("fed.x", "b.1", b"no")
        await far.publish("fed.x", "a.1", b"yes", PERSISTENT.with_changes(user_id=None))
        async with here.consume("q") as deliveries:
            delivery = await anext(deliveries)
        assert (delivery.exchange, delivery.routing_key, delivery.body) == ("fed.x", "a.1", b"yes")
        assert delivery.properties.headers == {
            "x-received-from": [
                {"uri": up.url(), "exchange": "fed.x", "redelivered": False, "cluster-name": "up", "vhost": "/"}
            ]
        }
        assert (link["exchange"], link["upstream_exchange"], link["upstream"]) == ("fed.x", "fed.x", "u")
        assert link["uri"] == up.url()
        assert link["consumer_tag"] == "federation-link-u"
        assert names(up, "queues") == ["federation: fed.x -> down"]


async def test_what_is_made_at_the_upstream() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("fed.x", "topic", durable=True)
        await here.declare_exchange("second", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x", "a.*")
        await here.bind_queue("q", "fed.x", "b.*", {"one": 1})
        await here.bind_exchange("second", "fed.x", "a.*")
        await set_upstream(down, "u", up.url(), expires=60_000, message_ttl=30_000, max_hops=3)
        await set_policy(down)
        await until_link(down)
        assert bindings_from(up, "fed.x") == [("federation: fed.x -> down A", key) for key in ("a.*", "b.*")]
        (arguments,) = (
            row["arguments"]
            for row in up.inspect("bindings")
            if row["source_name"] == "fed.x" and row["routing_key"] == "b.*"
        )
        assert arguments == {
            "one": 1,
            "x-bound-from": [{"cluster-name": "down", "vhost": "/", "exchange": "fed.x", "hops": 3}],
        }
        (queue,) = up.inspect("queues")
        assert queue["name"] == "federation: fed.x -> down"
        assert queue["durable"]
        assert queue["arguments"] == {
            "x-internal-purpose": "federation",
            "x-queue-type": "classic",
            "x-expires": 60_000,
            "x-message-ttl": 30_000,
        }
        (internal,) = (row for row in up.inspect("exchanges") if row["name"] == "federation: fed.x -> down A")
        assert internal["internal"]
        assert internal["durable"]
        assert internal["auto_delete"]
        (exchange,) = (row for row in up.inspect("exchanges") if row["name"] == "fed.x")
        assert (exchange["type"], exchange["durable"]) == ("topic", True)


async def test_bindings_follow_each_change() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("fed.x", "direct")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        assert bindings_from(up, "fed.x") == []
        internal = "federation: fed.x -> down A"
        await here.declare_queue("one")
        await here.declare_queue("two")
        await here.bind_queue("one", "fed.x", "k")
        await here.bind_queue("two", "fed.x", "k")
        await until(lambda: bindings_from(up, "fed.x") == [(internal, "k")])
        await here.unbind_queue("one", "fed.x", "k")
        await here.bind_queue("two", "fed.x", "l")
        await until(lambda: bindings_from(up, "fed.x") == [(internal, "k"), (internal, "l")])
        await here.delete_queue("two")
        await until(lambda: bindings_from(up, "fed.x") == [])


async def test_what_ends_while_the_link_is_down_is_gone_afterwards() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("fed.x", "direct")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x", "old")
        await here.bind_queue("q", "fed.x", "both")
        await set_upstream(down, "u", up.url(), reconnect_delay=0)
        await set_policy(down)
        link = await until_link(down)
        assert bindings_from(up, "fed.x") == [("federation: fed.x -> down A", key) for key in ("both", "old")]
        (connection,) = (row["pid"] for row in up.inspect("connections") if row["host"])
        await told(up, "close_connection", str(connection), "a test")
        await until_link(down, "error", "a test")
        await here.unbind_queue("q", "fed.x", "old")
        await here.bind_queue("q", "fed.x", "new")
        assert len(bindings_from(up, "fed.x")) == 2
        await told(down, "restart_federation_link", link["id"])
        await until_link(down)
        assert bindings_from(up, "fed.x") == [("federation: fed.x -> down B", key) for key in ("both", "new")]
        assert names(up, "exchanges") == ["fed.x", "federation: fed.x -> down B"]


@pytest.mark.parametrize("what", ["policy", "upstream", "exchange", "vhost"])
async def test_nothing_stays_at_the_upstream_of_a_link_that_is_removed(what: str) -> None:
    async with open_broker(config=UP) as up, federated() as down:
        await told(down, "add_vhost", "v")
        async with down.connect(vhost="v") as here:
            await here.declare_exchange("fed.x", "fanout")
            await here.declare_queue("q")
            await here.bind_queue("q", "fed.x")
            await set_upstream(down, "u", up.url(), vhost="v")
            await set_policy(down, vhost="v")
            await until_link(down)
            assert names(up, "queues") == ["federation: fed.x -> down:v:fed.x"]
            if what == "policy":
                await told(down, "clear_policy", "p", vhost="v")
            elif what == "upstream":
                await told(down, "clear_parameter", "federation-upstream", "u", vhost="v")
            elif what == "exchange":
                await here.delete_exchange("fed.x")
            else:
                await told(down, "delete_vhost", "v")
        await until_no_link(down)
        assert names(up, "queues") == []
        assert names(up, "exchanges") == ["fed.x"]
        assert bindings_from(up, "fed.x") == []


async def test_a_link_leaves_what_it_is_told_to_leave() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("fed.x", "fanout")
        await set_upstream(down, "u", up.url(), resource_cleanup_mode="never")
        await set_policy(down)
        await until_link(down)
        await told(down, "clear_policy", "p")
        await until_no_link(down)
        assert names(up, "queues") == ["federation: fed.x -> down"]


async def test_an_exchange_that_is_made_anew_keeps_what_waits_for_it() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await here.delete_exchange("fed.x")
        await here.declare_exchange("fed.x", "fanout")
        await here.bind_queue("q", "fed.x")
        await until_link(down)
        await far.publish("fed.x", "", b"1")
        assert await take(here, "q", 1) == [b"1"]
        assert len(await links(down)) == 1


@pytest.mark.parametrize("mode", ["on-confirm", "on-publish", "no-ack"])
@pytest.mark.parametrize("channels", ["multiple", "single"])
@pytest.mark.parametrize("nowait", [False, True])
async def test_everything_comes_in_order(mode: str, channels: str, nowait: bool) -> None:
    bodies = [b"%d" % number for number in range(500)]
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(
            down, "u", up.url(), ack_mode=mode, channel_use_mode=channels, bind_nowait=nowait, prefetch_count=20
        )
        await set_policy(down)
        await until_link(down)
        await until(lambda: bindings_from(up, "fed.x"))
        for confirmation in [far.publish_nowait("fed.x", "", body, PERSISTENT) for body in bodies]:
            await confirmation.wait()
        assert await take(here, "q", len(bodies)) == bodies
        await until(lambda: all(not row["messages"] for row in up.inspect("queues")))
        assert (await links(down))[0]["forwarded"] == len(bodies)


async def test_user_id_is_trusted_only_if_that_is_said() -> None:
    said = encode_properties(user_id="guest")
    async with (
        open_broker(config=UP) as up,
        federated() as down,
        down.connect() as here,
        up.connect("guest") as far,
    ):
        for name, trusts in (("fed.no", False), ("fed.yes", True)):
            await here.declare_exchange(name, "fanout")
            await here.declare_queue(name)
            await here.bind_queue(name, name)
            await set_upstream(down, name, up.url(), trust_user_id=trusts)
            await set_policy(down, name, {"federation-upstream": name}, name=name)
            await until_link(down, exchange=name)
            await far.publish(name, "", b"", said)
            async with here.consume(name) as deliveries:
                assert (await anext(deliveries)).properties.user_id == ("guest" if trusts else None)


async def test_what_waited_while_the_link_was_down_comes() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(down, "u", up.url(), reconnect_delay=0)
        await set_policy(down)
        link = await until_link(down)
        (connection,) = (row["pid"] for row in up.inspect("connections") if row["host"])
        await told(up, "close_connection", str(connection), "a test")
        await until_link(down, "error", "a test")
        await far.publish("fed.x", "", b"waited")
        await told(down, "restart_federation_link", link["id"])
        assert await take(here, "q", 1) == [b"waited"]


async def test_internal_exchanges_and_the_default_one_are_never_federated() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("inner", "fanout", internal=True)
        await here.declare_exchange("fed.x", "fanout")
        await set_upstream(down, "u", up.url())
        await set_policy(down, "inner|fed|^$")
        await until_link(down)
        assert [link["exchange"] for link in await links(down)] == ["fed.x"]


async def test_an_unknown_link_is_refused() -> None:
    async with federated() as down:
        answer = await ask(down, "restart_federation_link", "none")
        assert not answer["ok"]
        assert "federation_status" in str(answer["error"])


async def test_only_what_is_down_is_shown() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("fed.x", "fanout")
        await set_upstream(down, "u", up.url())
        await set_upstream(down, "lost", up.url() + "/none")
        await set_policy(down)
        await until_link(down, upstream="u")
        await until_link(down, "error", "vhost none not found", upstream="lost")
        answer = await ask(down, "federation_status", "upstream", only_down="true")
        assert answer["rows"] == [{"upstream": "lost"}]
        with trio.fail_after(60):
            await until(
                lambda: (
                    down.inspect("plugins")[0]["counters"] == {"links": 2, "running": 1, "forwarded": 0, "dropped": 0}
                )
            )


@pytest.mark.parametrize("queue_type", ["classic", "quorum"])
async def test_the_type_of_the_queue_there(queue_type: str) -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(down, "u", up.url(), queue_type=queue_type)
        await set_policy(down)
        link = await until_link(down)
        assert [row["type"] for row in up.inspect("queues")] == [queue_type]
        await far.publish("fed.x", "", b"1")
        assert await take(here, "q", 1) == [b"1"]
        await told(down, "restart_federation_link", link["id"])
        await far.publish("fed.x", "", b"2")
        assert await take(here, "q", 1) == [b"2"]


@pytest.mark.parametrize("overflow", ["reject-publish", "reject-publish-dlx"])
async def test_what_is_refused_here_is_kept_and_told(overflow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pump, "PAUSE_LEAST_S", 0.005)
    tries: list[str] = []
    is_full_for = room._is_full_for

    def tried(queue: Queue, message: Message) -> bool:
        tries.append(queue.name)
        return is_full_for(queue, message)

    monkeypatch.setattr(room, "_is_full_for", tried)
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue(
            "q", arguments={"x-max-length": 1, "x-overflow": overflow, "x-dead-letter-exchange": "amq.fanout"}
        )
        await here.declare_queue("other")
        await here.declare_queue("dead")
        await here.bind_queue("dead", "amq.fanout")
        await here.bind_queue("q", "fed.x")
        await here.bind_queue("other", "fed.x")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await far.publish("fed.x", "", b"1")
        await far.publish("fed.x", "", b"2")
        await until_link(down, "running", "it is full and refuses messages")
        await until(lambda: len(tries) > 5)
        assert sum(int(str(row["messages"])) for row in up.inspect("queues")) == 1
        assert await take(here, "q", 2) == [b"1", b"2"]
        await until(lambda: not any(row["messages"] for row in up.inspect("queues")))
        await until_link(down, "running", forwarded=2)
        while (await links(down))[0]["error"]:
            await trio.sleep(0.01)
        assert await take(here, "other", 2) == [b"1", b"2"]
        assert [(await here.check_queue(each)).messages for each in ("q", "other", "dead")] == [0, 0, 0]


async def test_an_alarm_here_is_told() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await told(down, "set_vm_memory_high_watermark", "absolute", "1")
        await until_link(down, "running", "low on memory")
        await far.publish("fed.x", "", b"1")
        await told(down, "set_vm_memory_high_watermark", "1.0")
        assert await take(here, "q", 1) == [b"1"]
