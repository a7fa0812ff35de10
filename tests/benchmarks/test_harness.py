"""The whole harness against Warren, with few messages: that every scenario runs, and every message arrives.

Each scenario fails by itself when a count is wrong.  Nothing here looks at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.benchmarks import left, management
from tests.benchmarks.__main__ import main
from tests.benchmarks.client import Client, LoadError
from tests.benchmarks.job import Job
from tests.benchmarks.left import expect_left
from tests.benchmarks.load import run_in_child
from tests.benchmarks.scenarios import SCENARIOS, Scenario
from tests.benchmarks.servers import Server, peers
from tests.benchmarks.stomp import DESTINATION, StompClient
from tests.support.warren_process import REPOSITORY

MESSAGES = 2_000

IDLE_S = 0.5
"""Instead of the minute that is measured."""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few messages, and as little waiting: nobody looks at the figures."""
    monkeypatch.setattr(management, "IDLE_S", IDLE_S)
    monkeypatch.setattr(management, "SETTLING_S", 0.0)


@pytest.fixture(scope="module")
def warren() -> Iterator[Server]:
    with peers()["warren"].start(None, "amqp") as server:
        yield server


@pytest.fixture
def server(request: pytest.FixtureRequest, scenario: Scenario) -> Iterator[Server]:
    """A broker for the scenario's protocol: all that speak AMQP share one."""
    if scenario.protocol == "amqp":
        yield request.getfixturevalue("warren")
        return
    with peers()["warren"].start(None, scenario.protocol) as started:
        yield started


@pytest.fixture
def warren_stomp() -> Iterator[Server]:
    with peers()["warren"].start(None, "stomp") as server:
        yield server


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenario_delivers_everything(server: Server, scenario: Scenario) -> None:
    assert scenario.measure(server, MESSAGES)


def test_a_stomp_job_notices_what_others_left(warren_stomp: Server) -> None:
    publisher = StompClient(warren_stomp.port)
    publisher.socket.sendall(b"SEND\ndestination:%b\n\nwhat is this?\0" % DESTINATION)
    publisher.close()
    with pytest.raises(LoadError, match=r"not the next messages|nothing else"):
        run_in_child(Job(warren_stomp.port, warren_stomp.pid, 10, protocol="stomp"))


def test_outcome_counts_every_delivery(warren: Server) -> None:
    outcome = run_in_child(Job(warren.port, warren.pid, MESSAGES, consumers=3))
    assert outcome.deliveries == 3 * MESSAGES


def test_leftover_messages_fail_a_job(warren: Server) -> None:
    run_in_child(Job(warren.port, warren.pid, 7, confirm_window=7, consumers=0))
    with pytest.raises(LoadError, match=r"after \d of 10 deliveries: an unexpected sequence"):
        run_in_child(Job(warren.port, warren.pid, 10))


def test_command_line_writes_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "figures.json"
    arguments = ["--scenario", "transient", "--runs", "1", "--messages", str(MESSAGES), "--peers", "warren"]
    assert main([*arguments, "--json", str(output)]) == 0
    assert "**transient**" in capsys.readouterr().out
    (run,) = json.loads(output.read_text())["runs"]
    assert (run["scenario"], run["peer"], run["failure"]) == ("transient", "warren", None)


def test_two_checkouts_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--against", str(REPOSITORY), "--scenario", "transient", "--runs", "1", "--messages", str(MESSAGES)]
    assert main(options) == 0
    assert "warren / other-warren" in capsys.readouterr().out


def test_the_table_compares_with_a_checkout_and_the_peers(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--table", "--against", str(REPOSITORY), "--scenario", "startup", "--scenario", "mqtt"]
    assert main([*options, "--runs", "1", "--messages", str(MESSAGES)]) == 0
    printed = capsys.readouterr().out
    assert "| start to first accepted connection, s |" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("| MQTT QoS 0 1→1 |")]
    assert " | 1.7 " in line
    assert "| AMQP" not in printed


class _Counting:
    """A broker whose count of a queue is only right after a while, as RabbitMQ's of a stream."""

    def __init__(self, counts: list[int]) -> None:
        self._counts = counts

    def declare_queue(self, name: str, durable: bool, passive: bool) -> int:
        return self._counts.pop(0) if len(self._counts) > 1 else self._counts[0]


def test_what_a_stream_holds_may_be_counted_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left, "ASKED_EVERY_S", 0.0)
    expect_left(cast("Client", _Counting([0, 0, 7])), ["stream"], 7, True, later=True)
    with pytest.raises(LoadError, match="'stream' and the like hold 0 messages at the end, not 7"):
        expect_left(cast("Client", _Counting([0, 7])), ["stream"], 7, True)
    with pytest.raises(LoadError, match="hold 6 messages at the end, not 7"):
        expect_left(cast("Client", _Counting([6])), ["stream"], 7, True, later=True, later_s=0)
