"""The engine of a shard over JetStream: fencing, takeover, servers that are killed in the middle."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.core.storage.support import make_message
from tests.support.nats_servers import NatsServer, client_of, nats_server, options_of
from warren.core.errors import StorageError
from warren.core.storage.replicated.engine import ReplicatedEngine
from warren.core.storage.replicated.errors import (
    OwnershipLost,
    StreamAway,
    StreamDiverged,
    StreamFull,
    WrongSequence,
)
from warren.gateway.nats import jetstream
from warren.gateway.nats.errors import UnfitServer
from warren.gateway.nats.shard_stream import JetStreamShard, shard_stream_config

PATIENCE_S = 60.0


@pytest.fixture
def shard(nats: NatsServer) -> Iterator[JetStreamShard]:
    """A new stream with one replica."""
    with shard_of([nats], "S" + secrets.token_hex(6), replicas=1) as made:
        yield made


@contextmanager
def shard_of(servers: list[NatsServer], name: str, *, replicas: int = 3) -> Iterator[JetStreamShard]:
    shard = JetStreamShard(options_of(servers), name, patience_s=PATIENCE_S)
    try:
        shard.make(replicas=replicas)
        yield shard
    finally:
        shard.close()


@contextmanager
def owner_of(directory: Path, servers: list[NatsServer], name: str, *, replicas: int = 3) -> Iterator[ReplicatedEngine]:
    """An engine over a stream, before `recover`."""
    with shard_of(servers, name, replicas=replicas) as stream, shard_of(servers, name, replicas=replicas) as upkeep:
        engine = ReplicatedEngine(
            directory, stream, upkeep, owner=directory.name, segment_bytes_max=4096, allocation_step=0
        )
        try:
            yield engine
        finally:
            engine.close()


def found(engine: ReplicatedEngine) -> list[bytes]:
    """The bodies of queue 1, once the shard is taken over."""
    bodies = []
    for queue_id, positions, _ in engine.recover():
        assert queue_id == 1
        bodies += [message.body for message in engine.read(positions) if message is not None]
    return bodies


def store(engine: ReplicatedEngine, body: bytes, *, settled: bool = False) -> None:
    """One message, flushed; settled: and done with in the next flush."""
    message = make_message(body)
    engine.append(message, (1,))
    flush(engine)
    if settled:
        engine.settle(1, message)
        flush(engine)


def flush(engine: ReplicatedEngine) -> None:
    job = engine.begin_flush()
    assert job is not None
    job.write()
    engine.finish_flush(job)


def test_appends_expect_what_they_follow(shard: JetStreamShard) -> None:
    assert shard.bounds() == (1, 0)
    for number, frame in enumerate([b"a", b"b", bytes(shard.frame_bytes_max)]):
        shard.begin_append(frame, number)
        shard.end_append()
    shard.begin_append(b"late", 1)
    with pytest.raises(WrongSequence):
        shard.end_append()
    with pytest.raises(StreamAway, match="nothing was sent"):
        shard.end_append()
    assert shard.bounds() == (1, 3)
    assert [(sequence, frame[:1]) for sequence, frame in shard.read(1, 3)] == [(1, b"a"), (2, b"b"), (3, b"\0")]
    assert (shard.get(2), shard.get(4)) == (b"b", None)
    shard.purge(3)
    assert shard.bounds() == (3, 3)
    assert shard.get(2) is None
    assert [sequence for sequence, _ in shard.read(1, 3)] == [3]


def test_what_is_not_there_yet_is_waited_for(shard: JetStreamShard) -> None:
    with pytest.raises(StreamAway, match="doesn't have message 1"):
        list(shard.read(1, 1))


def test_closing_ends_what_waits(shard: JetStreamShard) -> None:
    def wait() -> None:
        while True:
            shard.wait("it is away")

    closing = threading.Thread(target=shard.close)
    closing.start()
    with pytest.raises(StorageError, match="closed"):
        wait()
    closing.join()
    for call in (shard.bounds, lambda: shard.begin_append(b"a", 0), lambda: shard.get(1)):
        with pytest.raises(StorageError, match="closed"):
            call()


def test_a_stream_that_is_kept_otherwise_is_refused(nats: NatsServer) -> None:
    name = "S" + secrets.token_hex(6)
    with client_of([nats]) as client:
        client.call(jetstream.create_stream({**shard_stream_config(name, replicas=1), "discard": "old"}))
    stream = JetStreamShard(options_of([nats]), name)
    try:
        with pytest.raises(UnfitServer, match="discard new"):
            stream.make(replicas=1)
    finally:
        stream.close()


def test_a_stream_that_was_there_is_found_and_not_begun_anew(nats: NatsServer, shard: JetStreamShard) -> None:
    shard.find(replicas=1)
    with client_of([nats]) as client:
        client.call(jetstream.delete_stream(shard.name))
    with pytest.raises(StreamDiverged, match="isn't there any more"):
        shard.find(replicas=1)


def test_a_stream_without_room_says_so_until_there_is_some(nats: NatsServer, shard: JetStreamShard) -> None:
    def limit(size_bytes: int) -> None:
        with client_of([nats]) as client:
            config = client.call(jetstream.stream_info(shard.name)).config
            client.call(jetstream.update_stream({**config, "max_bytes": size_bytes}))

    limit(50_000)
    shard.begin_append(bytes(100_000), 0)
    with pytest.raises(StreamFull, match=r"no room for more, maximum bytes exceeded \(JetStream 10077\): raise"):
        shard.end_append()
    assert shard.is_full
    assert shard.bounds() == (1, 0)
    limit(-1)
    shard.begin_append(bytes(100_000), 0)
    shard.end_append()
    assert not shard.is_full
    assert shard.bounds() == (1, 1)


def test_one_node_goes_on_where_another_was_killed(tmp_path: Path, nats: NatsServer) -> None:
    name = "S" + secrets.token_hex(6)
    bodies = [b"%d" % number for number in range(100)]
    with (
        owner_of(tmp_path / "one", [nats], name, replicas=1) as one,
        owner_of(tmp_path / "two", [nats], name, replicas=1) as two,
    ):
        assert found(one) == []
        for body in bodies:
            store(one, body, settled=body < b"5")
        while (job := one.begin_maintenance()) is not None:
            job.write()
            one.finish_maintenance(job)
        left = [body for body in bodies if body >= b"5"]
        assert found(two) == left
        with pytest.raises(OwnershipLost, match="another node"):
            store(one, b"late")
        store(two, b"next")
        one.close()
        with owner_of(tmp_path / "one", [nats], name, replicas=1) as again:
            assert found(again) == [*left, b"next"]


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    directory.mkdir()
    with nats_server(directory) as server, owner_of(tmp_path / "one", [server], "S", replicas=1) as one:
        assert found(one) == []
        store(one, b"a")
        server.stop(0)
        back = threading.Thread(target=server.start)
        back.start()
        store(one, b"b")
        back.join()
        with owner_of(tmp_path / "two", [server], "S", replicas=1) as two:
            assert found(two) == [b"a", b"b"]


def test_the_loss_of_any_of_three_servers_loses_no_flush(tmp_path: Path, cluster: list[NatsServer]) -> None:
    stored = 0
    with client_of(cluster, patience_s=PATIENCE_S) as client, owner_of(tmp_path / "one", cluster, "S") as one:
        assert found(one) == []
        for lost in cluster:
            for number in range(20):
                if number == 10:
                    lost.stop(0)
                store(one, b"%d" % stored)
                stored += 1
            lost.start()
            lost.wait_until(lambda: len(client.call(jetstream.stream_info("S")).current) == 2, "all to catch up")
        with owner_of(tmp_path / "two", cluster, "S") as two:
            assert found(two) == [b"%d" % number for number in range(stored)]
            with pytest.raises(OwnershipLost):
                store(one, b"late")
