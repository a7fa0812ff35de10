"""Leases with a real server: one holder, gone when nobody renews, and at once when it is given up."""

from __future__ import annotations

import pytest
import trio

from tests.gateway.nats.test_key_value import WAIT_S, opened
from tests.support.nats_servers import NatsServer
from warren.gateway.nats.key_value import Entry
from warren.gateway.nats.leases import Lease, holder_of
from warren.gateway.nats.watching import Watch, watch


async def gone(watching: Watch) -> Entry:
    """The next word that a key is gone."""
    with trio.fail_after(WAIT_S):
        while True:
            entry = await watching.receive()
            if isinstance(entry, Entry) and entry.is_gone:
                return entry


async def test_one_holds_it_and_another_does_not(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket):
        one, two = (Lease(client, bucket, "shard.1", name, ttl_s=60) for name in ("n1", "n2"))
        assert await one.take()
        assert await one.take()
        assert not await two.take()
        entry = await client.call(bucket.get("shard.1"))
        assert entry is not None
        assert holder_of(entry) == "n1"
        await two.give_up()
        assert not await two.take()
        await one.give_up()
        assert await two.take()


async def test_a_namesake_is_another(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket):
        assert await Lease(client, bucket, "shard.1", "n1", ttl_s=60).take()
        assert not await Lease(client, bucket, "shard.1", "n1", ttl_s=60).take()


async def test_it_is_kept_as_long_as_all_is_well_and_goes_then(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket), watch(client, bucket) as watching:
        one, two = (Lease(client, bucket, "shard.1", name, ttl_s=1) for name in ("n1", "n2"))
        assert await one.take()
        renewals = iter(range(8))
        with trio.fail_after(WAIT_S):
            lost = await one.keep(lambda: next(renewals, None) is not None)
        assert "could not be renewed" in lost
        assert next(renewals, None) is None
        await gone(watching)
        assert await two.take()


async def test_who_has_lost_it_hears_so_at_the_next_renewal(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket):
        one, two = (Lease(client, bucket, "shard.1", name, ttl_s=2) for name in ("n1", "n2"))
        assert await one.take()
        entry = await client.call(bucket.get("shard.1"))
        assert entry is not None
        await client.call(bucket.delete("shard.1", entry.revision))
        assert await two.take()
        with trio.fail_after(WAIT_S):
            assert "another node holds" in await one.keep(lambda: True)


async def test_a_renewal_whose_answer_was_lost_counts(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket):
        one = Lease(client, bucket, "shard.1", "n1", ttl_s=60)
        assert await one.take()
        entry = await client.call(bucket.get("shard.1"))
        assert entry is not None
        await client.call(bucket.write("shard.1", entry.value, entry.revision, ttl_s=60))
        assert await one.renew()


@pytest.mark.parametrize("value", [b"", b"x", b"[]", b"{}", b"7"])
def test_what_is_no_lease_has_no_holder(value: bytes) -> None:
    assert holder_of(Entry("k", value, 1, False)) == ""
    assert holder_of(Entry("k", b'{"node":"n1"}', 1, True)) == ""
    assert holder_of(Entry("k", b'{"node":"n1"}', 1, False)) == "n1"
