"""What STOMP's frames look like in words, for a tap (adapters.session.tap)."""

from __future__ import annotations

import re
from typing import Final

SHOWN_CHARACTERS_MAX: Final = 500
"""Of a frame's headers."""

SECRETS: Final = ("passcode",)
"""Headers that nobody is to see."""

_head_end: Final = re.compile(rb"\r?\n\r?\n")
_content_length: Final = re.compile(rb"\ncontent-length:\s*([0-9]{1,15})\s*\r?\n")


class StompFrameWords:
    """See adapters.session.tap.FrameWords."""

    def size(self, data: bytes, at: int) -> int | None:
        """See FrameWords.size; line feeds between frames are a frame each, a heart-beat."""
        if data[at] in b"\r\n":
            return 1
        head_end = _head_end.search(data, at)
        if head_end is None:
            return None
        length = _content_length.search(data, at, head_end.end())
        if length is not None:
            return head_end.end() - at + int(length[1]) + 1
        end = data.find(b"\0", head_end.end())
        return None if end < 0 else end - at + 1

    def describe(self, head: bytes, size: int, *, received: bool) -> str:
        """See FrameWords.describe."""
        if head in (b"\n", b"\r"):
            return "heart-beat"
        found = _head_end.search(head)
        lines = head[: found.start() if found else len(head)].decode("utf-8", "replace").splitlines()
        shown = " ".join(map(_without_secret, lines))
        if len(shown) > SHOWN_CHARACTERS_MAX:
            shown = f"{shown[:SHOWN_CHARACTERS_MAX]}…"
        body_size = size - found.end() - 1 if found else 0
        return f"{shown}, {body_size} bytes of body" if body_size > 0 else shown


def _without_secret(line: str) -> str:
    name, colon, value = line.partition(":")
    return f"{name}:•••" if colon and value and name.strip().lower() in SECRETS else line
