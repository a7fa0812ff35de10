"""Links of queues whose upstream's queue goes with its last consumer, and of those that links have made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugins.federation.brokers import federated, set_policy, set_upstream, until_link, until_no_link
from tests.plugins.federation.test_queue_links import UP, bodies, federate_queues
from warren.gateway import open_broker


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("arguments", [{}, {"x-max-length": 3}])
async def test_an_upstreams_queue_that_would_go_with_the_links_consumer_is_refused(
    durable: bool, arguments: dict[str, Any]
) -> None:
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await far.declare_queue("fed.q", durable=durable, auto_delete=True, arguments=arguments)
        await far.publish("", "fed.q", b"kept")
        await here.declare_queue("fed.q", durable=True)
        async with here.consume("fed.q") as deliveries:
            await set_upstream(down, "u", up.url())
            await set_policy(down, apply_to="queues")
            await until_link(down, "error", "the queue 'fed.q' at the upstream is auto-delete", queue="fed.q")
            (row,) = up.inspect("queues")
            assert (row["messages"], row["auto_delete"]) == (1, True)
            await far.delete_queue("fed.q")
            await until_link(down, queue="fed.q")
            await far.publish("", "fed.q", b"comes")
            assert await bodies(deliveries, 1) == [b"comes"]


async def test_what_waits_in_a_queue_that_a_link_has_made_outlives_every_consumer() -> None:
    """Here it is auto-delete; there nothing goes with a consumer, the link's or another."""
    async with open_broker(config=UP) as up, federated() as down, up.connect() as far, down.connect() as here:
        await here.declare_queue("fed.q", auto_delete=True)
        await federate_queues(down, up)
        await until_link(down, queue="fed.q")
        async with far.consume("fed.q"):
            pass
        await far.publish("", "fed.q", b"1")
        async with here.consume("fed.q") as deliveries:
            assert await bodies(deliveries, 1) == [b"1"]
        await until_no_link(down)
        await far.publish("", "fed.q", b"2")
        assert [row["messages"] for row in up.inspect("queues")] == [1]
