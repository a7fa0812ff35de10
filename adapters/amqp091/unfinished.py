"""Messages that the channels of a connection have begun to publish and not finished: how many, and how large so far."""

from __future__ import annotations

from typing import Final

from warren.core.errors import ResourceError
from warren.core.limit_hits import limited

UNFINISHED_MESSAGES_MAX: Final = 4
"""Of the largest size: what one connection may keep in memory so."""


class Unfinished:
    """Of one connection.  count: while there are any, frames are taken one by one, as bodies may be in between."""

    __slots__ = ("_bytes", "_bytes_max", "count")

    def __init__(self, message_bytes_max: int) -> None:
        self.count = 0
        self._bytes = 0
        self._bytes_max = UNFINISHED_MESSAGES_MAX * message_bytes_max

    def begun(self) -> None:
        """A channel waits for the content of a publish."""
        self.count += 1

    def grown(self, body_bytes: int) -> None:
        """So much more of a body is kept; ResourceError (506) when it is too much on this connection."""
        self._bytes += body_bytes
        if self._bytes > self._bytes_max:
            text = f"unfinished messages on the channels of this connection exceed {self._bytes_max} bytes"
            raise limited(ResourceError(f"{text}; finish some first"), "unfinished messages")

    def ended(self, body_bytes: int) -> None:
        """The content, whose body was so large, is complete or void."""
        self.count -= 1
        self._bytes -= body_bytes
