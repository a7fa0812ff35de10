"""rhea for Node.js (npm): AMQP 1.0."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.clients import FOLDER, need, run_for_json, url
from tests.support.warren_process import warren_process

PROGRAM = FOLDER / "node" / "rhea.js"


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Of a Warren of its own: the RabbitMQ that other tests compare with speaks no AMQP 1.0."""
    with warren_process(in_memory=True) as process:
        yield process.addresses["amqp"]


@pytest.fixture(scope="module")
def result(address: tuple[str, int]) -> dict[str, Any]:
    """What the program has seen."""
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    need((PROGRAM.parent / "node_modules" / "rhea").is_dir(), "rhea (npm ci --prefix tests/interop/node)")
    return run_for_json([node, str(PROGRAM), url(address), "interop-rhea"])


def test_all_arrive_and_are_accepted(result: dict[str, Any]) -> None:
    bodies = [f"text {number}" if number % 2 else {"number": number} for number in range(20)]
    assert sorted(map(str, result["bodies"])) == sorted(map(str, bodies))
    assert result["outcomes"] == ["accepted"] * 20


def test_what_is_released_comes_again(result: dict[str, Any]) -> None:
    assert result["redelivered"].count(True) == 1


def test_properties_and_annotations_arrive(result: dict[str, Any]) -> None:
    assert result["properties"] == {"number": 0, "flag": True, "nothing": None, "annotation": "kept"}


def test_a_missing_queue_detaches_the_link(result: dict[str, Any]) -> None:
    assert result["missing"] == "amqp:not-found"


def test_a_link_is_resumed_after_its_connection_is_lost(address: tuple[str, int]) -> None:
    node = shutil.which("node") or ""
    need(bool(node), "Node.js")
    found = run_for_json([node, str(PROGRAM.with_name("rhea_resume.js")), url(address), "interop-rhea-resumed"])
    assert found["policy"] == "never"
    assert found["unsettled"] == 2
    assert sorted(found["bodies"]) == ["one", "two"]
    assert found["resumed"] == [True, True]
