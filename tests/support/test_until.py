"""Waiting ends: with what was waited for, or with a failure."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.until import STEP_S, killed_after, until


def test_steps_are_done_until_the_condition_holds() -> None:
    steps: list[float] = []
    until(lambda: len(steps) == 3, steps.append)
    assert steps == [STEP_S] * 3


def test_nothing_is_done_where_it_holds_already() -> None:
    until(lambda: True, lambda left_s: pytest.fail("a step"), limit_s=0)


def test_a_step_gets_no_more_than_is_left() -> None:
    steps: list[float] = []
    with pytest.raises(AssertionError, match="not within the time limit"):
        until(lambda: False, steps.append, limit_s=0.01)
    assert steps
    assert max(steps) <= 0.01


def test_who_says_nothing_is_read_from_no_longer() -> None:
    with subprocess.Popen(["sleep", "1000"], stdout=subprocess.PIPE) as process, killed_after(process, 0.01):
        assert process.stdout is not None
        assert process.stdout.readline() == b""
    assert process.returncode != 0


def test_who_is_in_time_goes_on() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with killed_after(process):
            assert process.poll() is None
        assert process.communicate(b"still here")[0] == b"still here"
