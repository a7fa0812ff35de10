"""The log: one line per event, whatever a peer put into it, and each traceback once."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from tests.support import logs
from warren.gateway.process.log import MESSAGE_CHARACTERS_MAX, LineFormatter, configure_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    with logs.put_back():
        yield io.StringIO()


def test_one_plain_line_per_event(stream: io.StringIO) -> None:
    log = configure_logging("info", stream)
    log.getChild("amqp").info("user '%s' connected", "eve\n2001 [error] forged\x1b[2J\udc80")
    log.debug("not shown")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[info\] user 'eve\\n2001", lines[0])
    assert "\\x1b[2J\\udc80" in lines[0]


def test_what_is_long_is_cut_in_the_middle(stream: io.StringIO) -> None:
    log = configure_logging("info", stream)
    log.warning("topic '%s' is refused", "x" * 65_535)
    log.warning("%s", "y" * MESSAGE_CHARACTERS_MAX)
    long, whole = stream.getvalue().splitlines()
    assert len(long) < MESSAGE_CHARACTERS_MAX + 100
    assert "[warning] topic 'xxx" in long
    assert long.endswith("xxx' is refused")
    assert "[... 63,554 characters ...]" in long
    assert whole.endswith("y" * MESSAGE_CHARACTERS_MAX)


def test_configured_twice_writes_once(stream: io.StringIO) -> None:
    configure_logging("none", io.StringIO())
    log = configure_logging("debug", stream)
    log.debug("once")
    assert stream.getvalue().count("once") == 1


def test_none_is_silent(stream: io.StringIO) -> None:
    configure_logging("none", stream).critical("lost")
    assert stream.getvalue() == ""


def test_each_traceback_once(stream: io.StringIO) -> None:
    log = configure_logging("info", stream)
    for _ in range(3):
        try:
            raise LookupError("a bug")
        except LookupError:
            log.exception("a client's session failed")
    written = stream.getvalue()
    assert written.count("Traceback") == 1
    assert written.count("a client's session failed") == 3
    assert "(the same traceback as before, 3 times so far)" in written


def test_a_closed_stream_is_no_disturbance(stream: io.StringIO) -> None:
    log = configure_logging("info", stream)
    stream.close()
    log.info("into nothing")


def test_json_is_one_object_a_line(stream: io.StringIO) -> None:
    log = configure_logging("info", stream, "json").getChild("connection")
    log.info("user '%(user)s' from %(port)d", {"user": 'eve\n{"a": 1}\udc80', "port": 5, "tls": None, "ok": True})
    log.warning("plain %s", "words")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["message"] == "user 'eve\\n{\"a\": 1}\\udc80' from 5"
    assert (first["user"], first["port"], first["tls"], first["ok"]) == ('eve\\n{"a": 1}\\udc80', 5, None, True)
    assert (first["level"], first["logger"]) == ("info", "warren.connection")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert list(second) == ["time", "level", "logger", "message"]
    assert second["message"] == "plain words"


def test_json_has_a_traceback_once(stream: io.StringIO) -> None:
    log = configure_logging("info", stream, "json")
    for _ in range(2):
        try:
            raise RuntimeError("bug")
        except RuntimeError:
            log.exception("internal error")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["traceback"].startswith("Traceback (most recent call last):\n")
    assert second["traceback"] == "(the same traceback as before, 2 times so far)"


def test_the_second_of_a_line_is_its_own(stream: io.StringIO) -> None:
    formatter = LineFormatter()
    record = logging.makeLogRecord({"msg": "one", "levelname": "INFO", "created": 86_400.25, "msecs": 250.0})
    later = logging.makeLogRecord({"msg": "two", "levelname": "INFO", "created": 86_401.5, "msecs": 500.0})
    shown = [formatter.format(each)[17:23] for each in (record, record, later)]
    assert shown == ["00.250", "00.250", "01.500"]
