"""How fast counts grow: sampled while somebody asks, and in slices where that takes long."""

from __future__ import annotations

from collections.abc import Generator

from warren.core.chores import Chores
from warren.core.counters import Counts, ExchangeCounts
from warren.core.deadlines import Deadlines
from warren.core.rates import SAMPLE_MS, UNWATCHED_MS, WATCHED_MAX, Rates


class TestRates:
    def setup_method(self) -> None:
        self.failed: list[Exception] = []
        self.deadlines = Deadlines(self.failed.append)
        self.chores = Chores(self.failed.append)
        self.rates = Rates(self.deadlines, self.chores)
        self.counts = ExchangeCounts()

    def ask(self, now_ms: int) -> float:
        return self.rates.of(self.counts, self.counts.snapshot, now_ms)["publish_in"]

    def test_nothing_is_sampled_before_somebody_asks(self) -> None:
        assert len(self.deadlines) == 0

    def test_growth_per_second_between_two_samples(self) -> None:
        assert self.ask(1_000) == 0.0
        self.counts.publish_in = 40
        assert self.ask(2_000) == 0.0
        self.deadlines.run(1_000 + SAMPLE_MS)
        assert self.ask(7_000) == 40 * 1000 / SAMPLE_MS
        self.counts.publish_in = 41
        self.deadlines.run(1_000 + SAMPLE_MS + 10_000)
        assert self.ask(20_000) == 0.1

    def test_who_asks_no_more_costs_nothing_after_a_while(self) -> None:
        self.ask(0)
        now_ms = 0
        while len(self.deadlines):
            now_ms += SAMPLE_MS
            assert now_ms <= UNWATCHED_MS + SAMPLE_MS
            self.deadlines.run(now_ms)
        assert now_ms >= UNWATCHED_MS
        assert len(self.rates) == 0
        assert self.ask(now_ms) == 0.0
        assert len(self.deadlines) == 1

    def test_the_one_that_was_asked_for_longest_ago_gives_way(self) -> None:
        self.ask(0)
        others = [ExchangeCounts() for _ in range(WATCHED_MAX - 1)]
        for each in others:
            self.rates.of(each, each.snapshot, 0)
        self.counts.publish_in = 5
        self.ask(0)
        one_more = ExchangeCounts()
        self.rates.of(one_more, one_more.snapshot, 0)
        assert len(self.rates) == WATCHED_MAX
        self.deadlines.run(SAMPLE_MS)
        assert self.ask(SAMPLE_MS) == 1.0

    def test_two_samples_at_the_same_time_change_nothing(self) -> None:
        self.ask(SAMPLE_MS)
        self.counts.publish_in = 5
        self.deadlines.run(SAMPLE_MS)
        assert self.ask(SAMPLE_MS) == 0.0
        assert not self.failed

    def ask_slowly(self, now_ms: int, what: ExchangeCounts | None = None) -> float:
        counts = what or self.counts
        return self.rates.of(counts, counts.snapshot, now_ms, lambda: self.in_slices(counts))["publish_in"]

    def in_slices(self, counts: ExchangeCounts) -> Generator[None, None, Counts]:
        for _ in range(3):
            yield
        return counts.snapshot()

    def test_what_takes_long_is_sampled_in_slices(self) -> None:
        other = ExchangeCounts()
        self.ask_slowly(1_000)
        self.ask_slowly(1_000, other)
        self.counts.publish_in, other.publish_in = 40, 20
        self.deadlines.run(1_000 + SAMPLE_MS)
        slices = 0
        while self.chores:
            self.chores.do_one_slice()
            slices += 1
            assert (self.ask_slowly(7_000, other) > 0) is (slices >= 8)
        assert slices == 9
        assert self.ask_slowly(7_000) == 40 * 1000 / SAMPLE_MS
        assert self.ask_slowly(7_000, other) == 20 * 1000 / SAMPLE_MS
        self.deadlines.run(1_000 + 2 * SAMPLE_MS)
        assert len(self.chores) == 1

    def test_who_is_not_done_before_the_next_time_is_left_to_it(self) -> None:
        self.ask_slowly(1_000)
        self.deadlines.run(1_000 + SAMPLE_MS)
        self.deadlines.run(1_000 + 2 * SAMPLE_MS)
        assert len(self.chores) == 1

    def test_one_that_fails_keeps_no_later_one_back(self) -> None:
        def fail() -> Generator[None, None, Counts]:
            yield
            raise ZeroDivisionError

        self.rates.of(self.counts, self.counts.snapshot, 0, fail)
        for number in (1, 2):
            self.deadlines.run(number * SAMPLE_MS)
            while self.chores:
                self.chores.do_one_slice()
            assert len(self.failed) == number
