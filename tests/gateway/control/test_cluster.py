"""Words on a cluster, answered by the one node; and those of RabbitMQ that mean nothing, with a reason each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.gateway.control.control_target import Asker
from warren.core.administration import operations
from warren.gateway.control.words.built_in import WORDS, find_word
from warren.gateway.control.words.cluster import QUEUES_PER_SLICE
from warren.gateway.control.words.not_here import NOT_HERE
from warren.gateway.facts import node_name

NODE = node_name()


@pytest.fixture
async def asker() -> Asker:
    asker = Asker()
    broker = asker.server.broker
    operations.queues.declare(broker, "/", "quorum", durable=True, arguments={"x-queue-type": "quorum"})
    operations.queues.declare(broker, "/", "classic")
    return asker


async def test_the_cluster_and_its_name(asker: Asker) -> None:
    first = (await asker.ask("cluster_status"))["value"]
    assert isinstance(first, dict)
    assert first["running_nodes"] == first["disk_nodes"] == [NODE]
    assert [each["protocol"] for each in first["listeners"][NODE]] == ["amqp", "amqp"]
    await asker.do("set_cluster_name", "north")
    asker.server.broker.alarms.set("disk", True)
    asker.server.accepting.suspended = True
    second = (await asker.ask("cluster_status"))["value"]
    assert isinstance(second, dict)
    assert (second["cluster_name"], second["alarms"]) == ("north", [{"node": NODE, "resource": "disk"}])
    assert second["maintenance_status"] == {NODE: "under maintenance"}
    assert first["cluster_name"] != "north"


async def test_what_asks_for_majorities(asker: Asker) -> None:
    for word in (
        "check_if_node_is_quorum_critical",
        "check_if_node_is_mirror_sync_critical",
        "await_online_quorum_plus_one",
        "check_for_quorum_queues_without_an_elected_leader",
        "check_if_metadata_store_is_initialized",
        "check_if_metadata_store_is_initialized_with_data",
    ):
        answer = await asker.ask(word)
        assert answer["value"]["result"] == "ok", word  # type: ignore[index]
    assert (await asker.refused("check_for_quorum_queues_without_an_elected_leader", vhost="none"))[0] == 65
    await asker.do("check_for_quorum_queues_without_an_elected_leader", vhost="none", across_all_vhosts=True)


async def test_nodes_to_come(asker: Asker) -> None:
    await asker.do("await_online_nodes", "1")
    assert (await asker.refused("await_online_nodes", "2"))[0] == 75
    assert (await asker.refused("await_online_nodes", "many"))[0] == 65


async def test_words_on_quorum_queues(asker: Asker) -> None:
    assert await asker.rows("quorum_status", "quorum") == [[NODE, "leader", "voter"]]
    await asker.do("reclaim_quorum_memory", "quorum")
    for word in ("quorum_status", "reclaim_quorum_memory"):
        code, text = await asker.refused(word, "classic")
        assert (code, "is a classic queue" in text) == (70, True)
        assert (await asker.refused(word, "none"))[0] == 65
    assert await asker.rows("rebalance", "all") == [[NODE, 1, 0]]
    assert (await asker.refused("rebalance", "some"))[0] == 65


async def test_counting_goes_on_where_it_paused(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warren.gateway.control.words.cluster.QUEUES_PER_SLICE", 1)
    operations.queues.declare(asker.server.broker, "/", "other", durable=True, arguments={"x-queue-type": "quorum"})
    assert await asker.rows("rebalance", "quorum") == [[NODE, 2, 0]]
    assert QUEUES_PER_SLICE > 1


@pytest.mark.parametrize("name", NOT_HERE)
def test_what_does_nothing_says_why(name: str) -> None:
    assert name not in WORDS
    with pytest.raises(ValueError, match=f"^{name} does nothing here: ") as raised:
        find_word(name)
    assert "did you mean" not in str(raised.value)


def test_a_plugin_may_bring_such_a_word() -> None:
    brought = replace(WORDS["ping"], name="eval")
    assert find_word("eval", [brought]) is brought
