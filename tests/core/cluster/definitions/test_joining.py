"""How nodes come to have what their cluster has, and what keeps one out."""

from __future__ import annotations

import json

import pytest

from tests.support.simulated_cluster import Bucket, Node, run
from warren.core.administration.operations import exchanges, queues
from warren.core.cluster.away import home_of
from warren.core.cluster.definitions.items import CLUSTER_KEY, key_of
from warren.core.cluster.definitions.joining import FORMAT, Joining
from warren.core.errors import ClusterAway, NotFound


def joined(*names: str) -> list[Node]:
    bucket = Bucket()
    found = [Node(name, bucket) for name in names]
    run(*found)
    return found


def test_who_was_there_before_brings_its_definitions_with_queues_that_stay_on_it() -> None:
    bucket = Bucket()
    one = Node("n1", bucket)
    alone = one.stand_alone()
    exchanges.declare(alone, "/", "x", "topic")
    queues.declare(alone, "/", "q")
    alone.users.add_user("ada", "secret")
    alone.policies.agreements = None
    one.start()
    two = Node("n2", bucket)
    run(one, two)
    assert one.has_joined
    assert two.has_joined
    assert "x" in two.broker.vhosts["/"].exchanges
    two.broker.users.authenticate("ada", "secret", True)
    assert one.broker.vhosts["/"].queues["q"].store_id
    there = two.broker.vhosts["/"].queues["q"]
    assert home_of(there) == "n1"
    with pytest.raises(NotFound, match="it is on node 'n1', which can't be reached from here"):
        there.check_usable()
    two.start()
    assert home_of(two.broker.vhosts["/"].queues["q"]) == "n1", "it is known at the next start, too"


def test_of_two_that_come_to_an_empty_bucket_one_wins() -> None:
    bucket = Bucket()
    one, two = Node("n1", bucket), Node("n2", bucket)
    one.deliver()
    two.deliver()
    two.take_writes()
    one.take_writes()
    one.deliver()
    assert one.membership.state is Joining.WAITING
    two.deliver()
    assert two.membership.state is Joining.BRINGING
    one.ask("declare", lambda broker: broker.add_vhost("v", {}))
    with pytest.raises(ClusterAway, match="waiting for another node's definitions"):
        one.answer("declare")
    run(one, two)
    assert one.has_joined
    assert two.has_joined


def test_who_crashes_while_bringing_goes_on_with_it() -> None:
    bucket = Bucket()
    one = Node("n1", bucket)
    one.deliver()
    one.take_writes()
    one.deliver()
    assert one.membership.state is Joining.BRINGING
    one.start()
    run(one)
    assert one.has_joined
    assert "guest" in one.broker.users


def test_nothing_is_merged_in_silence() -> None:
    (one,) = joined("n1")
    two = Node("n2", one.bucket)
    alone = two.stand_alone()
    queues.declare(alone, "/", "mine")
    two.start()
    run(one, two)
    assert two.membership.state is Joining.REFUSED
    assert "user 'guest'" in two.membership.trouble
    assert "queue 'mine' in vhost '/'" in two.membership.trouble
    assert "with an empty data directory, or with --cluster-import" in two.membership.trouble
    assert "mine" in two.broker.vhosts["/"].queues, "nothing of it is lost"
    two.ask("declare", lambda broker: broker.add_vhost("v", {}))
    with pytest.raises(ClusterAway, match="cluster-import"):
        two.answer("declare")


def test_what_the_cluster_lacks_is_given_to_it_where_that_is_wanted() -> None:
    (one,) = joined("n1")
    two = Node("n2", one.bucket, imports=True)
    alone = two.stand_alone()
    exchanges.declare(alone, "/", "mine", "topic")
    two.start()
    run(one, two)
    assert two.has_joined
    assert "mine" in one.broker.vhosts["/"].exchanges
    assert two.broker.users["guest"] == one.broker.users["guest"], "what differs is as the cluster has it"


def test_an_exchange_that_differs_keeps_a_node_out_even_so() -> None:
    (one,) = joined("n1")
    one.ask("x", lambda broker: exchanges.declare(broker, "/", "x", "direct"))
    run(one)
    two = Node("n2", one.bucket, imports=True)
    exchanges.declare(two.stand_alone(), "/", "x", "topic")
    two.start()
    run(one, two)
    assert two.membership.state is Joining.REFUSED
    assert "exchange 'x' in vhost '/'. Delete it on one side, or rename it" in two.membership.trouble
    assert two.broker.vhosts["/"].exchanges["x"].type_name == "topic"


def test_a_bucket_of_another_cluster_is_refused() -> None:
    one, _ = joined("n1", "n2")
    (other,) = joined("m1")
    one.bucket = other.bucket
    one.start()
    run(one)
    assert one.membership.state is Joining.REFUSED
    assert "this node belongs to cluster" in one.membership.trouble
    assert "guest" in one.broker.users, "it serves what it has"


def test_a_bucket_that_was_emptied_takes_nothing_away() -> None:
    one, two = joined("n1", "n2")
    one.bucket.keys.clear()
    one.begin_anew()
    one.deliver()
    assert one.membership.state is Joining.REFUSED
    assert "emptied" in one.membership.trouble
    assert "guest" in one.broker.users
    two.start()
    two.deliver()
    assert two.membership.state is Joining.REFUSED
    assert "restore the bucket from a backup" in two.membership.trouble


def test_a_bucket_that_was_set_back_is_refused() -> None:
    one, _ = joined("n1", "n2")
    backup = dict(one.bucket.keys), one.bucket.revision
    one.ask("x", lambda broker: exchanges.declare(broker, "/", "x", "direct"))
    run(one)
    one.start()
    run(one)
    one.bucket.keys, one.bucket.revision = backup
    one.start()
    run(one)
    assert one.membership.state is Joining.REFUSED
    assert "older than what this node has seen" in one.membership.trouble
    assert "x" in one.broker.vhosts["/"].exchanges


def test_a_bucket_of_a_later_version_is_refused() -> None:
    (one,) = joined("n1")
    revision, value = one.bucket.keys[CLUSTER_KEY]
    said = json.loads(value or b"")
    one.bucket.keys[CLUSTER_KEY] = revision, json.dumps({**said, "format": FORMAT + 1}).encode()
    two = Node("n2", one.bucket)
    run(two)
    assert two.membership.state is Joining.REFUSED
    assert "upgrade this node" in two.membership.trouble


def test_what_was_declared_while_a_node_was_started_without_its_cluster_keeps_it_out() -> None:
    one, two = joined("n1", "n2")
    exchanges.declare(two.stand_alone(), "/", "x", "direct")
    two.start()
    run(one, two)
    assert two.membership.state is Joining.REFUSED
    assert "exchange 'x'" in two.membership.trouble


def test_what_cant_be_read_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    one, two = joined("n1", "n2")
    key = key_of("exchange", "/", "x")
    one.bucket.revision += 1
    one.bucket.keys[key] = one.bucket.revision, b'{"kind":"from the future"}'
    run(one, two)
    assert list(one.replica.unreadable) == [key]
    assert "left out on this node" in caplog.text
    one.ask("y", lambda broker: exchanges.declare(broker, "/", "y", "direct")[0].name)
    run(one, two)
    assert one.answer("y") == "y"
