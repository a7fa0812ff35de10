"""Retention by whole segments, oldest first, whichever bound says so."""

from __future__ import annotations

import pytest

from warren.core.streams.retention import KEEP_ALL, Kept, Retention, expired, next_expiry_ms

SEGMENTS = [Kept(100, 1000), Kept(100, 2000), Kept(100, 3000), Kept(10, 4000)]


@pytest.mark.parametrize(
    ("retention", "now_ms", "going"),
    [
        pytest.param(KEEP_ALL, 10**9, 0, id="no bound"),
        pytest.param(Retention(bytes_max=310), 0, 0, id="just as much"),
        pytest.param(Retention(bytes_max=309), 0, 1, id="a byte too much"),
        pytest.param(Retention(bytes_max=110), 0, 2, id="two go"),
        pytest.param(Retention(bytes_max=0), 0, 3, id="the last stays"),
        pytest.param(Retention(age_max_ms=1000), 2000, 0, id="just as old"),
        pytest.param(Retention(age_max_ms=1000), 2001, 1, id="a millisecond too old"),
        pytest.param(Retention(age_max_ms=1), 10**9, 3, id="the last stays, however old"),
        pytest.param(Retention(bytes_max=110, age_max_ms=10**6), 2001, 2, id="bytes say so"),
        pytest.param(Retention(bytes_max=10**6, age_max_ms=1000), 3001, 2, id="age says so"),
    ],
)
def test_so_many_segments_go(retention: Retention, now_ms: int, going: int) -> None:
    assert expired(retention, SEGMENTS, now_ms) == going


def test_age_comes_by_itself() -> None:
    retention = Retention(age_max_ms=1000)
    due = next_expiry_ms(retention, SEGMENTS)
    assert due == 2001
    assert expired(retention, SEGMENTS, due - 1) == 0
    assert expired(retention, SEGMENTS, due) == 1


@pytest.mark.parametrize(
    ("retention", "segments"),
    [(KEEP_ALL, SEGMENTS), (Retention(bytes_max=1), SEGMENTS), (Retention(age_max_ms=1), SEGMENTS[-1:])],
)
def test_nothing_comes_by_itself(retention: Retention, segments: list[Kept]) -> None:
    assert next_expiry_ms(retention, segments) is None
