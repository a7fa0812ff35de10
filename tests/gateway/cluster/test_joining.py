"""Nodes that join at once: one writes what all have in common, and the others wait until that can be read."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, cast

import pytest
import trio.testing

from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.cluster.joining import FORMAT, Joining
from warren.gateway.cluster.names import CONSTANTS, NODES, node_key
from warren.gateway.nats.errors import WRONG_LAST_SEQUENCE, ApiError
from warren.gateway.nats.key_value import Bucket, Entry
from warren.gateway.nats.leases import Lease
from warren.gateway.nats.trio_client import TrioClient

OVERTAKEN = [ApiError(code, "wrong last sequence") for code in sorted(WRONG_LAST_SEQUENCE)]

Answer = Entry | ApiError | int | None


class Servers:
    """A TrioClient whose servers answer these, one after another."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)

    async def call(self, call: object) -> Any:
        await trio.lowlevel.checkpoint()
        answer = self.answers.popleft()
        if isinstance(answer, ApiError):
            raise answer
        return answer


def joining(servers: Servers) -> Joining:
    return Joining(cast(TrioClient, servers), cast(Lease, None), "n1", shards=4, replicas=3)


def constants(**others: object) -> Entry:
    said = {"format": FORMAT, "shards": 4, "replicas": 3, **others}
    return Entry(CONSTANTS, json.dumps(said).encode(), 7, is_gone=False)


@pytest.mark.parametrize("overtaken", OVERTAKEN, ids=lambda error: str(error.code))
async def test_what_another_node_is_writing_is_waited_for(
    autojump_clock: trio.testing.MockClock, overtaken: ApiError
) -> None:
    servers = Servers(None, overtaken, None, overtaken, None, overtaken, constants())
    await joining(servers).agree()
    assert not servers.answers


async def test_where_the_write_of_the_other_one_fails_this_one_is_the_first(
    autojump_clock: trio.testing.MockClock,
) -> None:
    servers = Servers(None, OVERTAKEN[0], None, 8)
    await joining(servers).agree()
    assert not servers.answers


async def test_who_has_something_else_in_common_is_not_joined(autojump_clock: trio.testing.MockClock) -> None:
    servers = Servers(None, OVERTAKEN[0], constants(shards=16))
    with pytest.raises(
        ClusterRefusedError, match=r"the cluster has shards 16, and this node was told 4; set cluster_sh"
    ):
        await joining(servers).agree()


async def test_a_name_is_another_ones_only_where_it_is_held(autojump_clock: trio.testing.MockClock) -> None:
    key = node_key("n1")
    held = Entry(key, json.dumps({"node": "n1", "token": "other", "version": "9"}).encode(), 3, is_gone=False)
    gone = Entry(key, b"", 4, is_gone=True)

    def lease(*answers: Answer) -> tuple[Servers, Joining]:
        servers = Servers(*answers)
        client = cast(TrioClient, servers)
        return servers, Joining(client, Lease(client, Bucket(NODES), key, "n1"), "n1", shards=4, replicas=3)

    # Refused by a write that is under way, and nobody has it; then the same again; then it can be taken.
    servers, node = lease(None, None, OVERTAKEN[0], None, None, gone, gone, OVERTAKEN[0], gone, gone, gone, gone, 9)
    await node.be_known()
    assert not servers.answers
    servers, node = lease(held, held, held)
    with pytest.raises(ClusterRefusedError, match=r"another node of the cluster is called 'n1', too \(its Warren 9\)"):
        await node.be_known()
