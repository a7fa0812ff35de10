"""amqp091-go, the Go client that RabbitMQ's makers keep, as Debian packages it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.interop.clients import BUILD_TIME_LIMIT_S, FOLDER, need, run, run_for_json, url

pytestmark = pytest.mark.limits(seconds=2 * BUILD_TIME_LIMIT_S)

PROGRAM = FOLDER / "go" / "round_trip.go"

GO_PATH = Path("/usr/share/gocode")
"""Where Debian keeps the sources of Go libraries."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built once for both brokers: that takes Go's own library, too."""
    go = shutil.which("go") or ""
    need(bool(go), "Go (golang-go)")
    library = GO_PATH / "src/github.com/rabbitmq/amqp091-go"
    need(library.is_dir(), "amqp091-go (golang-github-rabbitmq-amqp091-go-dev)")
    directory = tmp_path_factory.mktemp("go")
    binary = directory / "round_trip"
    environment = {
        "GOPATH": str(GO_PATH),
        "GO111MODULE": "off",
        "GOFLAGS": "",
        "GOCACHE": str(directory / "cache"),
        "CGO_ENABLED": "0",
    }
    build = [go, "build", "-o", str(binary), str(PROGRAM)]
    run(build, environment=environment, time_limit_s=BUILD_TIME_LIMIT_S)
    return binary


@pytest.fixture(scope="module")
def result(broker_process: Any, program: Path) -> dict[str, Any]:
    """What it has seen."""
    return run_for_json([str(program), url(broker_process.address), "interop-go"])


def test_messages_are_confirmed_and_arrive_in_order(result: dict[str, Any]) -> None:
    assert result["confirmed"] == 200
    assert result["bodies"] == [f"message {number}" for number in range(200)]


def test_headers_arrive_with_their_types(result: dict[str, Any]) -> None:
    assert len(result["same"]) == 13
    assert [name for name, same in result["same"].items() if not same] == []


def test_an_unroutable_message_comes_back_and_is_confirmed(result: dict[str, Any]) -> None:
    assert result["returned"] == [312, "NO_ROUTE", "lost", True]


def test_a_missing_queue_closes_the_channel(result: dict[str, Any]) -> None:
    assert result["missing"] == [404, "NOT_FOUND - no queue 'interop-go-missing' in vhost '/'"]


def test_transactions(result: dict[str, Any]) -> None:
    assert result["counts"] == [0, 0, 1]
