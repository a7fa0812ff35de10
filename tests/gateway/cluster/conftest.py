"""Three real NATS servers for a test, or for all tests of a process that don't stop any."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.nats_servers import NatsServer, nats_cluster, nats_server_path


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NatsServer]]:
    """Three servers, for this test alone."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_cluster(tmp_path_factory.mktemp("servers")) as found:
        yield found


@pytest.fixture
def hidden_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NatsServer]]:
    """Three servers that don't tell clients of each other, so that proxies are the only ways to them."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_cluster(tmp_path_factory.mktemp("servers"), cluster_lines="no_advertise: true") as found:
        yield found
