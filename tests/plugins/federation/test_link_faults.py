"""Upstreams that aren't there, refuse, restart, fall silent or vanish: each has its words, and the link comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import open_stream_to_socket_listener

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
from tests.support.faulty_link import LOOPBACK, Faults, FaultyLink, faulty_link
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker
from warren.plugins.federation import exchange_link
from warren.plugins.federation.exchange_link import ExchangeWork

UP = Config(in_memory=True).replace(cluster_name="up")


async def bound_here(down: EmbeddedBroker, exchange: str = "fed.x") -> None:
    """An exchange here, and a queue that gets everything of it."""
    async with down.connect() as here:
        await here.declare_exchange(exchange, "fanout", durable=True)
        await here.declare_queue("q", durable=True)
        await here.bind_queue("q", exchange)


async def cut(link: FaultyLink, up: EmbeddedBroker) -> None:
    """There is no upstream any more behind a link, until it has a target again."""
    link.target = None
    (connection,) = (row["pid"] for row in up.inspect("connections") if row["host"])
    await told(up, "close_connection", str(connection), "a test")


@asynccontextmanager
async def silent_peer() -> AsyncIterator[str]:
    """Somebody who accepts connections and says nothing."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)

        async def handle(stream: trio.SocketStream) -> None:
            async for _ in stream:
                pass

        nursery.start_soon(trio.serve_listeners, handle, [listener])
        await (await open_stream_to_socket_listener(listener)).aclose()
        yield f"amqp://{LOOPBACK}:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("login", "path", "said"),
    [
        ("guest:wrong@", "", "ACCESS_REFUSED"),
        ("nobody:wrong@", "", "ACCESS_REFUSED"),
        ("", "/none", "NOT_ALLOWED - vhost none not found"),
        ("limited:limited@", "", "ACCESS_REFUSED"),
    ],
)
async def test_who_isnt_let_in_is_told_why(login: str, path: str, said: str) -> None:
    async with open_broker(config=UP) as up, federated() as down:
        await told(up, "add_user", "limited", "limited")
        await told(up, "set_permissions", "limited", "^$", "^$", "^$")
        await bound_here(down)
        await set_upstream(down, "u", up.url().replace("//", f"//{login}", 1) + path)
        await set_policy(down)
        found = await until_link(down, "error", said)
        assert "wrong" not in str(found)


async def test_nobody_listens_and_then_somebody_does(tmp_path: Path) -> None:
    async with federated() as down, faulty_link(1) as link:
        await bound_here(down)
        await set_upstream(down, "u", f"amqp://{LOOPBACK}:{link.port}")
        await set_policy(down)
        await until_link(down, "error")
        async with open_broker(config=UP) as up, up.connect() as far:
            link.target = up.address()
            await until_link(down)
            await far.publish("fed.x", "", b"1")
            async with down.connect() as here:
                assert await take(here, "q", 1) == [b"1"]
        await until_link(down, "error")


async def test_a_silent_peer_is_given_up() -> None:
    async with silent_peer() as uri, federated() as down:
        await bound_here(down)
        await set_upstream(down, "u", uri + "?connection_timeout=100")
        await set_policy(down)
        await until_link(down, "error", "didn't answer within 0.1 s")


async def test_a_half_open_link_is_noticed_and_nothing_is_lost() -> None:
    bodies = [b"%d" % number for number in range(300)]
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, faulty_link(3) as link:
        link.target = up.address()
        await bound_here(down)
        await set_upstream(down, "u", f"amqp://{LOOPBACK}:{link.port}?heartbeat=1&connection_timeout=1000")
        await set_policy(down)
        await until_link(down)
        link.faults = Faults(bytes_max=20_000, ways=("stall",))
        found = (await links(down))[0]
        await told(down, "restart_federation_link", found["id"])
        for confirmation in [far.publish_nowait("fed.x", "", body, PERSISTENT) for body in bodies]:
            await confirmation.wait()
        while (await links(down))[0]["status"] != "error":
            for confirmation in [far.publish_nowait("fed.x", "", b"more", PERSISTENT) for _ in range(50)]:
                await confirmation.wait()
            await trio.sleep(0.05)
        link.heal()
        await until_link(down)
        found_bodies: list[bytes] = []
        async with down.connect() as here, here.consume("q") as deliveries:
            missing = set(bodies)
            async for delivery in deliveries:
                delivery.ack()
                found_bodies.append(delivery.body)
                missing.discard(delivery.body)
                if not missing:
                    break
        first_seen = [each for each in dict.fromkeys(found_bodies) if each != b"more"]
        assert first_seen == bodies


