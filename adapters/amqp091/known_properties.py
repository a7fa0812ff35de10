"""Property lists by their bytes: most publishers send the same one with every message, so it is parsed once."""

from __future__ import annotations

from typing import Final

from warren.core.errors import BrokerError
from warren.core.messages.properties import Properties, encode_properties

PROPERTY_LISTS_MAX: Final = 256
"""Lists remembered per connection; clients that vary them per message get little from it, and cost little."""

PROPERTY_LIST_BYTES_MAX: Final = 256
"""Longer lists are hardly constant, and not kept."""

_SPECIAL: Final = encode_properties(priority=0)
"""Stands for a list that is malformed: whatever is special is left to the cold path, which refuses it."""


class KnownProperties:
    """Of one connection.  by_bytes: where the frame loop looks first."""

    __slots__ = ("by_bytes",)

    def __init__(self) -> None:
        self.by_bytes: dict[bytes, Properties] = {}

    def parse(self, raw: bytes) -> Properties:
        """The properties that these bytes stand for, remembered if that is worth it; special ones if they are none."""
        try:
            properties = Properties.parse(raw)
        except BrokerError:
            return _SPECIAL
        if len(raw) <= PROPERTY_LIST_BYTES_MAX and not properties.special:
            if len(self.by_bytes) >= PROPERTY_LISTS_MAX:
                self.by_bytes.clear()
            self.by_bytes[raw] = properties
        return properties
