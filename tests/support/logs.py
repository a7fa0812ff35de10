"""The log of the broker within a process of tests: what configures it puts it back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from warren.gateway.process.log import LOGGER_NAME

AS_IMPORTED = (logging.NOTSET, True)
"""The level of the broker's logger and whether it hands on to the root, where pytest listens."""


def state() -> tuple[int, bool]:
    """What a test that leaves it otherwise would do to those after it."""
    logger = logging.getLogger(LOGGER_NAME)
    return logger.level, logger.propagate


@contextmanager
def put_back() -> Iterator[None]:
    """For what configures the log in the process of the tests."""
    logger = logging.getLogger(LOGGER_NAME)
    before = logger.level, logger.propagate, list(logger.handlers)
    try:
        yield
    finally:
        logger.handlers[:] = before[2]
        logger.propagate = before[1]
        logger.setLevel(before[0])
