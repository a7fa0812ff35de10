"""`warren ctl add_super_stream`, `delete_super_stream`, `list_super_streams`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.control.test_moving import Moving
from warren.core.declaring.super_streams import partitions_of


@pytest.fixture
async def moving() -> Moving:
    return Moving()


async def done(moving: Moving, word: str, *arguments: str, **options: object) -> Any:
    answer = await moving.run(word, *arguments, **options)
    assert answer["ok"] is True, answer
    return answer


async def test_three_partitions_unless_asked_for_others(moving: Moving) -> None:
    assert (await done(moving, "add_super_stream", "s"))["text"] == "Super stream s has been created"
    await done(moving, "add_super_stream", "t", partitions="2")
    await done(moving, "add_super_stream", "u", binding_keys="emea, apac ,")
    await done(moving, "add_super_stream", "v", routing_keys="one")
    rows = (await done(moving, "list_super_streams"))["rows"]
    assert {row["name"]: row["partitions"] for row in rows} == {
        "s": ["s-0", "s-1", "s-2"],
        "t": ["t-0", "t-1"],
        "u": ["u-emea", "u-apac"],
        "v": ["v-one"],
    }


async def test_what_partitions_are_declared_with(moving: Moving) -> None:
    await done(
        moving,
        "add_super_stream",
        "s",
        partitions="1",
        max_length_bytes="20gb",
        max_age="P1DT2H",
        stream_max_segment_size_bytes="500mb",
        leader_locator="balanced",
        initial_cluster_size="3",
    )
    (partition,) = partitions_of(moving.vhost, "s")
    assert partition.arguments == {
        "x-queue-type": "stream",
        "x-max-length-bytes": 20 * 10**9,
        "x-max-age": f"{26 * 3600}s",
        "x-stream-max-segment-size-bytes": 500 * 10**6,
        "x-queue-leader-locator": "balanced",
        "x-initial-cluster-size": 3,
    }
    await done(moving, "add_super_stream", "t", partitions="1", max_age="7D")
    assert partitions_of(moving.vhost, "t")[0].arguments["x-max-age"] == "7D"


@pytest.mark.parametrize(
    "options",
    [
        {"partitions": "0"},
        {"partitions": "many"},
        {"partitions": "2", "binding_keys": "a"},
        {"routing_keys": "b", "binding_keys": "a"},
        {"max_age": "soon"},
        {"max_age": "P"},
        {"max_length_bytes": "much"},
        {"initial_cluster_size": "0"},
        {"leader_locator": "nowhere"},
        {"binding_keys": ","},
    ],
    ids=str,
)
async def test_what_is_refused(moving: Moving, options: dict[str, object]) -> None:
    answer = await moving.run("add_super_stream", "s", **options)
    assert answer["ok"] is False
    assert "s" not in moving.vhost.exchanges


async def test_it_is_deleted_as_a_whole(moving: Moving) -> None:
    await done(moving, "add_super_stream", "s", partitions="50")
    before = set(moving.vhost.queues)
    assert len(before) == 52
    text = (await done(moving, "delete_super_stream", "s"))["text"]
    assert text == "Super stream s has been deleted with 50 partitions"
    assert set(moving.vhost.queues) == {"q", "to"}
    assert (await moving.run("delete_super_stream", "s"))["ok"] is False
