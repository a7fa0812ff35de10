"""The log: one plain line per event on standard error, `TIME [LEVEL] TEXT`, and a traceback only for a bug.

Text that came from a peer may hold anything: control characters are escaped, so one event is always one line, and what
is long, such as a topic of 64 KiB that is refused, is cut, so that no peer fills the disk with few messages.
A traceback is written out the first time; the same one again is a single line with a count, so that a client
which triggers a bug over and over can't fill the disk with it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from typing import Final, TextIO

LOGGER_NAME = "warren"
"""The parent of every logger of the broker."""

_NONE = logging.CRITICAL + 10
"""Above every level that is used."""

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

MESSAGE_CHARACTERS_MAX: Final = 2_000
"""Of a line, beside its time and a traceback: several times what the broker's own sentences take."""

_TRACEBACKS_MAX = 100
"""Different tracebacks remembered; with more than this, repeating some is the smaller evil."""


def configure_logging(level: str, stream: TextIO | None = None) -> logging.Logger:
    """Log to `stream`, or standard error, from `level` upwards (gateway.process.settings.LOG_LEVELS)."""
    logger = logging.getLogger(LOGGER_NAME)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    logger.addHandler(handler)
    logger.propagate = False
    set_level(level)
    return logger


def set_level(level: str) -> None:
    """Log from this level on."""
    logging.getLogger(LOGGER_NAME).setLevel(_NONE if level == "none" else level.upper())


class LineFormatter(logging.Formatter):
    """Formats records as the head of this file says."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[bytes, int] = {}

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the lines of a traceback that is new."""
        time = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        message = record.getMessage()
        if len(message) > MESSAGE_CHARACTERS_MAX:
            half = MESSAGE_CHARACTERS_MAX // 2
            message = f"{message[:half]} [... {len(message) - 2 * half:,} characters ...] {message[-half:]}"
        message = _CONTROL.sub(_escape, message)
        line = f"{time}.{int(record.msecs):03d} [{record.levelname.lower()}] {message}"
        if record.exc_info and record.exc_info[0] is not None:
            line += self._traceback(self.formatException(record.exc_info))
        return line

    def _traceback(self, text: str) -> str:
        digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).digest()
        times = self._seen[digest] = self._seen.get(digest, 0) + 1
        if times > 1:
            return f" (the same traceback as before, {times} times so far)"
        if len(self._seen) > _TRACEBACKS_MAX:
            del self._seen[next(iter(self._seen))]
        return "\n" + text


class _Handler(logging.StreamHandler[TextIO]):
    """A log that nobody reads any more (closed pipe, full disk) must not disturb the broker."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        pass


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
