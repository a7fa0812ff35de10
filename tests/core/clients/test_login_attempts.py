"""Counts of logins, by protocol and by who tried."""

from __future__ import annotations

from warren.core.clients.login_attempts import SOURCES_MAX, USER_CHARACTERS_MAX, LoginAttempts, Source, Tried


def test_by_protocol() -> None:
    attempts = LoginAttempts()
    for succeeded in (True, False, True):
        attempts.count(Source("mqtt", "10.0.0.1", "ann"), succeeded=succeeded)
    attempts.count(Source("http", "10.0.0.1", "ann"), succeeded=False)
    assert attempts.by_protocol == {"mqtt": Tried(2, 1), "http": Tried(0, 1)}
    assert attempts.by_protocol["mqtt"].all == 3
    assert attempts.by_source == {}, "nobody asked for that"


def test_what_is_forgotten_is_shown_no_more_and_counts_on() -> None:
    attempts = LoginAttempts(tracks_sources=True)
    attempts.count(Source("mqtt", "10.0.0.1", "ann"), succeeded=True)
    assert attempts.since_forgotten() == {"mqtt": Tried(1, 0)}
    attempts.forget()
    assert (attempts.since_forgotten(), attempts.by_source) == ({}, {})
    attempts.count(Source("mqtt", "10.0.0.1", "ann"), succeeded=False)
    assert attempts.since_forgotten() == {"mqtt": Tried(0, 1)}
    assert attempts.by_protocol == {"mqtt": Tried(1, 1)}


def test_those_that_were_heard_of_last_are_kept() -> None:
    attempts = LoginAttempts(tracks_sources=True)
    first, second = Source("mqtt", "10.0.0.1", "first"), Source("mqtt", "10.0.0.1", "second")
    for source in (first, second, *(Source("mqtt", "10.0.0.1", str(number)) for number in range(SOURCES_MAX - 2))):
        attempts.count(source, succeeded=False)
    attempts.count(first, succeeded=True)
    attempts.count(Source("mqtt", "10.0.0.1", "a" * 1000), succeeded=False)
    assert len(attempts.by_source) == SOURCES_MAX
    assert attempts.by_source[first] == Tried(1, 1)
    assert second not in attempts.by_source
    assert Source("mqtt", "10.0.0.1", "a" * USER_CHARACTERS_MAX) in attempts.by_source
