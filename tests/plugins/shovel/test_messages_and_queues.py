"""Queues, messages and users that make trouble for a shovel, and stopping it under way."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.plugins.shovel.brokers import PERSISTENT, ask, edge, fill, set_shovel, status, take, until, until_state
from tests.support.late_queue import LateQueue, late_queues
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker
from warren.plugins.shovel.worker import Worker

BODIES = [b"%d" % number for number in range(200)]


async def to_upstream(broker: EmbeddedBroker, url: str, **more: Any) -> None:
    await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri=url, dest_queue="in", **more)


async def word(broker: EmbeddedBroker, command: str, *arguments: str, **options: object) -> None:
    answer = await ask(broker, command, *arguments, **options)
    assert answer["ok"], answer


# Sources and destinations


async def test_a_shovel_onto_itself_goes_round_and_can_be_ended() -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await set_shovel(broker, src_uri="amqp://", src_queue="out", dest_uri="amqp://", dest_queue="out")
        while (await status(broker)).get("forwarded", 0) < 3 * len(BODIES):
            await trio.sleep(0.005)
        await word(broker, "delete_shovel", "s")
        await until(lambda: not any(row["consumers"] for row in broker.inspect("queues")))
        assert sorted(await take(here, "out", len(BODIES))) == sorted(BODIES)
        await fill(here, "out", BODIES)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri="amqp://",
            dest_queue="out",
            src_delete_after="queue-length",
        )
        while (await ask(broker, "list_parameters"))["rows"]:
            await trio.sleep(0.005)
        assert (await here.check_queue("out")).messages == len(BODIES)


@pytest.mark.parametrize("where", ["here", "far"])
async def test_a_source_that_is_somebodys_alone(where: str) -> None:
    async with open_broker() as upstream, edge() as broker:
        there = broker if where == "here" else upstream
        url = "amqp://" if where == "here" else upstream.url()
        async with there.connect() as owner:
            await owner.declare_queue("out", exclusive=True)
            await set_shovel(
                broker, src_uri=url, src_queue="out", dest_uri="amqp://", dest_queue="in", src_predeclared=True
            )
            await until_state(broker, "terminated", "locked")
        async with there.connect() as client:
            await client.declare_queue("out")
            await until_state(broker, "running")


@pytest.mark.parametrize("where", ["here", "far"])
async def test_queue_length_ends_when_others_take_messages_too(where: str) -> None:
    async with open_broker() as upstream, edge() as broker:
        there = broker if where == "here" else upstream
        url = "amqp://" if where == "here" else upstream.url()
        async with there.connect() as client:
            await fill(client, "out", BODIES)
            async with client.consume("out", prefetch=50) as deliveries:
                held = [await anext(deliveries) for _ in range(50)]
                await fill(client, "more", [b"1"])
                await set_shovel(
                    broker,
                    src_uri=url,
                    src_queue="out",
                    dest_uri=url,
                    dest_queue="in",
                    src_delete_after="queue-length",
                    rate_limit=100,
                )
                await until_state(broker, "running")
                deliveries.cancel()
                for delivery in held:
                    delivery.ack()
                for _ in range(20):
                    found = await client.get("out", no_ack=True)
                    if found is None:
                        break
            while (await ask(broker, "list_parameters"))["rows"]:
                await trio.sleep(0.01)
            assert (await client.check_queue("out")).messages == 0


async def test_queue_length_leaves_what_came_meanwhile(autojump_clock: MockClock) -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", BODIES)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri="amqp://",
            dest_queue="in",
            src_delete_after="queue-length",
            rate_limit=50,
        )
        await until_state(broker, "running")
        for _ in range(50):
            await here.publish("", "out", b"later", PERSISTENT)
        while (await ask(broker, "list_parameters"))["rows"]:
            await trio.sleep(0.05)
        assert (await here.check_queue("in")).messages == len(BODIES)
        assert await take(here, "out", 50) == [b"later"] * 50


async def test_a_shovel_ends_when_its_time_is_over(autojump_clock: MockClock) -> None:
    async with edge() as broker, broker.connect() as here:
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri="amqp://",
            dest_queue="in",
            src_delete_after_duration=90,
        )
        await until_state(broker, "running")
        began = trio.current_time()
        await fill(here, "out", BODIES)
        while (await ask(broker, "list_parameters"))["rows"]:
            await trio.sleep(1)
        assert 89 <= trio.current_time() - began <= 92
        assert sorted(await take(here, "in", len(BODIES))) == sorted(BODIES)
        await until(lambda: not any(row["consumers"] for row in broker.inspect("queues")))
        await here.publish("", "out", b"later", PERSISTENT)
        assert await take(here, "out", 1) == [b"later"]


async def test_one_that_is_set_anew_has_its_time_anew(autojump_clock: MockClock) -> None:
    async with edge() as broker:
        shovel = {"src_uri": "amqp://", "src_queue": "out", "dest_uri": "amqp://", "dest_queue": "in"}
        await set_shovel(broker, **shovel, src_delete_after_duration=90)
        await trio.sleep(60)
        await set_shovel(broker, **shovel, src_delete_after_duration=120)
        await trio.sleep(100)
        assert (await ask(broker, "list_parameters"))["rows"]
        await trio.sleep(60)
        assert not (await ask(broker, "list_parameters"))["rows"]


async def test_an_internal_shovel_is_not_for_anybody_to_delete() -> None:
    async with edge() as broker:
        shovel = {
            "src-uri": "amqp://",
            "src-queue": "out",
            "dest-uri": "amqp://",
            "dest-queue": "in",
            "internal": True,
            "internal_owner": {"name": "q", "kind": "queue", "virtual_host": "/"},
        }
        await word(broker, "set_parameter", "shovel", "s", json.dumps(shovel))
        await until_state(broker, "running")
        answer = await ask(broker, "delete_shovel", "s")
        assert "it belongs to queue 'q' in virtual host '/'" in str(answer["error"])
        assert (await ask(broker, "list_parameters"))["rows"]
        await word(broker, "delete_shovel", "s", force=True)
        assert not (await ask(broker, "list_parameters"))["rows"]


async def test_none_wanted_never_breaks_a_start() -> None:
    async with edge() as broker:
        await set_shovel(
            broker, src_uri="amqp://", src_queue="out", dest_uri="amqp://", dest_queue="in", src_delete_after=0
        )
        while (await ask(broker, "list_parameters"))["rows"]:
            await trio.sleep(0.005)


async def test_names_of_every_kind_and_several_uris() -> None:
    queue, name = "Füße 🦔/#", "käse 🧀/%2F"
    async with edge() as broker, broker.connect() as here:
        await set_shovel(
            broker,
            name,
            src_uri=["amqp://", "amqp:///%2F"],
            src_queue=queue,
            dest_uri=["amqp://"],
            dest_queue="in",
        )
        await until_state(broker, "running", name=name)
        await fill(here, queue, [b"1"])
        assert await take(here, "in", 1) == [b"1"]
        await word(broker, "restart_shovel", name)
        await until_state(broker, "running", name=name)
        await word(broker, "delete_shovel", name)
        while await status(broker, name):
            await trio.sleep(0.005)


# Messages


async def test_a_user_id_that_isnt_the_shovels() -> None:
    async with open_broker() as upstream, edge() as broker, upstream.connect() as far:
        await word(broker, "add_user", "bob", "secret")
        await word(broker, "set_permissions", "bob", ".*", ".*", ".*")
        await to_upstream(broker, upstream.url())
        await until_state(broker, "running")
        async with broker.connect("bob") as bob:
            await bob.publish("", "out", b"his", encode_properties(user_id="bob", delivery_mode=2))
        await until_state(broker, "terminated", "user_id")
        await to_upstream(broker, upstream.url(), dest_publish_properties={"user_id": None})
        async with far.consume("in") as deliveries:
            delivery = await anext(deliveries)
        assert (delivery.body, delivery.properties.user_id) == (b"his", None)


async def test_a_message_that_is_too_large_there_waits_for_its_end() -> None:
    small = Config(in_memory=True).replace(max_message_bytes=1000)
    async with open_broker(config=small) as upstream, edge() as broker, broker.connect() as here:
        await here.declare_queue("out", durable=True, arguments={"x-dead-letter-exchange": "amq.fanout"})
        await here.declare_queue("dead")
        await here.bind_queue("dead", "amq.fanout")
        await set_shovel(
            broker, src_uri="amqp://", src_queue="out", src_predeclared=True, dest_uri=upstream.url(), dest_queue="in"
        )
        await until_state(broker, "running")
        await here.publish("", "out", bytes(2000), PERSISTENT)
        await until_state(broker, "terminated", "1000")
        await word(broker, "set_policy", "p", "out", '{"message-ttl": 1}')
        assert await take(here, "dead", 1) == [bytes(2000)]
        await word(broker, "clear_policy", "p")
        await here.publish("", "out", b"small", PERSISTENT)
        async with upstream.connect() as far:
            await until_state(broker, "running")
            assert await take(far, "in", 1) == [b"small"]


async def test_everything_that_a_message_may_have_comes_over() -> None:
    rich = encode_properties(
        content_type="text/plain",
        content_encoding="gzip",
        headers={
            "long": 1 << 40,
            "negative": -5,
            "true": True,
            "none": None,
            "float": 1.5,
            "bytes": b"\0\xff",
            "list": [1, "a", {"b": [True, None]}],
            "CC": ["another"],
            "x-death": [{"queue": "q", "count": 3}],
        },
        delivery_mode=2,
        priority=9,
        correlation_id="c",
        reply_to="r",
        expiration="600000",
        message_id="m",
        timestamp=1_700_000_000,
        type="t",
        app_id="a",
    )
    async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
        await far.declare_queue("another")
        await to_upstream(broker, upstream.url())
        await until_state(broker, "running")
        await here.publish("", "out", b"rich", rich)
        for queue in ("in", "another"):
            async with far.consume(queue) as deliveries:
                delivery = await anext(deliveries)
            assert delivery.properties.fields() == rich.fields(), queue


# Confirms that come late, and stopping


@pytest.mark.parametrize("how", ["restart_shovel", "set anew"])
async def test_nothing_is_doubled_by_stopping_under_way(how: str) -> None:
    with late_queues():
        async with open_broker() as upstream, edge() as broker, broker.connect() as here, upstream.connect() as far:
            await far.declare_queue("in", durable=True, arguments={"x-queue-type": "late", "x-late-by": 400})
            await to_upstream(broker, upstream.url(), dest_predeclared=True)
            await until_state(broker, "running")
            queue = upstream._server.broker.vhost("/").queue("in")
            assert isinstance(queue, LateQueue)
            queue.hold()
            await fill(here, "out", BODIES)
            while (await status(broker))["pending"] < len(BODIES):
                await trio.sleep(0.002)
            queue.answer_held()
            if how == "restart_shovel":
                await word(broker, "restart_shovel", "s")
            else:
                await to_upstream(broker, upstream.url(), dest_predeclared=True, src_prefetch_count=10)
            await until_state(broker, "running")
            await until(lambda: not any(row["messages"] for row in broker.inspect("queues")))
            assert await take(far, "in", len(BODIES)) == BODIES
            assert (await far.check_queue("in")).messages == 0


async def test_a_destination_that_confirms_late_is_bounded_by_the_prefetch(autojump_clock: MockClock) -> None:
    with late_queues():
        async with edge() as broker, broker.connect() as here:
            await here.declare_queue("in", durable=True, arguments={"x-queue-type": "late", "x-late-by": 10_000})
            await fill(here, "out", BODIES[:50])
            await set_shovel(
                broker,
                src_uri="amqp://",
                src_queue="out",
                dest_uri="amqp://",
                dest_queue="in",
                dest_predeclared=True,
                src_prefetch_count=10,
            )
            # The clock goes on while threads are at work, so that a start takes any time.
            await until_state(broker, "running")
            found = await status(broker)
            for _ in range(600):
                if found["forwarded"] == 50:
                    break
                assert found["state"] == "running"
                assert found["pending"] <= 10
                await trio.sleep(1)
                found = await status(broker)
            assert found["forwarded"] == 50
            assert await take(here, "in", 50) == BODIES[:50]


# Many, and one with a bug


async def test_many_come_up_within_seconds() -> None:
    async with edge() as broker, broker.connect() as here:
        for number in range(100):
            await set_shovel(
                broker,
                f"s{number}",
                src_uri="amqp://",
                src_queue=f"out{number}",
                dest_uri="amqp://",
                dest_queue=f"in{number}",
            )
        await until(lambda: sum(row["state"] == "running" for row in broker.inspect("shovels")) == 100)
        await here.publish("", "out99", b"1", PERSISTENT)
        assert await take(here, "in99", 1) == [b"1"]


async def test_a_bug_in_one_touches_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = Worker._connected

    async def with_a_bug(worker: Worker, peers: trio.Nursery) -> None:
        if worker.name == "bad":
            raise ZeroDivisionError("a bug")
        await connected(worker, peers)

    monkeypatch.setattr(Worker, "_connected", with_a_bug)
    async with edge() as broker, broker.connect() as here:
        await set_shovel(broker, "bad", src_uri="amqp://", src_queue="a", dest_uri="amqp://", dest_queue="b")
        await set_shovel(broker, "good", src_uri="amqp://", src_queue="c", dest_uri="amqp://", dest_queue="d")
        await until_state(broker, "terminated", "an internal error", name="bad")
        await fill(here, "c", BODIES)
        assert await take(here, "d", len(BODIES)) == BODIES
        monkeypatch.setattr(Worker, "_connected", connected)
        await until_state(broker, "running", name="bad")
