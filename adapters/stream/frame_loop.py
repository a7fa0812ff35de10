"""The loop over what was read: frames are cut out and handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stream.codec.encoding import KEY_BYTES, SIZE_BYTES
from warren.adapters.stream.codec.errors import FrameError
from warren.adapters.stream.codec.keys import Code
from warren.core.limit_hits import limited

if TYPE_CHECKING:
    from warren.adapters.stream.session import StreamSession


def parse(session: StreamSession, data: bytes) -> int:
    """Handle the whole frames in `data`, as far as the session takes them; where the first begins that is left.

    Raises FrameError for what nothing can follow.
    """
    position = 0
    there = len(data)
    while there - position >= SIZE_BYTES and session.takes_frames:
        size = int.from_bytes(data[position : position + SIZE_BYTES], "big")
        most = session.frame_bytes_max
        if size > most:
            error = FrameError(Code.FRAME_TOO_LARGE, f"a frame of {size} bytes, {most} are possible")
            raise limited(error, "stream_frame_max")
        if size < KEY_BYTES:
            raise FrameError(Code.UNKNOWN_FRAME, f"a frame of {size} bytes has no command")
        end = position + SIZE_BYTES + size
        if end > there:
            break
        session.frame(data, position + SIZE_BYTES, end)
        position = end
    return position


def missing_bytes(session: StreamSession, data: bytes, position: int) -> int:
    """How many bytes are missing of the frame that begins there, at least."""
    there = len(data) - position
    if there < SIZE_BYTES:
        return SIZE_BYTES - there if session.takes_frames else 0
    return max(SIZE_BYTES + int.from_bytes(data[position : position + SIZE_BYTES], "big") - there, 0)
