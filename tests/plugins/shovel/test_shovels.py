"""Shovels between two brokers over sockets, and within one: everything arrives, and every trouble has its words."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from tests.plugins.shovel.brokers import (
    PERSISTENT,
    ask,
    edge,
    fill,
    set_shovel,
    status,
    take,
    until,
    until_gone,
    until_state,
)
from tests.support.ports import free_ports
from warren.core.errors import NotFound
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker


def remote_connections(broker: EmbeddedBroker) -> list[object]:
    """Those over sockets."""
    return [row["pid"] for row in broker.inspect("connections") if row["host"]]


BODIES = [b"%d" % number for number in range(500)]


@pytest.mark.parametrize("source", ["here", "far"])
@pytest.mark.parametrize("destination", ["here", "far"])
@pytest.mark.parametrize("mode", ["on-confirm", "on-publish", "no-ack"])
async def test_everything_arrives_in_order(source: str, destination: str, mode: str) -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        clients = {"here": here, "far": far}
        urls = {"here": "amqp://", "far": upstream.url()}
        await fill(clients[source], "out", BODIES)
        await clients[destination].declare_queue("in", durable=True)
        await set_shovel(
            broker,
            src_uri=urls[source],
            src_queue="out",
            dest_uri=urls[destination],
            dest_queue="in",
            ack_mode=mode,
        )
        assert await take(clients[destination], "in", len(BODIES)) == BODIES
        found = await until_state(broker, "running")
        while found["forwarded"] < len(BODIES) or found["pending"]:
            found = await status(broker)
        assert (await clients[source].check_queue("out")).messages == 0
        assert (found["src_uri"], found["dest_uri"]) == (urls[source], urls[destination])


async def test_from_an_exchange_with_the_messages_own_addresses() -> None:
    rich = encode_properties(delivery_mode=2, headers={"a": [1, {"b": None}]}, message_id="m", priority=4)
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        await far.declare_queue("q")
        await far.bind_queue("q", "amq.topic", "#")
        await set_shovel(
            broker, src_uri="amqp://", src_exchange="amq.topic", src_exchange_key="k.*", dest_uri=upstream.url()
        )
        await until_state(broker, "running")
        await here.publish("amq.topic", "other", b"no")
        await here.publish("amq.topic", "k.1", b"yes", rich)
        async with far.consume("q") as deliveries:
            delivery = await anext(deliveries)
        assert (delivery.exchange, delivery.routing_key, delivery.body) == ("amq.topic", "k.1", b"yes")
        assert delivery.properties == rich


async def test_what_is_changed_on_the_way() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        await fill(here, "out", [b"1"])
        await far.declare_queue("q")
        await far.bind_queue("q", "amq.direct", "other")
        await set_shovel(
            broker,
            "tell",
            src_uri="amqp://",
            src_queue="out",
            dest_uri=upstream.url() + "?heartbeat=7",
            dest_exchange="amq.direct",
            dest_exchange_key="other",
            dest_publish_properties={"app_id": "edge"},
            dest_add_forward_headers=True,
            dest_add_timestamp_header=True,
        )
        async with far.consume("q") as deliveries:
            delivery = await anext(deliveries)
        assert delivery.properties.app_id == "edge"
        assert delivery.properties.delivery_mode == 2
        headers = delivery.properties.headers
        assert headers is not None
        assert isinstance(headers["x-shovelled-timestamp"], int)
        ways = headers["x-shovelled"]
        assert isinstance(ways, list)
        (way,) = ways
        assert isinstance(way, dict)
        assert str(way.pop("shovelled-by")).startswith("warren@")
        assert way == {
            "shovel-type": "dynamic",
            "shovel-name": "tell",
            "shovel-vhost": "/",
            "src-uri": "amqp://",
            "dest-uri": upstream.url(),
            "src-queue": "out",
            "dest-exchange": "amq.direct",
            "dest-exchange-key": "other",
        }


# Ends of a shovel


@pytest.mark.parametrize("delete_after", ["queue-length", 300])
async def test_it_ends_after_exactly_so_many_messages(delete_after: object) -> None:
    count = 300
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        await fill(here, "out", BODIES[: count if delete_after == "queue-length" else None])
        await far.declare_queue("in", durable=True)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri=upstream.url(),
            dest_queue="in",
            src_delete_after=delete_after,
        )
        await until_gone(broker)
        assert (await far.check_queue("in")).messages == count
        if delete_after != "queue-length":
            assert await take(here, "out", 200) == BODIES[300:]
        assert await status(broker) == {}


async def test_none_to_move_deletes_it_at_once() -> None:
    async with edge() as broker, broker.connect() as here:
        await here.declare_queue("out", durable=True)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri="amqp://",
            dest_queue="in",
            src_delete_after="queue-length",
        )
        await until_gone(broker)


async def test_words_restart_and_delete() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=upstream.url(), dest_queue="in")
        await until_state(broker, "running")
        (before,) = remote_connections(upstream)
        assert (await ask(broker, "restart_shovel", "s"))["ok"]
        await until(
            lambda: [row["pid"] for row in upstream.inspect("connections") if row["host"]] not in ([], [before])
        )
        await until_state(broker, "running")
        assert "'s'" in str(await ask(broker, "restart_shovel", "none"))
        assert (await ask(broker, "delete_shovel", "s"))["ok"]
        await until(lambda: not remote_connections(upstream))
        await fill(here, "out", [b"stays"])
        assert (await far.check_queue("in")).messages == 0
        assert not (await ask(broker, "delete_shovel", "s"))["ok"]


async def test_deleted_and_declared_anew_in_one_go() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        for number in range(5):
            await set_shovel(
                broker, src_uri="amqp://", src_queue="out", dest_uri=upstream.url(), dest_queue=f"in{number}"
            )
            if number < 4:
                assert (await ask(broker, "clear_parameter", "shovel", "s"))["ok"]
        await until_state(broker, "running")
        await fill(here, "out", [b"1"])
        assert await take(far, "in4", 1) == [b"1"]
        await until(lambda: len(remote_connections(upstream)) == 1)


async def test_a_static_one_is_the_configurations() -> None:
    async with open_broker() as upstream:
        static = {"fixed": {"src-uri": "amqp://", "src-queue": "out", "dest-uri": upstream.url(), "dest-queue": "in"}}
        from warren.plugins.shovel.plugin import static_shovels

        async with edge(shovel_static=static_shovels(static)) as broker, upstream.connect() as far:
            found = await until_state(broker, "running", name="fixed")
            assert found["type"] == "static"
            async with broker.connect() as here:
                await fill(here, "out", [b"1"])
            assert await take(far, "in", 1) == [b"1"]
            answer = await ask(broker, "delete_shovel", "fixed")
            assert "declared in the configuration" in str(answer)


# Trouble, in words


async def test_an_upstream_that_is_down_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    async with edge(tmp_path / "edge") as broker, broker.connect() as here:
        host, (port,) = "127.0.0.1", free_ports(1)
        await fill(here, "out", BODIES)
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=f"amqp://{host}:{port}", dest_queue="in")
        await until_state(broker, "terminated", f"{host} port {port} can't be reached")
        assert (await here.check_queue("out")).messages == len(BODIES)
        async with (
            open_broker(tmp_path / "upstream", listen=[f"amqp={host}:{port}"]) as upstream,
            upstream.connect() as far,
        ):
            await until_state(broker, "running")
            assert await take(far, "in", len(BODIES)) == BODIES
            while (await status(broker))["forwarded"] < len(BODIES):
                await trio.sleep(0.005)
        await until_state(broker, "terminated")
        await fill(here, "out", [b"later"])
        async with (
            open_broker(tmp_path / "upstream", listen=[f"amqp={host}:{port}"]) as upstream,
            upstream.connect() as far,
        ):
            assert await take(far, "in", 1) == [b"later"]


@pytest.mark.parametrize(
    ("user", "path", "said"),
    [("guest:wr0ng@", "", "ACCESS_REFUSED"), ("", "/nowhere", "vhost nowhere not found")],
)
async def test_who_isnt_let_in_is_told_why(user: str, path: str, said: str) -> None:
    async with open_broker() as upstream, edge() as broker:
        url = upstream.url().replace("//", "//" + user) + path
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue="in")
        found = await until_state(broker, "terminated", said)
        assert "wr0ng" not in str(found)


@pytest.mark.parametrize("here", [True, False])
async def test_a_queue_with_other_arguments_is_named(here: bool) -> None:
    async with open_broker() as upstream, edge() as broker:
        target = broker if here else upstream
        async with target.connect() as client:
            await client.declare_queue("in", durable=True, arguments={"x-max-length": 3})
            url = "amqp://" if here else upstream.url()
            await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue="in")
            await until_state(broker, "terminated", "PRECONDITION_FAILED - inequivalent arg 'x-max-length'")
            await set_shovel(
                broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue="in", dest_predeclared=True
            )
            await until_state(broker, "running")


@pytest.mark.parametrize("here", [True, False])
async def test_a_predeclared_queue_is_waited_for(here: bool) -> None:
    async with open_broker() as upstream, edge() as broker:
        target = broker if here else upstream
        url = "amqp://" if here else upstream.url()
        await set_shovel(
            broker, src_uri=url, src_queue="out", src_predeclared=True, dest_uri="amqp://", dest_queue="in"
        )
        await until_state(broker, "terminated", "NOT_FOUND - no queue 'out'")
        async with target.connect() as client:
            with pytest.raises(NotFound):
                await client.check_queue("out")
            await client.declare_queue("out", durable=True)
            await until_state(broker, "running")


@pytest.mark.parametrize("here", [True, False])
async def test_a_source_that_is_deleted_is_declared_anew(here: bool) -> None:
    async with open_broker() as upstream, edge() as broker:
        target = broker if here else upstream
        url = "amqp://" if here else upstream.url()
        async with target.connect() as client, broker.connect() as local:
            await set_shovel(broker, src_uri=url, src_queue="out", dest_uri="amqp://", dest_queue="in")
            await until_state(broker, "running")
            await client.delete_queue("out")
            await until_state(broker, "running")
            await until(lambda: any(row["name"] == "out" for row in target.inspect("queues")))
            await client.publish("", "out", b"1", PERSISTENT, mandatory=True)
            assert await take(local, "in", 1) == [b"1"]


@pytest.mark.parametrize("here", [True, False])
async def test_what_no_queue_takes_is_kept_and_told(here: bool) -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as local:
        target = broker if here else upstream
        url = "amqp://" if here else upstream.url()
        await fill(local, "out", BODIES[:5])
        await set_shovel(
            broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_exchange="amq.direct", dest_exchange_key="k"
        )
        await until_state(broker, "blocked", "amq.direct")
        async with target.connect() as client:
            await client.declare_queue("late", durable=True)
            await client.bind_queue("late", "amq.direct", "k")
            assert sorted(await take(client, "late", 5)) == BODIES[:5]
        await until_state(broker, "running")


@pytest.mark.parametrize("mode", ["on-publish", "no-ack"])
async def test_what_this_broker_itself_refuses_ends_a_shovel_that_waits_for_no_confirm(mode: str) -> None:
    async with edge() as broker, broker.connect() as local:
        await fill(local, "out", BODIES)
        await set_shovel(
            broker, src_uri="amqp://", src_queue="out", dest_uri="amqp://", dest_exchange="nope", ack_mode=mode
        )
        await until_state(broker, "terminated", "NOT_FOUND - no exchange 'nope'")
        assert (await status(broker))["forwarded"] == 0
        if mode == "on-publish":
            await until(lambda: broker.inspect("queues")[0]["messages"] == len(BODIES))


async def test_a_destination_that_ends_is_noticed_while_nothing_is_moved() -> None:
    async with edge() as broker:
        assert (await ask(broker, "add_vhost", "v"))["ok"]
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri="amqp:///v", dest_queue="in")
        await until_state(broker, "running")
        assert (await ask(broker, "delete_vhost", "v"))["ok"]
        await until_state(broker, "terminated", "v")


async def test_unless_it_may_be_dropped() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as local:
        await fill(local, "out", BODIES[:5])
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri=upstream.url(),
            dest_exchange="amq.direct",
            dest_mandatory=False,
        )
        await until(lambda: broker.inspect("queues")[0]["messages"] == 0)
        await until_state(broker, "running")


@pytest.mark.parametrize("here", [True, False])
async def test_a_full_destination_keeps_the_rest_at_the_source(here: bool) -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as local:
        target = broker if here else upstream
        url = "amqp://" if here else upstream.url()
        async with target.connect() as client:
            await client.declare_queue(
                "in", durable=True, arguments={"x-max-length": 100, "x-overflow": "reject-publish"}
            )
            await fill(local, "out", BODIES)
            await set_shovel(
                broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue="in", dest_predeclared=True
            )
            found = await until_state(broker, "blocked")
            assert "full" in found["reason"] or "refused" in found["reason"]
            await until(
                lambda: next(row for row in broker.inspect("queues") if row["name"] == "out")["messages"] == 400
            )
            assert (await client.check_queue("in")).messages == 100
            assert sorted(await take(client, "in", len(BODIES))) == sorted(BODIES)
        await until_state(broker, "running")


async def test_a_destination_under_an_alarm_is_blocked_with_its_reason() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as local, upstream.connect() as far:
        upstream.set_alarm("memory", True)
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=upstream.url(), dest_queue="in")
        await until_state(broker, "running")
        await fill(local, "out", BODIES)
        await until_state(broker, "blocked", "low on memory")
        assert (await far.check_queue("in")).messages == 0
        upstream.set_alarm("memory", False)
        assert await take(far, "in", len(BODIES)) == BODIES
        await until_state(broker, "running")


async def test_one_that_fails_touches_no_other() -> None:
    async with open_broker() as upstream, edge() as broker, broker.connect() as local, upstream.connect() as far:
        await set_shovel(broker, "bad", src_uri="amqp://", src_queue="a", dest_uri="amqp://127.0.0.1:1", dest_queue="x")
        await set_shovel(broker, "good", src_uri="amqp://", src_queue="b", dest_uri=upstream.url(), dest_queue="in")
        await until_state(broker, "terminated", "can't be reached", "bad")
        await fill(local, "b", BODIES)
        assert await take(far, "in", len(BODIES)) == BODIES


async def test_what_cant_be_used_is_refused_at_once() -> None:
    async with edge() as broker:
        answer = await ask(broker, "set_parameter", "shovel", "s", '{"src-uri": "amqp://", "src-quue": "a"}')
        assert not answer["ok"]
        assert "unknown key 'src-quue': did you mean 'src-queue'?" in str(answer)
        assert await status(broker) == {}
