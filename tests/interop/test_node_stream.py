"""RabbitMQ's stream client for Node.js (npm): the stream protocol."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.interop.clients import FOLDER, need, run_for_json
from tests.support.warren_process import warren_process

PROGRAM = FOLDER / "node" / "stream.js"
SUPER_STREAM_PROGRAM = FOLDER / "node" / "super_stream.js"
CLIENT = "rabbitmq-stream-js-client"

MESSAGE_BYTES_MAX = 4096

COUNT = 60
"""Messages of each kind in the program about super streams."""


def _node() -> str:
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    need((PROGRAM.parent / "node_modules" / CLIENT).is_dir(), f"{CLIENT} (npm ci --prefix tests/interop/node)")
    return node


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the program has seen."""
    node = _node()
    with warren_process(listen=("amqp=127.0.0.1:0", "stream=127.0.0.1:0")) as process:
        port = process.addresses["stream"][1]
        found = run_for_json([node, str(PROGRAM), str(port), "interop-node-stream"])
        assert found.pop("leader") == port
        return found


def test_a_stream_is_made_once(seen: dict[str, Any]) -> None:
    assert (seen["created"], seen["again"], seen["deleted"]) == (True, True, True)
    assert seen["missing"] == "Stream was not found on any node"


def test_messages_are_confirmed_and_read(seen: dict[str, Any]) -> None:
    assert seen["confirmed"] == 200
    assert seen["sequence"] == "200"
    assert seen["first"] == [f"message {number}" for number in range(200)]
    assert seen["offsets"] == list(range(200))


def test_offsets_say_where_to_begin_and_are_kept(seen: dict[str, Any]) -> None:
    assert seen["late"] == [150, "message 150"]
    assert seen["offset"] == "42"


def test_batches_are_read(seen: dict[str, Any]) -> None:
    assert [text for _, text in seen["packed"]] == ["packed 0", "packed 1", "packed 2"]


def test_numbers_of_the_stream(seen: dict[str, Any]) -> None:
    assert seen["stats"][0] == "0"
    assert int(seen["stats"][1]) == 200


@pytest.fixture(scope="module")
def seen_of_super_streams() -> dict[str, Any]:
    """What the program about super streams, taking turns, filters and refusals has seen."""
    node = _node()
    with warren_process(
        listen=("amqp=127.0.0.1:0", "stream=127.0.0.1:0"), options=("--set", f"max_message_bytes={MESSAGE_BYTES_MAX}")
    ) as process:
        port = process.addresses["stream"][1]
        found = run_for_json([node, str(SUPER_STREAM_PROGRAM), str(port), "super"])
        assert "Traceback" not in process.log.read_text()
        return found


def test_a_super_stream_is_published_to_by_keys_and_by_hashes(seen_of_super_streams: dict[str, Any]) -> None:
    seen = seen_of_super_streams
    assert (seen["created"], seen["deleted"]) == (True, True)
    assert seen["partitions"] == ["super-0", "super-1", "super-2"]
    first = seen["first"]
    assert sorted(number for numbers in first.values() for number in numbers) == list(range(2 * COUNT))
    for partition in range(3):
        keyed = [number for number in first[f"super-{partition}"] if number < COUNT]
        assert keyed == list(range(partition, COUNT, 3)), "a key leads where it is bound to"
    assert all(number >= COUNT for numbers in first.values() for number in numbers[COUNT // 3 :])


def test_partitions_go_from_one_active_consumer_to_the_next(seen_of_super_streams: dict[str, Any]) -> None:
    assert seen_of_super_streams["second"] == seen_of_super_streams["first"]


def test_who_becomes_active_is_asked_where_it_goes_on(seen_of_super_streams: dict[str, Any]) -> None:
    seen = seen_of_super_streams
    assert seen["askedBefore"] == 1
    assert seen["asked"] == [["turns", True]] * 2
    assert seen["turns"] == [list(range(COUNT)), list(range(40, COUNT))]


def test_filters_leave_out_what_has_another_value(seen_of_super_streams: dict[str, Any]) -> None:
    assert seen_of_super_streams["filtered"] == ["south"]


def test_what_is_refused_and_what_is_gone_is_told(seen_of_super_streams: dict[str, Any]) -> None:
    assert (seen_of_super_streams["refused"], seen_of_super_streams["gone"]) == (True, True)
