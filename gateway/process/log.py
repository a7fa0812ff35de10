"""The log: one plain line per event on standard error, `TIME [LEVEL] TEXT`, and a traceback only for a bug.

Text that came from a peer may hold anything: control characters are escaped, so one event is always one line, and what
is long, such as a topic of 64 KiB that is refused, is cut, so that no peer fills the disk with few messages.
A traceback is written out the first time; the same one again is a single line with a count, so that a client
which triggers a bug over and over can't fill the disk with it.

For programs there is the same as JSON, an object a line: `time` (UTC), `level`, `logger`, `message`, and what a line
says by name, such as `connection` and `user` (core/clients/connection_log.py).
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
import time
from collections.abc import Mapping
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


JSON_FORMAT: Final = "json"


def configure_logging(level: str, stream: TextIO | None = None, log_format: str = "text") -> logging.Logger:
    """Log to `stream`, or standard error, from `level` upwards (gateway.process.settings.LOG_LEVELS, LOG_FORMATS)."""
    logger = logging.getLogger(LOGGER_NAME)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == JSON_FORMAT else LineFormatter())
    logger.addHandler(handler)
    logger.propagate = False
    set_level(level)
    return logger


def spare_what_no_line_has() -> None:
    """Have logging find out no more than lines say, in a process that is a broker and nothing else.

    Where in the code and by which thread something is logged takes as long to find out as writing the line (Logging
    HOWTO of Python's documentation, "Optimization"), and a storm of connections writes three lines for each.
    """
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def set_level(level: str) -> None:
    """Log from this level on."""
    logging.getLogger(LOGGER_NAME).setLevel(_NONE if level == "none" else level.upper())


class LineFormatter(logging.Formatter):
    """Formats records as the head of this file says."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[bytes, int] = {}
        self._second = -1
        self._shown_second = ""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the lines of a traceback that is new."""
        second = int(record.created)
        if second != self._second:
            # Lines about a storm of connections share their second, and this takes as long as all the rest of one.
            self._second = second
            self._shown_second = self.second(second)
        return self.line(record, f"{self._shown_second}.{int(record.msecs):03d}")

    def second(self, second: int) -> str:
        """A second since the epoch, as people read it."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))

    def line(self, record: logging.LogRecord, shown_time: str) -> str:
        """The line of a record."""
        line = f"{shown_time} [{record.levelname.lower()}] {tamed(record.getMessage())}"
        if record.exc_info and record.exc_info[0] is not None:
            line += self.traceback(self.formatException(record.exc_info))
        return line

    def traceback(self, text: str) -> str:
        """What follows the line of a bug: the traceback, or how often it was there."""
        digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=16).digest()
        times = self._seen[digest] = self._seen.get(digest, 0) + 1
        if times > 1:
            return f" (the same traceback as before, {times} times so far)"
        if len(self._seen) > _TRACEBACKS_MAX:
            del self._seen[next(iter(self._seen))]
        return "\n" + text


class JsonFormatter(LineFormatter):
    """The same for programs."""

    def __init__(self) -> None:
        super().__init__()
        from json import JSONEncoder  # whoever reads lines doesn't wait for it

        self._encode = JSONEncoder(separators=(",", ":")).encode

    def second(self, second: int) -> str:
        """A second since the epoch, as ISO 8601 writes it."""
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))

    def line(self, record: logging.LogRecord, shown_time: str) -> str:
        """An object."""
        shown: dict[str, object] = {
            "time": f"{shown_time}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": tamed(record.getMessage()),
        }
        if isinstance(record.args, Mapping):
            for name, each in record.args.items():
                shown[name] = each if each is None or isinstance(each, bool | int | float) else tamed(str(each))
        if record.exc_info and record.exc_info[0] is not None:
            shown["traceback"] = self.traceback(self.formatException(record.exc_info)).lstrip()
        return self._encode(shown)


def tamed(text: str) -> str:
    """On one line, and not too long."""
    if len(text) > MESSAGE_CHARACTERS_MAX:
        half = MESSAGE_CHARACTERS_MAX // 2
        text = f"{text[:half]} [... {len(text) - 2 * half:,} characters ...] {text[-half:]}"
    return _CONTROL.sub(_escape, text)


class _Handler(logging.StreamHandler[TextIO]):
    """A log that nobody reads any more (closed pipe, full disk) must not disturb the broker."""

    def emit(self, record: logging.LogRecord) -> None:
        """One write."""
        try:
            self.stream.write(self.format(record) + "\n")
            self.stream.flush()
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        pass


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
