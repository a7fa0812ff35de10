"""What an input is cut into, and what must not come of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tests.support.logs import put_back

Target = Callable[[bytes], None]

PIECES: Final = (1, 7, 64, 1 << 30)
"""Sizes in which bytes arrive; the first byte of an input chooses."""


class Failed(AssertionError):
    """Something was logged with a traceback, or is left over."""


class _Errors(logging.Handler):
    """What is logged with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[0] is not None:
            self.found.append(f"{record.getMessage()}\n{logging.Formatter().formatException(record.exc_info)}")


@contextmanager
def no_tracebacks() -> Iterator[None]:
    """Failed, at the end, when something was logged with a traceback in the block; what is logged there isn't shown."""
    errors, log = _Errors(), logging.getLogger("warren")
    with put_back():
        log.propagate = False
        log.addHandler(errors)
        yield
    if errors.found:
        raise Failed(errors.found[0])


def pieces(data: bytes) -> list[bytes]:
    """An input cut as its first byte says."""
    size, rest = PIECES[data[0] % len(PIECES)] if data else 1, data[1:]
    return [rest[at : at + size] for at in range(0, len(rest), size)]
