"""The page of a node of a cluster: all nodes, and whose the shards are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.management.operating import choose, enter, follow, log_in, wait_for_row
from tests.browser.page import Page
from tests.support.cluster import QUORUM, Nodes, channel_of, linked_options, publish
from tests.support.nats_servers import nats_cluster, nats_server_path
from tests.support.warren_process import WarrenProcess

NODES = "#main table[aria-label=Nodes]"
SHARDS = "#main table[aria-label=Shards]"


@pytest.fixture
def both(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarrenProcess, WarrenProcess]]:
    """Nodes n1 and n2, with the page."""
    if nats_server_path() is None:
        pytest.skip("nats-server isn't installed")
    with nats_cluster(tmp_path_factory.mktemp("servers")) as servers, Nodes(tmp_path, servers) as nodes:
        options = [*linked_options(tmp_path), "--set", "plugins=management", "--listen-only", "http=127.0.0.1:0"]
        yield nodes.start("n1", *options), nodes.start("n2", *options)


def test_nodes_and_shards_are_shown(tab: Page, both: tuple[WarrenProcess, WarrenProcess]) -> None:
    n1, n2 = both
    with channel_of(n1) as channel:
        channel.queue_declare("replicated", durable=True, arguments=QUORUM)
        publish(channel, "replicated", ["a", "b", "c"])
    with channel_of(n2) as channel:
        channel.queue_declare("own", durable=True)
    log_in(tab, f"http://127.0.0.1:{n1.addresses['http'][1]}/")
    choose(tab, "#refresh", "2000")
    assert wait_for_row(tab, "n1", NODES).startswith("n1\trunning\t")
    assert wait_for_row(tab, "n2", NODES).startswith("n2\trunning\t")
    tab.wait_for(f"document.querySelectorAll({SHARDS!r} + ' tbody tr').length === 4")
    assert "active\t1\t3\t0" in wait_for_row(tab, "\t3\t", SHARDS)
    follow(tab, "n2", NODES)
    tab.wait_for_text("#main [aria-label=Node]", "in the cluster")
    tab.wait_for_text("#main h1", "n2")
    n2.kill()
    tab.wait_for_text("#main [aria-label=Node]", "not in the cluster just now")
    enter(tab)
    tab.wait_for_text(NODES, "down")
    enter(tab, "queues")
    wait_for_row(tab, "down")
