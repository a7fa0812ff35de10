"""Close codes (RFC 6455, 7.4.1), as far as the broker sends or looks at them."""

from __future__ import annotations

from typing import Final

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED_DATA: Final = 1003
INVALID_DATA: Final = 1007
POLICY: Final = 1008
TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011

NONE_GIVEN: Final = 1005
"""Never sent: it stands for a Close frame without a code."""
