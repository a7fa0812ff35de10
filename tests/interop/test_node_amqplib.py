"""amqplib for Node.js (npm)."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.interop.clients import FOLDER, need, run_for_json, url

PROGRAM = FOLDER / "node" / "round_trip.js"


@pytest.fixture(scope="module")
def result(broker_process: Any) -> dict[str, Any]:
    """What the program has seen."""
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    need((PROGRAM.parent / "node_modules" / "amqplib").is_dir(), "amqplib (npm ci --prefix tests/interop/node)")
    return run_for_json([node, str(PROGRAM), url(broker_process.address), "interop-node"])


def test_messages_arrive_in_order(result: dict[str, Any]) -> None:
    assert result["waiting"] == 200
    assert result["bodies"] == [f"message {number}" for number in range(200)]


def test_properties_arrive_unchanged(result: dict[str, Any]) -> None:
    assert result["headers"] == result["sent_headers"]
    assert result["timestamp"] == 1700000199
    assert result["routing_key"] == "a.b.c"


def test_an_unroutable_message_comes_back(result: dict[str, Any]) -> None:
    assert result["returned"] == [312, "NO_ROUTE", "lost"]


def test_a_missing_queue_closes_the_channel(result: dict[str, Any]) -> None:
    code, text = result["missing"]
    assert code == 404
    assert "NOT_FOUND - no queue 'interop-node-missing' in vhost '/'" in text


def test_a_rejected_message_comes_again_until_it_is_dropped(result: dict[str, Any]) -> None:
    assert result["rejected"] == [False, True, 0]


def test_the_lock_file_names_no_server() -> None:
    text = (PROGRAM.parent / "package-lock.json").read_text()
    assert "integrity" in text
    assert "resolved" not in text
    assert "://" not in text
