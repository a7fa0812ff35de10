"""Figures over time: rates, and samples of a span."""

from __future__ import annotations

import pytest

from warren.plugins.management.errors import ApiError
from warren.plugins.management.ranges import Span, spans_of
from warren.plugins.management.series import OF_EVERYTHING, OF_OBJECTS, Series


def grown(until_s: int, tiers: object = OF_OBJECTS) -> Series:
    """A figure that grows by two a second, sampled every five."""
    series = Series({"publish": 0}, 0)
    series.keep(tiers)  # type: ignore[arg-type]
    for at_s in range(5, until_s + 1, 5):
        series.add({"publish": 2 * at_s}, at_s * 1000)
    return series


def test_a_rate_is_between_the_two_latest_samples() -> None:
    series = Series({"publish": 10}, 0)
    assert series.rate("publish") == 0.0
    series.add({"publish": 60}, 5000)
    assert (series.rate("publish"), series.rate("nothing")) == (10.0, 0.0)
    series.add({"publish": 50}, 10_000)
    assert series.rate("publish") == -2.0
    series.add({"publish": 99}, 10_000)
    assert series.rate("publish") == -2.0, "no time has passed"


def test_samples_of_a_span_are_the_latest_first_and_end_where_nothing_is_known() -> None:
    found = grown(20).details("publish", Span(60_000, 5_000))
    assert found["samples"] == [{"sample": 2 * at_s, "timestamp": at_s * 1000} for at_s in (20, 15, 10, 5, 0)]
    assert (found["rate"], found["avg_rate"], found["avg"]) == (2.0, 2.0, 20.0)
    assert grown(20).details("publish") == {"rate": 2.0}


def test_steps_that_are_wider_than_samples_lie_on_whole_steps() -> None:
    found = grown(75).details("publish", Span(60_000, 30_000))
    assert found["samples"] == [{"sample": 2 * at_s, "timestamp": at_s * 1000} for at_s in (60, 30, 0)]


def test_steps_that_are_narrower_than_samples_repeat_what_was_known() -> None:
    found = grown(10).details("publish", Span(4_000, 2_000))
    assert found["samples"] == [
        {"sample": 20, "timestamp": 10_000},
        {"sample": 10, "timestamp": 8_000},
        {"sample": 10, "timestamp": 6_000},
    ]


def test_a_series_without_a_whole_step_shows_its_latest_sample() -> None:
    series = Series({"publish": 3}, 7_000)
    series.keep(OF_OBJECTS)
    assert series.details("publish", Span(60_000, 5_000)) == {
        "rate": 0.0,
        "samples": [{"sample": 3, "timestamp": 7_000}],
        "avg_rate": 0.0,
        "avg": 3.0,
    }


def test_longer_spans_come_from_sparser_samples_and_nothing_is_kept_for_ever() -> None:
    series = grown(7_200)
    hour = series.details("publish", Span(3_600_000, 60_000))
    assert len(hour["samples"]) == 61  # type: ignore[arg-type]
    assert hour["avg_rate"] == 2.0
    day = series.details("publish", Span(86_400_000, 1_800_000))
    assert len(day["samples"]) == 3, "an hour is the most that is kept of an object"  # type: ignore[arg-type]
    assert sum(len(ring.samples) for ring in series._rings) == 121 + 61
    assert len(grown(7_200, OF_EVERYTHING).details("publish", Span(86_400_000, 1_800_000))["samples"]) == 5  # type: ignore[arg-type]


def test_names_that_come_later_count_as_nothing_before() -> None:
    series = Series({"publish": 1}, 0)
    series.keep(OF_OBJECTS)
    series.add({"publish": 1, "dead_letter_expired": 5}, 5_000)
    found = series.details("dead_letter_expired", Span(60_000, 5_000))
    assert [each["sample"] for each in found["samples"]] == [5, 0]  # type: ignore[attr-defined]
    series.add({"publish": 1}, 10_000)
    assert series.rate("dead_letter_expired") == -1.0


def test_idle_is_what_was_seen_not_to_change() -> None:
    series = Series({"publish": 1}, 0)
    assert series.idle_since_ms is None
    series.add({"publish": 1}, 5_000)
    assert series.idle_since_ms == 0
    series.add({"publish": 1}, 10_000)
    assert series.idle_since_ms == 0
    series.add({"publish": 2}, 15_000)
    assert series.idle_since_ms is None
    series.add({"publish": 2}, 20_000)
    assert series.idle_since_ms == 15_000


def test_spans_that_are_asked_for() -> None:
    given = {"lengths_age": "60", "lengths_incr": "5", "msg_rates_age": "60"}
    assert spans_of(given) == {"lengths": Span(60_000, 5_000)}


@pytest.mark.parametrize(
    ("age", "step"),
    [("x", "5"), ("60", "0"), ("60", "-1"), ("60", ""), ("60000", "1"), ("9" * 30, "9" * 29), ("٣", "1")],
)
def test_spans_that_are_none(age: str, step: str) -> None:
    with pytest.raises(ApiError) as refused:
        spans_of({"node_stats_age": age, "node_stats_incr": step})
    assert "Invalid range parameters" in refused.value.reason
