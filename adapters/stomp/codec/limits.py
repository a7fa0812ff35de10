"""How large a frame may be, and the parts of it (spec B.1)."""

from __future__ import annotations

from typing import Final

NUMBER_DIGITS_MAX: Final = 19
"""A number of 64 bits has no more digits; longer ones aren't even looked at."""

HEADERS_MAX: Final = 100
"""Headers per frame (spec B.1)."""

HEADER_BYTES_MAX: Final = 102_400
"""Largest header name, and largest value, in bytes as they come in (spec B.1)."""

BODY_BYTES_MAX: Final = 100 * 1024 * 1024
"""Largest body, whatever else is configured (spec B.1)."""

COMMAND_BYTES_MAX: Final = 32
"""Longest command line, without its end (spec B.1)."""

FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
"""Default of the largest frame, all of it (spec B.1)."""

FRAME_BYTES_MAX_BEFORE_LOGIN: Final = 64 * 1024
"""Who has not logged in is not given memory (spec B.1)."""
