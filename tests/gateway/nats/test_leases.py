"""Leases with a real server: one holder, gone when nobody renews, and at once when it is given up."""

from __future__ import annotations

import pytest
import trio

from tests.gateway.nats.test_key_value import WAIT_S, opened
from tests.support.nats_servers import NatsServer, nats_server, nats_server_path
from warren.gateway.nats import jetstream
from warren.gateway.nats.errors import FULL, ApiError
from warren.gateway.nats.key_value import Entry
from warren.gateway.nats.leases import Lease, holder_of
from warren.gateway.nats.trio_client import TrioClient
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


async def test_an_earlier_run_gives_way_at_once_and_a_namesake_with_the_same_directory_does_not(
    nats: NatsServer,
) -> None:
    async with opened(nats) as (client, bucket):
        one, two, three = (
            Lease(client, bucket, "node.1", "n1", ttl_s=ttl_s, identity="the same") for ttl_s in (2, 2, 60)
        )
        assert await one.take_over()
        assert not await two.take()
        async with trio.open_nursery() as nursery:

            async def live() -> None:
                while True:
                    await one.renew()

            nursery.start_soon(live)
            with trio.fail_after(WAIT_S):
                assert not await two.take_over()
            nursery.cancel_scope.cancel()
        with trio.fail_after(WAIT_S):
            # The last renewal may still be on its way.
            while not await two.take_over():
                pass
        assert await three.take_over(is_dead=True)
        # Who was there before, and was only paused, doesn't take it back.
        assert not await one.take()


async def test_one_whose_renewals_were_not_heard_of_is_fresh_once_it_is_taken_again(nats: NatsServer) -> None:
    """Else it would run out in the servers while its holder finds, again and again, that it is its own."""
    async with opened(nats) as (client, bucket):
        one = Lease(client, bucket, "shard.1", "n1", ttl_s=60)
        assert await one.take()
        one._renewed_s -= 61
        assert not one.is_fresh
        before = one.revision
        assert await one.take()
        assert one.is_fresh
        assert one.revision > before


FULL_ACCOUNT = """
accounts { WARREN { jetstream: { max_file: 1000000 }, users: [ { user: "warren", password: "burrow" } ] } }
no_auth_user: warren
"""


async def fill(client: TrioClient, size: int) -> None:
    """Publish messages of this size until there is no room."""
    while True:
        await client.call(jetstream.publish("f", bytes(size)))


async def test_where_there_is_no_room_it_runs_out_in_words_and_can_be_had_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_server(tmp_path_factory.mktemp("full"), FULL_ACCOUNT) as server:
        async with opened(server) as (client, bucket):
            await client.call(jetstream.create_stream({"name": "F", "subjects": ["f"], "storage": "file"}))
            one = Lease(client, bucket, "shard.1", "n1", ttl_s=2)
            assert await one.take()
            for size in (100_000, 1000, 10):
                with pytest.raises(ApiError) as caught:
                    await fill(client, size)
                assert caught.value.code in FULL
            with trio.fail_after(WAIT_S):
                lost = await one.keep(lambda: True)
            assert "shard.1 could not be renewed for 2 s: resource limits exceeded" in lost
            last = (await client.call(jetstream.stream_info("F"))).last_sequence
            await client.call(jetstream.purge_stream("F", last + 1))
            assert await one.take()


@pytest.mark.parametrize("value", [b"", b"x", b"[]", b"{}", b"7"])
def test_what_is_no_lease_has_no_holder(value: bytes) -> None:
    assert holder_of(Entry("k", value, 1, False)) == ""
    assert holder_of(Entry("k", b'{"node":"n1"}', 1, True)) == ""
    assert holder_of(Entry("k", b'{"node":"n1"}', 1, False)) == "n1"
