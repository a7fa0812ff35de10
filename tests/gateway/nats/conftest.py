"""Real servers, started once for all tests of a process that want them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.nats_servers import NatsServer, nats_cluster, nats_server, nats_server_path


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One server, which nobody stops."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NatsServer]]:
    """Three servers, for this test alone."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_cluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers
