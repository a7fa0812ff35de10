"""What a cluster's buckets, keys and streams are called in NATS."""

from __future__ import annotations

import base64
from typing import Final

NODES: Final = "warren-nodes"
"""Who is there: a lease for each node."""

SHARDS: Final = "warren-shards"
"""Whose the shards are: a lease for each that somebody has."""

CLUSTER: Final = "warren-cluster"
"""What all nodes have to have in common, and what all are asked to do."""

DIRECTORY: Final = "shards"
"""Where their logs are, in the data directory."""

CONSTANTS: Final = "constants"
REBALANCE: Final = "rebalance"

ASK: Final = "warren.ask"
"""Where nodes are asked what they have; each by its name behind it."""

_NODE: Final = "node."
_SHARD: Final = "shard."
_STREAM: Final = "stream."


def node_key(name: str) -> str:
    """The key of a node's lease: names may have letters that keys may not."""
    return _NODE + base64.urlsafe_b64encode(name.encode()).decode()


def ask_subject(name: str) -> str:
    """Where a node is asked."""
    return f"{ASK}.{base64.urlsafe_b64encode(name.encode()).decode().rstrip('=')}"


def shard_key(number: int) -> str:
    """The key of a shard's lease."""
    return f"{_SHARD}{number}"


def stream_key(number: int) -> str:
    """The key, in the bucket of what all have in common, that says how far a shard's stream once was."""
    return f"{_STREAM}{number}"


def shard_number(key: str) -> int:
    """The shard that a lease is of; -1 for another key."""
    digits = key.removeprefix(_SHARD)
    return int(digits) if digits != key and digits.isascii() and digits.isdigit() else -1


def stream_name(number: int) -> str:
    """The stream of a shard's log."""
    return f"warren-shard-{number}"
