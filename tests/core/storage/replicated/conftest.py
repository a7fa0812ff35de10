"""A stream, and nodes that own its shard in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core.storage.replicated.nodes import Node
from tests.core.storage.replicated.streams import Servers


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def new(tmp_path: Path, servers: Servers) -> Iterator[Callable[..., Node]]:
    """Makes nodes, and stops them at the end."""
    nodes: list[Node] = []

    def make(name: str, **kind: int) -> Node:
        nodes.append(Node(tmp_path / name, servers, **kind))
        return nodes[-1]

    yield make
    for node in nodes:
        node.stop()
