"""Servers that go, hang and come back: both clients go on with another one, and say so where they can't know."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import trio

from tests.support.nats_servers import NatsServer, client_of, nats_server, options_of
from warren.gateway.nats import jetstream
from warren.gateway.nats.errors import NatsClosed, NatsDisconnected, NatsUnreachable
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.trio_client import open_client
from warren.gateway.nats.watching import WatchMark, watch

PATIENCE_S = 90.0

LOG = {
    "name": "LOG",
    "subjects": ["log"],
    "storage": "file",
    "retention": "limits",
    "discard": "new",
    "num_replicas": 3,
    "allow_direct": True,
}


def test_nobody_there_is_said_in_words(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        server.stop(0)
        with client_of([server], patience_s=0.1) as client, pytest.raises(NatsUnreachable, match="no NATS server"):
            client.call(jetstream.account_info())


async def test_nobody_there_is_said_in_words_on_trio(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        server.stop(0)
        async with open_client(options_of([server]), patience_s=0.1) as client:
            assert not client.is_connected
            with pytest.raises(NatsUnreachable, match="no NATS server"):
                await client.call(jetstream.account_info())


def test_a_server_that_comes_back_is_found_again(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server, client_of([server], patience_s=PATIENCE_S) as client:
        client.call(jetstream.create_stream({**LOG, "num_replicas": 1}))
        client.call(jetstream.publish("log", b"a", expected_last=0))
        server.stop(0)
        server.start()
        assert client.call(jetstream.stream_info("LOG")).last_sequence == 1


def test_an_answer_that_does_not_come_is_not_known(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server, client_of([server], patience_s=PATIENCE_S) as client:
        client.call(jetstream.create_stream({**LOG, "num_replicas": 1}))
        server.pause()
        client._patience_s = 0.3
        try:
            with pytest.raises(NatsDisconnected):
                client.call(jetstream.publish("log", b"a", expected_last=0))
        finally:
            server.go_on()


def test_closing_wakes_who_waits(tmp_path: Path) -> None:
    with nats_server(tmp_path) as server:
        client = client_of([server], patience_s=PATIENCE_S)
        client.server_info()
        server.pause()
        try:
            asked = client.start(jetstream.account_info())
            closing = threading.Thread(target=client.close)
            closing.start()
            with pytest.raises((NatsClosed, NatsDisconnected)):
                client.finish(asked)
            closing.join()
            with pytest.raises(NatsClosed):
                client.call(jetstream.account_info())
        finally:
            server.go_on()


def test_the_loss_of_any_server_of_three_loses_nothing(cluster: list[NatsServer]) -> None:
    with client_of(cluster, patience_s=PATIENCE_S) as client:
        client.call(jetstream.create_stream(LOG))
        written = 0
        for lost in cluster:
            for _ in range(5):
                written = client.call(jetstream.publish("log", b"%d" % written, message_id=f"m{written}")).sequence
            lost.stop(0)
            written = client.call(jetstream.publish("log", b"%d" % written, message_id=f"m{written}")).sequence
            lost.start()
            # A second one that goes before this one has caught up would take the majority along.
            lost.wait_until(lambda: len(client.call(jetstream.stream_info("LOG")).current) == 2, "all to catch up")
        batch = client.call(jetstream.get_batch("LOG", 1, count=100, size_bytes=1 << 20))
        assert [each.payload for each in batch] == [b"%d" % number for number in range(18)]


async def test_watches_and_subscriptions_outlive_the_server_that_had_them(cluster: list[NatsServer]) -> None:
    bucket = Bucket("cluster")
    with trio.fail_after(2 * PATIENCE_S):
        async with open_client(options_of(cluster), patience_s=PATIENCE_S) as client:
            await client.call(bucket.create(replicas=3))
            async with watch(client, bucket) as watching, client.subscribe("news") as news:
                assert await watching.receive() is WatchMark.CAUGHT_UP
                first = await client.call(bucket.put("a", b"1"))
                assert await watching.receive() == Entry("a", b"1", first, False)
                _, where = await client.server_info()
                (lost,) = [server for server in cluster if server.address == where]
                await trio.to_thread.run_sync(lost.stop, 0)
                second = 0
                while not second:
                    try:
                        second = await client.call(bucket.put("b", b"2"))
                    except NatsDisconnected:
                        await trio.lowlevel.checkpoint()
                entry = await watching.receive()
                while entry is WatchMark.CAUGHT_UP:
                    entry = await watching.receive()
                assert isinstance(entry, Entry)
                assert (entry.key, entry.value) == ("b", b"2")
                await client.publish("news", b"hello", {"Own": "1"})
                assert (await news.receive()).payload == b"hello"
