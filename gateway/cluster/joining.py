"""Joining a cluster: the servers are looked at, the buckets made, and what all nodes must agree on is compared."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

import trio

from warren.gateway.cluster.errors import ClusterRefusedError
from warren.gateway.cluster.names import CLUSTER, CONSTANTS, NODES, REBALANCE, SHARDS, node_key
from warren.gateway.nats import jetstream, requirements
from warren.gateway.nats.errors import (
    STREAM_NAME_IN_USE,
    WRONG_LAST_SEQUENCE,
    ApiError,
    LoginRefused,
    UnfitServer,
)
from warren.gateway.nats.key_value import Bucket
from warren.gateway.nats.leases import Lease, said_by

if TYPE_CHECKING:
    from warren.gateway.nats.trio_client import TrioClient

_log = logging.getLogger("warren.cluster")

FORMAT: Final = 1
"""Of what nodes keep in NATS; nodes of another one aren't taken."""

RETRY_S: Final = 0.1
"""Before it is looked again at what another node is writing."""


class Joining:
    """What a node says of itself.  constants: what all must have in common."""

    def __init__(self, client: TrioClient, lease: Lease, name: str, *, shards: int, replicas: int) -> None:
        self._client = client
        self._lease = lease
        self._name = name
        self._replicas = replicas
        self._constants = {"format": FORMAT, "shards": shards, "replicas": replicas}

    async def join(self) -> None:
        """Be a node of the cluster.  Raises ClusterRefusedError for what must be changed first, and NatsError."""
        try:
            await self._join()
        except (UnfitServer, LoginRefused) as error:
            raise ClusterRefusedError(str(error)) from error

    async def _join(self) -> None:
        info, where = await self._client.server_info()
        requirements.check_server(info, where)
        for name in (CLUSTER, NODES, SHARDS):
            await make_bucket(self._client, Bucket(name), self._replicas)
        await self.agree()
        await self.be_known()

    async def be_known(self) -> None:
        """Have this node's name, which nobody else has.  Raises ClusterRefusedError, NatsError."""
        bucket = Bucket(NODES)
        while not await self._lease.take_over():
            entry = await self._client.call(bucket.get(node_key(self._name)))
            if entry is None or entry.is_gone:
                # A write of somebody's is under way, maybe one of ours whose answer was lost; or it has just ended.
                await trio.sleep(RETRY_S)
                continue
            said = said_by(entry)
            raise ClusterRefusedError(
                f"another node of the cluster is called {self._name!r}, too (its Warren {said.get('version', '?')}): "
                "give this one a name of its own (--node-name, or node_name) and, if its data directory is a copy of "
                "the other's, an empty one; or stop the other one"
            )

    async def agree(self) -> None:
        """The first node writes what all have in common; the others compare.  Raises ClusterRefusedError, NatsError."""
        bucket = Bucket(CLUSTER)
        while (entry := await self._client.call(bucket.get(CONSTANTS))) is None or entry.is_gone:
            value = json.dumps(self._constants).encode()
            try:
                await self._client.call(bucket.write(CONSTANTS, value, 0 if entry is None else entry.revision))
            except ApiError as error:
                if error.code not in WRONG_LAST_SEQUENCE:
                    raise
                # Another node's is under way, which refuses this one before it can be read, and may still fail.
                await trio.sleep(RETRY_S)
            else:
                _log.info("this is the first node of a new cluster: %d shards", self._constants["shards"])
                return
        found = said_by(entry)
        for name, wanted in self._constants.items():
            if found.get(name) != wanted:
                advice = "upgrade the older nodes" if name == "format" else f"set cluster_{name} = {found.get(name)}"
                raise ClusterRefusedError(
                    f"the cluster has {name} {found.get(name)}, and this node was told {wanted}; {advice}"
                )


async def make_bucket(client: TrioClient, bucket: Bucket, replicas: int, *, history: int = 1) -> None:
    """See that it is there and as it should be.  Raises UnfitServer, NatsError."""
    try:
        found = await client.call(bucket.create(replicas=replicas, history=history))
    except ApiError as error:
        if error.code != STREAM_NAME_IN_USE:
            raise
        found = await client.call(jetstream.stream_info(bucket.stream))
    if found.config.get("num_replicas", 1) < replicas:
        raise UnfitServer(
            f"the bucket {bucket.name} has {found.config.get('num_replicas', 1)} replicas; it needs {replicas}"
        )


async def ask_for_rebalancing(client: TrioClient, who: str) -> None:
    """Have all nodes give away what others should have.  Raises NatsError."""
    await client.call(Bucket(CLUSTER).put(REBALANCE, json.dumps({"by": who}).encode()))
