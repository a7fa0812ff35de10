"""Buckets with a real server: revisions, time to live, watching."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.support.nats_servers import NatsServer, options_of
from warren.gateway.nats import jetstream
from warren.gateway.nats.errors import WRONG_LAST_SEQUENCE, ApiError
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.trio_client import TrioClient, open_client
from warren.gateway.nats.watching import Watch, WatchMark, watch

WAIT_S = 60.0


@asynccontextmanager
async def opened(nats: NatsServer) -> AsyncIterator[tuple[TrioClient, Bucket]]:
    """A client, and a bucket that no other test has."""
    async with open_client(options_of([nats]), patience_s=30) as client:
        bucket = Bucket("b" + secrets.token_hex(6))
        await client.call(bucket.create(replicas=1))
        yield client, bucket


async def refused(client: TrioClient, bucket: Bucket, key: str, revision: int) -> bool:
    """Whether a write at this revision is refused, for that reason."""
    with pytest.raises(ApiError) as caught:
        await client.call(bucket.write(key, b"other", revision))
    return caught.value.code in WRONG_LAST_SEQUENCE


async def words(watching: Watch, count: int) -> list[Entry | WatchMark]:
    with trio.fail_after(WAIT_S):
        return [await watching.receive() for _ in range(count)]


async def test_a_key_is_written_at_its_revision_alone(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket):
        assert await client.call(bucket.get("owner.1")) is None
        first = await client.call(bucket.write("owner.1", b"a", 0))
        assert await refused(client, bucket, "owner.1", 0)
        second = await client.call(bucket.write("owner.1", b"b", first))
        assert await refused(client, bucket, "owner.1", first)
        assert await client.call(bucket.get("owner.1")) == Entry("owner.1", b"b", second, False)
        third = await client.call(bucket.put("owner.1", b"c"))
        assert third > second
        gone = await client.call(bucket.delete("owner.1", third))
        assert await client.call(bucket.get("owner.1")) == Entry("owner.1", b"", gone, True)
        assert await refused(client, bucket, "owner.1", 0)
        assert await client.call(bucket.write("owner.1", b"d", gone)) > gone


async def test_making_it_twice_is_finding_it(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket):
        assert (await client.call(bucket.create(replicas=1))).name == bucket.stream


async def test_a_watch_tells_what_there_is_and_then_what_changes(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket):
        one = await client.call(bucket.put("one", b"1"))
        await client.call(bucket.put("two", b"old"))
        two = await client.call(bucket.put("two", b"2"))
        async with watch(client, bucket) as watching:
            assert await words(watching, 3) == [
                Entry("one", b"1", one, False),
                Entry("two", b"2", two, False),
                WatchMark.CAUGHT_UP,
            ]
            three = await client.call(bucket.put("three", b"3"))
            gone = await client.call(bucket.delete("one", one))
            assert await words(watching, 2) == [Entry("three", b"3", three, False), Entry("one", b"", gone, True)]


async def test_a_watch_of_nothing_has_caught_up(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket), watch(client, bucket) as watching:
        assert await words(watching, 1) == [WatchMark.CAUGHT_UP]


async def test_a_key_that_nobody_renews_goes_and_who_watches_hears_it(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket), watch(client, bucket) as watching:
        await words(watching, 1)
        first = await client.call(bucket.write("lease", b"n1", 0, ttl_s=1))
        # The bucket keeps the last value alone: one that is overwritten at once may never be told.
        assert await words(watching, 1) == [Entry("lease", b"n1", first, False)]
        second = await client.call(bucket.write("lease", b"n1", first, ttl_s=1))
        told, marker = await words(watching, 2)
        assert told == Entry("lease", b"n1", second, False)
        assert isinstance(marker, Entry)
        assert (marker.key, marker.is_gone) == ("lease", True)
        entry = await client.call(bucket.get("lease"))
        assert entry is not None
        assert entry.is_gone
        assert await client.call(bucket.write("lease", b"n2", entry.revision, ttl_s=5)) > marker.revision


async def test_a_watch_goes_on_where_its_consumer_is_lost(nats: NatsServer) -> None:
    async with opened(nats) as (client, bucket), watch(client, bucket) as watching:
        await words(watching, 1)
        first = await client.call(bucket.put("a", b"1"))
        assert await words(watching, 1) == [Entry("a", b"1", first, False)]
        watching.lose_consumer()
        second = await client.call(bucket.put("b", b"2"))
        assert await words(watching, 2) == [Entry("b", b"2", second, False), WatchMark.CAUGHT_UP]


async def test_a_watch_begins_anew_where_the_bucket_is_another_one(nats: NatsServer) -> None:
    """Servers that have lost their disks: behind the last revision that was told, nothing may come for long."""
    async with opened(nats) as (client, bucket), watch(client, bucket) as watching:
        await words(watching, 1)
        for key in ("a", "b"):
            revision = await client.call(bucket.put(key, b"1"))
            assert await words(watching, 1) == [Entry(key, b"1", revision, False)]
        await client.call(jetstream.delete_stream(bucket.stream))
        await client.call(bucket.create(replicas=1))
        only = await client.call(bucket.put("c", b"2"))
        watching.lose_consumer()
        found = await words(watching, 3)
        assert found == [WatchMark.BEGINS_ANEW, Entry("c", b"2", only, False), WatchMark.CAUGHT_UP]


@pytest.mark.parametrize("name", ["", "a.b", "a b", "ä"])
def test_what_can_not_be_a_bucket(name: str) -> None:
    with pytest.raises(ValueError, match="bucket"):
        Bucket(name)


@pytest.mark.parametrize("key", ["", ".", "a..b", "a.", "a b", "a*", ">", "ä"])
def test_what_can_not_be_a_key(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Bucket("b").get(key)


def test_where_a_consumers_message_stands() -> None:
    assert jetstream.place_of("$JS.ACK.S.c.1.22.3.170.4") == jetstream.Place(22, 3, 4)
    assert jetstream.place_of("$JS.ACK.hub.hash.S.c.1.22.3.170.4.random") == jetstream.Place(22, 3, 4)
