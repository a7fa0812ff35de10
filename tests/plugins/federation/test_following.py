"""Links are those that parameters and policies want, whichever of them changes, and whatever comes and goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
from tests.plugins.shovel.brokers import PERSISTENT, take, until
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.embedding import EmbeddedBroker
from warren.plugins.bridging.turnstile import APART_JITTER, APART_S
from warren.plugins.federation.exchange_link import ExchangeWork

UP = Config(in_memory=True).replace(cluster_name="up")


async def until_links(broker: EmbeddedBroker, *wanted: tuple[str, str, str]) -> None:
    """Wait until these links run, and no other: exchange, upstream, exchange there."""
    while True:
        found = [row for row in await links(broker) if row["status"] != "shutdown"]
        keys = sorted((row["exchange"], row["upstream"], row["upstream_exchange"]) for row in found)
        if keys == sorted(wanted) and all(row["status"] == "running" for row in found):
            return


async def test_each_change_counts_at_once() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("fed.x", "fanout")
        await set_policy(down)
        await until_links(down)
        await set_upstream(down, "one", up.url())
        await until_links(down, ("fed.x", "one", "fed.x"))
        await set_upstream(down, "two", up.url(), exchange="other")
        await until_links(down, ("fed.x", "one", "fed.x"), ("fed.x", "two", "other"))
        await here.declare_exchange("fed.y", "direct")
        await until_links(
            down,
            *(("fed.x", "one", "fed.x"), ("fed.x", "two", "other")),
            *(("fed.y", "one", "fed.y"), ("fed.y", "two", "other")),
        )
        await here.delete_exchange("fed.y")
        chosen = json.dumps([{"upstream": "one", "exchange": "third"}])
        await told(down, "set_parameter", "federation-upstream-set", "chosen", chosen)
        await set_policy(down, definition={"federation-upstream-set": "chosen"})
        await until_links(down, ("fed.x", "one", "third"))
        await told(down, "set_parameter", "federation-upstream-set", "chosen", json.dumps([{"upstream": "two"}]))
        await until_links(down, ("fed.x", "two", "other"))
        await told(down, "clear_parameter", "federation-upstream-set", "chosen")
        await until_links(down)
        await set_policy(down, definition={"federation-upstream-pattern": "^t"})
        await until_links(down, ("fed.x", "two", "other"))
        await set_policy(down, definition={"federation-upstream": "one"})
        await until_links(down, ("fed.x", "one", "fed.x"))
        await told(down, "clear_parameter", "federation-upstream", "one")
        await until_links(down)
        await until(lambda: not names(up, "queues"))


async def test_many_links_dont_connect_in_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one begins so much later as all before it take."""
    began: list[float] = []

    async def run(self: ExchangeWork, peers: trio.Nursery, running: Callable[[], None]) -> None:
        began.append(trio.current_time())
        await trio.sleep_forever()

    monkeypatch.setattr(ExchangeWork, "run", run)
    async with federated() as down, down.connect() as here:
        for number in range(20):
            await here.declare_exchange(f"fed.{number}", "fanout")
        await set_upstream(down, "u", "amqp://far.example")
        asked_s = trio.current_time()
        await set_policy(down)
        await until(lambda: len(began) == 20)
    assert began[-1] - asked_s > 19 * (1 - APART_JITTER) * APART_S


async def test_a_link_that_isnt_concerned_goes_on() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here:
        await here.declare_exchange("fed.x", "fanout")
        await set_upstream(down, "one", up.url())
        await set_policy(down)
        link = await until_link(down)
        await set_upstream(down, "two", up.url(), exchange="other")
        await set_upstream(down, "one", up.url())
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await until_links(down, ("fed.x", "one", "fed.x"), ("fed.x", "two", "other"))
        (same,) = (each for each in await links(down) if each["upstream"] == "one")
        assert same["local_connection"] == link["local_connection"]


async def test_a_changed_upstream_keeps_what_waits_there() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await set_upstream(down, "u", up.url().replace("//", "//guest:wrong@"))
        await until_link(down, "error", "ACCESS_REFUSED")
        await far.publish("fed.x", "", b"waits")
        await set_upstream(down, "u", up.url(), prefetch_count=1)
        assert await take(here, "q", 1) == [b"waits"]


async def test_an_upstream_that_moves_leaves_nothing_behind() -> None:
    async with open_broker(config=UP) as up, open_broker(config=UP) as other, federated() as down:
        async with down.connect() as here:
            await here.declare_exchange("fed.x", "fanout")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await set_upstream(down, "u", other.url())
        await until(lambda: not names(up, "queues"))
        await until_link(down, uri=other.url())
        assert names(other, "queues") == ["federation: fed.x -> down"]


async def test_an_upstream_with_one_address_more_keeps_what_waits_there() -> None:
    """Several addresses are those of one cluster's nodes."""
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(down, "u", up.url())
        await set_policy(down)
        await until_link(down)
        await set_upstream(down, "u", up.url().replace("//", "//guest:wrong@"))
        await until_link(down, "error", "ACCESS_REFUSED")
        await far.publish("fed.x", "", b"waits")
        await set_upstream(down, "u", [up.url(), up.url() + "?heartbeat=5", up.url() + "/other"])
        assert await take(here, "q", 1) == [b"waits"]


