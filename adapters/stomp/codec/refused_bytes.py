"""The errors of the parser that stand in several places."""

from __future__ import annotations

from typing import Final

from warren.adapters.stomp.codec.errors import FramingError
from warren.adapters.stomp.codec.limits import COMMAND_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN, HEADER_BYTES_MAX
from warren.core.limit_hits import limited

BEFORE_LOGIN: Final = "bytes before login"
"""How both limits on what somebody sends who has not logged in are counted."""


def stray_carriage_return() -> FramingError:
    """Neither a line end nor, but in 1.1, part of a line."""
    return FramingError("a carriage return without a line feed behind it; end lines with LF or CR LF")


def long_command() -> FramingError:
    """More than a command line may have."""
    return FramingError(
        f"the command line is longer than {COMMAND_BYTES_MAX} bytes; a frame begins with a command such as CONNECT"
    )


def long_header() -> FramingError:
    """More than a name or a value may have."""
    text = f"a header name or value is longer than {HEADER_BYTES_MAX} bytes; put such data into the body"
    return limited(FramingError(text), "bytes of a STOMP header")


def large_body(limit: int) -> FramingError:
    """More than a body may have: `limit` bytes."""
    text = f"the body is larger than {limit} bytes, the limit; send it in parts"
    return limited(FramingError(text), "max_message_bytes" if limit > FRAME_BYTES_MAX_BEFORE_LOGIN else BEFORE_LOGIN)
