"""The report: medians, ranges, ratios, and failures that can't be overlooked."""

from __future__ import annotations

from tests.benchmarks.report import Run, markdown


def report(runs: list[Run], peers: list[str]) -> list[str]:
    return markdown(runs, peers, {"s": "about it"}, {"CPU": "some"}).splitlines()


def test_medians_ranges_and_ratio() -> None:
    a = [Run("s", "a", number, {"messages/s": value}) for number, value in enumerate([300_000.0, 1e5, 2e5])]
    b = [Run("s", "b", number, {"messages/s": value}) for number, value in enumerate([50.0, 80.0, 60.0])]
    lines = report([*a, *b], ["a", "b"])
    assert "| figure | a | b | a / b |" in lines
    assert "| messages/s | 200,000 (100,000 to 300,000) | 60.0 (50.0 to 80.0) | 3333.33 |" in lines


def test_a_failed_run_is_shown() -> None:
    lines = report([Run("s", "a", 1, {"x": 1.0}), Run("s", "b", 1, {}, "it broke")], ["a", "b"])
    assert "| x | 1.00 (1.00 to 1.00) | - | - |" in lines
    assert "b, run 1 FAILED: it broke" in lines


def test_a_single_broker_has_no_ratio() -> None:
    assert "| figure | a |" in report([Run("s", "a", 1, {"x": 1.0})], ["a"])