async def test_an_upstream_under_another_name_keeps_what_waits_there(tmp_path: Path) -> None:
    async with open_broker(config=UP) as up, up.connect() as far:
        async with federated(directory=tmp_path) as down, down.connect() as here:
            await here.declare_exchange("fed.x", "fanout", durable=True)
            await here.declare_queue("q", durable=True)
            await here.bind_queue("q", "fed.x")
            await set_upstream(down, "one", up.url())
            await set_upstream(down, "two", up.url().replace("//", "//guest:wrong@"))
            await set_policy(down, definition={"federation-upstream": "one"})
            await until_link(down)
            await set_policy(down, definition={"federation-upstream": "two"})
            await until_link(down, "error", "ACCESS_REFUSED", upstream="two")
            await until(lambda: len(up.inspect("connections")) == 1)
            await far.publish("fed.x", "", b"1", PERSISTENT)
        async with federated(directory=tmp_path) as down, down.connect() as here:
            await until_link(down, "error", "ACCESS_REFUSED", upstream="two")
            assert names(up, "queues") == ["federation: fed.x -> down"]
            await set_upstream(down, "two", up.url())
            assert await take(here, "q", 1) == [b"1"]
            await told(down, "clear_policy", "p")
            await until_no_link(down)
            assert names(up, "queues") == []


async def test_of_two_upstreams_that_lead_to_one_place_the_other_takes_over() -> None:
    async with open_broker(config=UP) as up, federated() as down, down.connect() as here, up.connect() as far:
        await here.declare_exchange("fed.x", "fanout")
        await here.declare_queue("q")
        await here.bind_queue("q", "fed.x")
        await set_upstream(down, "one", up.url())
        await set_policy(down)
        await until_link(down, upstream="one")
        await set_upstream(down, "two", up.url())
        await until_link(down, "error", "another upstream here that leads to the same place", upstream="two")
        await told(down, "clear_parameter", "federation-upstream", "one")
        await far.publish("fed.x", "", b"1")
        await until_link(down, upstream="two")
        assert await take(here, "q", 1) == [b"1"]
        await told(down, "clear_parameter", "federation-upstream", "two")
        await until_no_link(down)
        assert names(up, "queues") == []


async def test_over_a_restart_nothing_is_lost_and_no_old_binding_stays(tmp_path: Path) -> None:
    async with open_broker(config=UP) as up, up.connect() as far:
        async with federated(directory=tmp_path) as down, down.connect() as here:
            await here.declare_exchange("fed.x", "direct", durable=True)
            await here.declare_queue("q", durable=True)
            await here.declare_queue("brief")
            await here.bind_queue("q", "fed.x", "k")
            await here.bind_queue("brief", "fed.x", "brief")
            await set_upstream(down, "u", up.url())
            await set_policy(down)
            await until_link(down)
            await until(lambda: len(bindings_from(up, "fed.x")) == 2)
        await far.publish("fed.x", "k", b"1", PERSISTENT)
        async with federated(directory=tmp_path) as down, down.connect() as here:
            await until_link(down)
            assert bindings_from(up, "fed.x") == [("federation: fed.x -> down B", "k")]
            assert await take(here, "q", 1) == [b"1"]
        async with federated(directory=tmp_path) as down:
            await until_link(down)
            assert bindings_from(up, "fed.x") == [("federation: fed.x -> down A", "k")]
            assert names(up, "exchanges") == ["fed.x", "federation: fed.x -> down A"]


async def test_what_a_restart_has_ended_is_cleaned_up(tmp_path: Path) -> None:
    """An exchange that doesn't outlive it has no link afterwards."""
    async with open_broker(config=UP) as up:
        async with federated(directory=tmp_path) as down, down.connect() as here:
            await here.declare_exchange("fed.brief", "fanout")
            await here.declare_exchange("fed.stays", "fanout", durable=True)
            await set_upstream(down, "u", up.url())
            await set_policy(down)
            await until_link(down, exchange="fed.brief")
            await until_link(down, exchange="fed.stays")
            assert len(names(up, "queues")) == 2
        async with federated(directory=tmp_path) as down:
            await until(lambda: names(up, "queues") == ["federation: fed.stays -> down"])
            await until_links(down, ("fed.stays", "u", "fed.stays"))
            assert names(up, "exchanges") == ["fed.brief", "fed.stays", "federation: fed.stays -> down B"]
            await told(down, "clear_policy", "p")
            await until_no_link(down)
            assert names(up, "queues") == []
        assert json.loads((tmp_path / "plugins" / "federation" / "links.json").read_text()) == []


async def test_what_is_kept_and_cant_be_read_hurts_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "plugins" / "federation" / "links.json"
    file.parent.mkdir(parents=True)
    for text in ("nonsense", '[["no", "link"]]', '[[["/", "exchange", "x"], "unknown", "x"]]'):
        file.write_text(text)
        async with open_broker(config=UP) as up, federated(directory=tmp_path) as down, down.connect() as here:
            await here.declare_exchange("fed.x", "fanout")
            await set_upstream(down, "u", up.url())
            await set_policy(down)
            await until_link(down)
            await told(down, "clear_policy", "p")
            await told(down, "clear_parameter", "federation-upstream", "u")
            await until(lambda up=up: not names(up, "queues"))  # type: ignore[misc]
    assert caplog.text.count("can't be read") == 2
    assert "there is no upstream 'unknown' any more" in caplog.text
