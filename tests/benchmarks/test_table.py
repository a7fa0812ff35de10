"""The table of targets: ratios, verdicts, what is missing, and where the generator was the limit."""

from __future__ import annotations

import pytest

from tests.benchmarks.report import Run
from tests.benchmarks.scenarios import GENERATOR_BUSY, SCENARIOS
from tests.benchmarks.servers import peers
from tests.benchmarks.table import table
from tests.benchmarks.targets import CPU, RATE, ROWS, SCENARIO_NAMES, Row, is_compared_with_before, peers_of


def runs(scenario: str, **figures: dict[str, float]) -> list[Run]:
    return [Run(scenario, broker.replace("_", "-"), 1, each) for broker, each in figures.items()]


def lines(*given: Run) -> list[list[str]]:
    shown = [line for line in table(given, {}).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in shown[1:]]


def test_every_row_names_a_scenario_and_a_peer() -> None:
    assert {row.scenario for row in ROWS} <= set(SCENARIOS)
    assert {row.peer for row in ROWS if row.peer} <= set(peers())
    assert set(SCENARIO_NAMES) == {row.scenario for row in ROWS}
    assert peers_of("transient") == ["rabbitmq"]
    assert peers_of("startup") == []


def test_an_older_warren_is_not_asked_for_what_it_does_not_speak() -> None:
    assert [name for name in SCENARIO_NAMES if not is_compared_with_before(name)] == [
        "amqp10",
        "amqp10-unsettled",
        "stream",
    ]


def test_a_rate_beside_what_was_before_and_the_peer() -> None:
    (cells,) = lines(
        *runs(
            "transient",
            warren={RATE: 600_000.0, CPU: 1.0},
            other_warren={RATE: 300_000.0, CPU: 2.0},
            rabbitmq={RATE: 120_000.0, CPU: 10.0},
        )
    )
    assert cells[1:6] == ["600,000", "300,000", "2.00", "0.50", "1.9 ✓"]
    assert cells[6:] == ["rabbitmq 120,000", "5.00", "0.10", "5.5 ✗"]


def test_what_did_not_run_is_a_dash() -> None:
    (cells,) = lines(*runs("transient", warren={RATE: 600_000.0, CPU: 1.0}))
    assert cells[1:] == ["600,000", "-", "-", "-", "1.9", "-", "-", "-", "5.5"]


def test_less_is_better_where_it_is_said() -> None:
    (cells,) = lines(*runs("mqtt-devices", warren={CPU: 10.0}, other_warren={CPU: 16.0}, mosquitto={CPU: 12.0}))
    assert (cells[3], cells[5]) == ("0.62", "0.7 ✓")
    assert (cells[7], cells[9]) == ("0.83", "0.75 ✗")


def test_a_value_has_a_limit() -> None:
    start, memory = lines(*runs("startup", warren={"seconds to first connection": 0.25, "resident MiB": 50.0}))
    assert (start[1], start[5]) == ("0.25", "at most 0.3 ✓")
    assert (memory[1], memory[5]) == ("50.0", "at most 42 ✗")


def test_a_generator_that_was_the_limit_is_marked() -> None:
    (cells,) = lines(
        *runs("mqtt", warren={RATE: 5e5, GENERATOR_BUSY: 0.95}, mosquitto={RATE: 1e5, GENERATOR_BUSY: 0.5})
    )
    assert cells[1] == "500,000*"
    assert cells[6] == "mosquitto 100,000"


def test_a_failure_is_shown() -> None:
    text = table([Run("mqtt", "mosquitto", 2, {}, "it broke")], {})
    assert "mqtt, mosquitto, run 2 FAILED: it broke" in text


@pytest.mark.parametrize(("ratio", "more", "expected"), [(2.0, True, True), (1.9, True, False), (1.9, False, True)])
def test_reached(ratio: float, more: bool, expected: bool) -> None:
    assert Row("", "", more=more).reached(ratio, 2.0) is expected
