"""What a test has logged is seen at the end of its fixtures."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.support.tracebacks import errors, tracebacks

_log = logging.getLogger("warren.tests.tracebacks")


def fail(message: str) -> None:
    try:
        raise ValueError(message)
    except ValueError:
        _log.warning("it failed", exc_info=True)


@pytest.fixture
def looking(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    fail("before")
    yield
    assert not caplog.records, "what caplog says by itself then"
    fail("after")
    assert tracebacks(caplog) == [f"it failed: ValueError('{when}')" for when in ("before", "within", "after")]
    assert errors(caplog) == ["bad"]


def test_all_of_it(looking: None) -> None:
    fail("within")
    _log.error("bad")
    _log.warning("harmless")
