"""Server-sent events: a response of the type text/event-stream, taken apart (HTML Standard, 9.2.5 and 9.2.6).

Lines end with CR, LF or both; a blank line ends an event.  `id` is remembered for all events that follow, `retry` is
how long to wait before connecting again, a line that begins with a colon is a comment.  An event without data is none.
"""

from __future__ import annotations

import re
from typing import Final

from warren.adapters.peers.errors import PeerError
from warren.core.frozen import frozen

CONTENT_TYPE: Final = "text/event-stream"

EVENT_BYTES_MAX: Final = 128 * 1024 * 1024
"""Of one event's lines: as much as a message's body may have."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

RETRY_DIGITS_MAX: Final = 10
"""Of a time in milliseconds: nobody means years."""

_line_ends = re.compile(rb"\r\n|\n|\r")


@frozen
class Event:
    """One event.  type: `message` by default.  id: that given last, by it or by one before; None for none yet."""

    data: bytes
    type: str
    id: str | None


class EventStream:
    """One response's.  last_id: the id to go on from, that of before at first.  retry_ms: what the peer asks for."""

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id
        self.retry_ms: int | None = None
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._type = ""
        self._after_cr = False
        self._begun = False

    def receive(self, data: bytes) -> list[Event]:
        """The events that are whole with these bytes; PeerError for one that is too large."""
        found: list[Event] = []
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        at = 0
        for end in _line_ends.finditer(data):
            self._rest += data[at : end.start()]
            line = bytes(self._rest)
            self._rest.clear()
            self._line(line, found)
            at = end.end()
        self._rest += data[at:]
        self._after_cr = data.endswith(b"\r")
        self._check_size(len(self._rest))
        return found

    def _check_size(self, more_bytes: int) -> None:
        if self._data_bytes + more_bytes > EVENT_BYTES_MAX:
            raise PeerError(f"the peer sent an event of more than {EVENT_BYTES_MAX} bytes")

    def _line(self, line: bytes, found: list[Event]) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(BYTE_ORDER_MARK)
        if not line:
            self._dispatch(found)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            self._check_size(0)
        elif name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self.last_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) <= RETRY_DIGITS_MAX:
            self.retry_ms = int(value)

    def _dispatch(self, found: list[Event]) -> None:
        if self._data:
            found.append(Event(b"\n".join(self._data), self._type or "message", self.last_id or None))
        self._data = []
        self._data_bytes = 0
        self._type = ""
