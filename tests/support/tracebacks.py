"""Whether the log has a traceback, or an error, asked by fixtures at the end of a test.

Errors of callbacks, deadlines and queues are logged and get no further, so that they harm nobody else; without looking
at the log, a test would pass over them.  At the end of a fixture, `caplog.records` has what its end logged, and nothing
of the test.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import pytest

PHASES: Final[tuple[Literal["setup", "call", "teardown"], ...]] = ("setup", "call", "teardown")


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Messages that were logged with a traceback, from the beginning of the test's fixtures until now."""
    return [_shown(record) for record in _all(caplog) if record.exc_info]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Messages of level error and worse, from the beginning of the test's fixtures until now."""
    return [_shown(record) for record in _all(caplog) if record.levelno >= logging.ERROR]


def _all(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for phase in PHASES for record in caplog.get_records(phase)]


def _shown(record: logging.LogRecord) -> str:
    return f"{record.getMessage()}: {record.exc_info[1]!r}" if record.exc_info else record.getMessage()