async def test_an_upstream_that_restarts(tmp_path: Path) -> None:
    config = Config().replace(cluster_name="up")
    async with federated() as down, faulty_link(4) as link:
        await bound_here(down)
        await set_upstream(down, "u", f"amqp://{LOOPBACK}:{link.port}")
        await set_policy(down)
        async with open_broker(tmp_path, config=config) as up, up.connect() as far:
            link.target = up.address()
            await until_link(down)
            await cut(link, up)
            await until_link(down, "error")
            await far.publish("fed.x", "", b"waits over a restart", PERSISTENT)
        async with open_broker(tmp_path, config=config) as up:
            link.target = up.address()
            await until_link(down)
            async with up.connect() as far, down.connect() as here:
                await far.publish("fed.x", "", b"new")
                assert await take(here, "q", 2) == [b"waits over a restart", b"new"]


async def test_an_upstream_that_vanishes_within_a_message() -> None:
    body = b"x" * 3_000_000
    named = encode_properties(delivery_mode=2, message_id="large")
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, faulty_link(5) as link:
        link.target = up.address()
        await bound_here(down)
        await set_upstream(down, "u", f"amqp://{LOOPBACK}:{link.port}")
        await set_policy(down)
        found = await until_link(down)
        link.faults = Faults(bytes_max=1_000_000, ways=("cut", "reset"))
        await told(down, "restart_federation_link", found["id"])
        await far.publish("fed.x", "", body, named)
        await until(lambda: link.happened["cut"] + link.happened["reset"] > 2)
        link.heal()
        async with down.connect() as here:
            assert await take(here, "q", 1) == [body]
            assert (await here.check_queue("q")).messages == 0


