"""Nodes with clocks that jump, logs that are damaged, directories from a backup: nothing that was confirmed is lost,
and what was deleted stays deleted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pika
import pika.exceptions
import pytest

from tests.core.storage.support import flip_byte, segment_files
from tests.gateway.cluster.test_faults import says, wait_until
from tests.gateway.cluster.test_words import shards
from tests.support import jumping_clock
from tests.support.cluster import QUORUM, Nodes, channel_of, drained, linked_options, publish
from tests.support.ctl import ctl
from tests.support.nats_servers import NatsServer, client_of
from tests.support.warren_process import WarrenProcess
from warren.core.cluster.shards import spread
from warren.gateway.cluster.names import SHARDS, shard_key
from warren.gateway.nats.errors import WRONG_LAST_SEQUENCE, ApiError
from warren.gateway.nats.key_value import Bucket

PATIENCE_S = 60.0
HOUR_S = 3600


@pytest.fixture
def nodes(tmp_path: Path, servers: list[NatsServer]) -> Iterator[Nodes]:
    with Nodes(tmp_path, servers) as found:
        yield found


def named(node: WarrenProcess, what: str) -> set[str]:
    """Names of what a node has."""
    return {row["name"] for row in json.loads(ctl(node.data_directory, f"list_{what}", "name", "--formatter", "json"))}


@pytest.mark.limits(seconds=300)
def test_a_node_from_a_backup_catches_up_and_what_was_deleted_stays_deleted(nodes: Nodes, tmp_path: Path) -> None:
    options = linked_options(tmp_path)
    n1, n2 = nodes.start("n1", *options, shards=1), nodes.start("n2", *options, shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        channel.queue_declare("goes", durable=True)
        channel.exchange_declare("goes too", "fanout", durable=True)
        publish(channel, "q", ["a", "b"])
        channel.basic_publish("", "goes", b"mine", pika.BasicProperties(delivery_mode=2))
    assert n1.stop() == 0
    data, backup = tmp_path / "n1" / "data", tmp_path / "backup"
    shutil.copytree(data, backup)
    n1 = nodes.start("n1", *options, shards=1)
    with channel_of(n1) as channel:
        method, _, body = channel.basic_get("q", auto_ack=True)
        assert (method is not None, body) == (True, b"a")
        publish(channel, "q", ["c"])
        channel.queue_delete("goes")
        channel.exchange_delete("goes too")
        channel.queue_declare("came", durable=True, arguments=QUORUM)
    assert n1.stop() == 0
    shutil.rmtree(data)
    backup.rename(data)
    n1 = nodes.start("n1", *options, shards=1)
    wait_until(n1, lambda: named(n1, "queues") == {"q", "came"}, "the cluster's queues")
    wait_until(n1, lambda: "goes too" not in named(n1, "exchanges"), "the cluster's exchanges")
    # It has the shard again, and what it had of its log.
    assert n2.stop() == 0
    wait_until(n1, lambda: shards(n1) == ["n1"], "the shard")
    with channel_of(n1) as channel:
        channel.queue_declare("goes", durable=True)
        assert drained(channel, "goes") == []
        assert drained(channel, "q") == ["b", "c"]


@pytest.mark.limits(seconds=300)
def test_clocks_that_jump_move_no_shard_and_lose_nothing(nodes: Nodes, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    by_clock = [jumping_clock.__file__, str(clock)]
    n1 = nodes.start("n1", shards=1, launcher=by_clock)
    ahead = tmp_path / "ahead"
    ahead.write_text(str(HOUR_S))
    n2 = nodes.start("n2", shards=1, launcher=[jumping_clock.__file__, str(ahead)])
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["right"])
        for wrong_by_s, body in ((HOUR_S, "ahead"), (-HOUR_S, "behind")):
            clock.write_text(str(wrong_by_s))
            publish(channel, "q", [body])
    assert shards(n2) == ["n1"]
    n1.kill()
    says(n2, "shard 0 is this node's, with 3 messages")
    # An hour behind, and two behind the other one.
    n1 = nodes.start("n1", shards=1, launcher=by_clock)
    with channel_of(n2) as channel:
        publish(channel, "q", ["by another"])
    n2.kill()
    says(n1, "shard 0 is this node's, with 4 messages")
    with channel_of(n1) as channel:
        assert drained(channel, "q") == ["right", "ahead", "behind", "by another"]


def test_an_owner_whose_lease_has_run_out_too_early_is_refused(nodes: Nodes, servers: list[NatsServer]) -> None:
    """As where the clock of a NATS server jumps: leases run out by those."""
    name = next(each for each in ("a", "b", "c", "d", "e", "f") if spread([each, "n1"], 1)[0] == each)
    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", ["a"])
        other = nodes.start(name, shards=1)
        end_lease(servers)
        says(other, "shard 0 is this node's, with 1 messages")
        # As the shard is another node's, it may never be confirmed.
        with pytest.raises(pika.exceptions.NackError):
            publish(channel, "q", ["stale"])
        says(n1, "shard 0 is let go")
    with channel_of(other) as channel:
        publish(channel, "q", ["b"])
        assert drained(channel, "q") == ["a", "b"]


def end_lease(servers: list[NatsServer]) -> None:
    """That of the only shard, at whichever revision it has just been renewed."""
    bucket = Bucket(SHARDS)
    with client_of(servers, patience_s=PATIENCE_S) as client:
        while True:
            entry = client.call(bucket.get(shard_key(0)))
            assert entry is not None
            try:
                client.call(bucket.delete(shard_key(0), entry.revision))
                return
            except ApiError as error:
                if error.code not in WRONG_LAST_SEQUENCE:
                    raise


@pytest.mark.limits(seconds=300)
def test_a_damaged_log_is_rebuilt_from_the_stream_also_while_it_is_used(nodes: Nodes, tmp_path: Path) -> None:
    place = tmp_path / "n1" / "data" / "shards" / "0"
    # So large that each is read by itself, when it is its turn.
    bodies = [letter * 700_000 for letter in "abc"]

    def damage(body: bytes) -> None:
        (path,) = [each for each in segment_files(place) if body in each.read_bytes()]
        flip_byte(path, path.read_bytes().index(body))

    n1 = nodes.start("n1", shards=1)
    with channel_of(n1) as channel:
        channel.queue_declare("q", durable=True, arguments=QUORUM)
        publish(channel, "q", bodies)
    assert n1.stop() == 0
    damage(b"bbbbbbbb")
    n1 = nodes.start("n1", shards=1)
    says(n1, "it was rebuilt from the shard's stream, and nothing is lost")
    says(n1, "shard 0 is this node's, with 3 messages")
    damage(b"cccccccc")
    found: list[str] = []
    with channel_of(n1) as channel:
        for method, _, body in channel.consume("q", inactivity_timeout=PATIENCE_S):
            assert method is not None, "nothing has come within a minute"
            channel.basic_ack(method.delivery_tag)
            if body.decode() not in found:
                found.append(body.decode())
            if len(found) == 3:
                break
    assert found == bodies
    log = n1.log.read_text()
    assert "a message in it can't be read; it is rebuilt from the shard's stream" in log
