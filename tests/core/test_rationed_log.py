"""Log lines of which there may be many: one in a while of each kind."""

from __future__ import annotations

import logging

import pytest

from warren.core.rationed_log import RationedLog

LOGGER = logging.getLogger("warren.test")


def test_a_key_is_silent_for_a_while_and_then_says_how_often_it_was(caplog: pytest.LogCaptureFixture) -> None:
    log = RationedLog(every_ms=1000)
    for now_ms in (0, 1, 999):
        log.warning(LOGGER, "a", now_ms, "%s happened", "it")
    assert caplog.messages == ["it happened"]
    log.warning(LOGGER, "a", 1000, "%s happened", "it")
    assert caplog.messages[1:] == ["it happened (2 more times since the last such line)"]
    log.warning(LOGGER, "a", 1999, "%s happened", "it")
    log.warning(LOGGER, "a", 2500, "%s happened", "it")
    assert caplog.messages[2:] == ["it happened (1 more times since the last such line)"]


def test_nothing_left_out_is_not_mentioned(caplog: pytest.LogCaptureFixture) -> None:
    log = RationedLog(every_ms=1000)
    log.warning(LOGGER, "a", 0, "it happened")
    log.warning(LOGGER, "a", 5000, "it happened")
    assert caplog.messages == ["it happened"] * 2


def test_keys_dont_silence_each_other(caplog: pytest.LogCaptureFixture) -> None:
    log = RationedLog(every_ms=1000)
    for key in ("a", ("a", 1), "b"):
        log.warning(LOGGER, key, 0, "at %r", key)
        log.warning(LOGGER, key, 0, "at %r", key)
    assert caplog.messages == ["at 'a'", "at ('a', 1)", "at 'b'"]


def test_it_remembers_a_bounded_number_of_keys(caplog: pytest.LogCaptureFixture) -> None:
    log = RationedLog(every_ms=1000, keys_max=2)
    for key in ("a", "b", "c", "b", "a"):
        log.warning(LOGGER, key, 0, "%s", key)
    assert caplog.messages == ["a", "b", "c", "a"]