async def test_what_came_already_doesnt_come_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link breaks before the upstream hears that a message is here."""
    from warren.adapters.amqp091.client.channel import ClientChannel

    lost: list[int] = []
    real = ClientChannel.ack

    def ack(channel: ClientChannel, tag: int, *, multiple: bool = False) -> None:
        if multiple and len(lost) < 3:
            lost.append(tag)
        else:
            real(channel, tag, multiple=multiple)

    monkeypatch.setattr(ClientChannel, "ack", ack)
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await bound_here(down)
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        found = await until_link(down)
        for number in range(3):
            await far.publish("fed.x", "", b"%d" % number, encode_properties(message_id=str(number)))
            await until(lambda number=number: len(lost) > number)  # type: ignore[misc]
        await told(down, "restart_federation_link", found["id"])
        await far.publish("fed.x", "", b"3", encode_properties(message_id="3"))
        assert await take(here, "q", 4) == [b"0", b"1", b"2", b"3"]
        await until(lambda: not any(row["messages"] for row in up.inspect("queues")))
        assert (await here.check_queue("q")).messages == 0
        assert (await links(down))[0]["dropped"] == 3


async def test_an_exchange_that_is_deleted_there_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange_link, "LOOK_S", 0.05)
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await bound_here(down)
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await far.delete_exchange("fed.x")
        await until(lambda: bindings_from(up, "fed.x"))
        await far.publish("fed.x", "", b"1")
        assert await take(here, "q", 1) == [b"1"]
        await far.delete_exchange("fed.x")
        await far.declare_exchange("fed.x", "fanout")
        await until(lambda: bindings_from(up, "fed.x"))
        await far.publish("fed.x", "", b"2")
        assert await take(here, "q", 1) == [b"2"]


async def test_a_queue_that_is_deleted_there_is_made_again() -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await bound_here(down)
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await far.delete_queue("federation: fed.x -> down")
        await until_link(down, "error", "ended the consumer")
        await until_link(down)
        await far.publish("fed.x", "", b"1")
        assert await take(here, "q", 1) == [b"1"]


async def test_two_brokers_of_one_name() -> None:
    async with open_broker(config=UP) as up, federated() as down, federated() as namesake:
        for each in (down, namesake):
            await bound_here(each)
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await set_upstream(namesake, "u", up.url())
        await set_policy(namesake)
        await until_link(namesake, "error", "another broker with the cluster name 'down'")
        assert bindings_from(up, "fed.x") == [("federation: fed.x -> down A", "")]
        await told(namesake, "clear_policy", "p")
        await until_no_link(namesake)
        assert names(up, "queues") == ["federation: fed.x -> down"], "what isn't its own, it leaves alone at once"
        async with up.connect() as far, down.connect() as here:
            await far.publish("fed.x", "", b"1")
            assert await take(here, "q", 1) == [b"1"]


async def test_a_queue_with_other_arguments_is_named() -> None:
    async with open_broker(config=UP) as up, federated() as down:
        await bound_here(down)
        await set_upstream(down, "u", up.url(), expires=60_000)
        await set_policy(down)
        await until_link(down)
        await set_upstream(down, "u", up.url(), expires=70_000)
        await until_link(down, "error", "x-expires")
        await set_upstream(down, "u", up.url(), expires=60_000)
        await until_link(down)


async def test_a_bug_in_one_link_touches_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = ExchangeWork.run

    async def run(self: ExchangeWork, *arguments: object) -> None:
        if self.there == "fed.bad":
            raise RuntimeError("on purpose")
        await real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ExchangeWork, "run", run)
    async with open_broker(config=UP) as up, federated() as down:
        await bound_here(down, "fed.bad")
        await bound_here(down, "fed.good")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down, exchange="fed.good")
        await until_link(down, "error", "an internal error, which is in the log", exchange="fed.bad")
        assert down.inspect("plugins")[0]["state"] == "running"
    assert "on purpose" in caplog.text
    caplog.clear()


async def test_an_upstream_that_is_away_is_cleaned_up_when_it_is_back() -> None:
    async with open_broker(config=UP) as up, federated() as down, faulty_link(6) as link:
        link.target = up.address()
        await bound_here(down)
        await set_upstream(down, "u", f"amqp://{LOOPBACK}:{link.port}")
        await set_policy(down)
        await until_link(down)
        await cut(link, up)
        await until_link(down, "error")
        async with down.connect() as here:
            await here.delete_exchange("fed.x")
        await until_link(down, "shutdown", "the peer ended the connection before")
        assert names(up, "queues") == ["federation: fed.x -> down"]
        link.target = up.address()
        await until_no_link(down)
        assert names(up, "queues") == []


async def test_a_new_link_takes_over_from_one_that_cleans_up() -> None:
    async with open_broker(config=UP) as up, federated() as down, faulty_link(7) as link, up.connect() as far:
        link.target = up.address()
        await bound_here(down)
        await set_upstream(down, "u", f"amqp://{LOOPBACK}:{link.port}")
        await set_policy(down)
        await until_link(down)
        await cut(link, up)
        await told(down, "clear_policy", "p")
        await until_link(down, "shutdown", "the peer ended the connection before")
        await far.publish("fed.x", "", b"waits")
        await set_policy(down)
        link.target = up.address()
        await until_link(down)
        async with down.connect() as here:
            assert await take(here, "q", 1) == [b"waits"]
        assert len(await links(down)) == 1


async def test_what_cant_be_used_is_refused_at_once() -> None:
    async with federated() as down:
        for component, value, said in (
            ("federation-upstream", {"uri": "amqp://x", "prefetch": 1}, "unknown key 'prefetch'"),
            ("federation-upstream-set", [{"upstream": "u", "uri": "amqp://x"}], "the key 'uri' belongs to"),
        ):
            answer = await ask(down, "set_parameter", component, "n", json.dumps(value))
            assert not answer["ok"]
            assert said in str(answer["error"])


async def test_a_queue_that_has_expired_while_the_link_was_down_is_made_anew() -> None:
    """What was in it is gone, as `expires` says; what comes afterwards is here."""
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, faulty_link(5) as link:
        link.target = up.address()
        await bound_here(down)
        await set_upstream(down, "u", f"amqp://{LOOPBACK}:{link.port}", expires=300)
        await set_policy(down)
        await until_link(down)
        queue = "federation: fed.x -> down"
        await cut(link, up)
        await until_link(down, "error")
        await far.publish("fed.x", "", b"lost", PERSISTENT)
        await until(lambda: queue not in names(up, "queues"))
        link.target = up.address()
        await until_link(down)
        assert queue in names(up, "queues")
        await far.publish("fed.x", "", b"comes", PERSISTENT)
        async with down.connect() as here:
            assert await take(here, "q", 1) == [b"comes"]
