"""Nodes that share their definitions."""

from __future__ import annotations

import pytest

from tests.support.simulated_cluster import Bucket, Node, run


@pytest.fixture
def nodes() -> list[Node]:
    """Three that have joined."""
    bucket = Bucket()
    found = [Node(name, bucket) for name in ("n1", "n2", "n3")]
    run(*found)
    assert all(node.has_joined for node in found)
    return found
