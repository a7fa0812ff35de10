"""RabbitMQ's stream client for Node.js (npm): the stream protocol."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.interop.clients import FOLDER, need, run_for_json
from tests.support.warren_process import warren_process

PROGRAM = FOLDER / "node" / "stream.js"
CLIENT = "rabbitmq-stream-js-client"


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What the program has seen."""
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    need((PROGRAM.parent / "node_modules" / CLIENT).is_dir(), f"{CLIENT} (npm ci --prefix tests/interop/node)")
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
