"""Escapes in header names and values: `\\n` line feed, `\\c` colon, `\\\\` backslash, `\\r` carriage return.

    STOMP 1.0             none (STOMP 1.0, "Standard Headers")
    STOMP 1.1             \\n \\c \\\\ (STOMP 1.1, "Value Encoding")
    STOMP 1.2             \\n \\c \\\\ \\r (STOMP 1.2, "Value Encoding")
    CONNECT, CONNECTED    none in any version, since who sends it can't know yet

Input is taken as tolerantly as the meaning allows: `\\r` in 1.1 is a carriage return.  Any other escape is an error in
1.1 and 1.2, and two plain characters in 1.0.

Output may never break a frame apart, so where a version has no escape for a character that would, the escape of the
later versions is written all the same: a 1.0 client then sees `\\n` for a line feed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from warren.adapters.stomp.codec.errors import FramingError

V1_0: Final = "1.0"
V1_1: Final = "1.1"
V1_2: Final = "1.2"

Escape = Callable[[str], bytes]
"""Text to the bytes that stand for it in a frame."""

_MEANINGS: Final = {"\\n": "\n", "\\c": ":", "\\\\": "\\", "\\r": "\r"}

_escapes = re.compile(r"\\.?", re.DOTALL)


def unescape(text: str) -> str:
    """The text that `text` stands for in 1.1 and 1.2; FramingError for an escape that doesn't exist."""
    return _escapes.sub(_meaning, text)


def _meaning(found: re.Match[str]) -> str:
    meaning = _MEANINGS.get(found[0])
    if meaning is None:
        raise FramingError(
            f"unknown escape '{found[0]}' in a header; only \\n, \\c, \\\\ and \\r exist, so write a backslash as \\\\"
        )
    return meaning


def escape_plain(text: str) -> bytes:
    """For 1.0 and CONNECTED: nothing is escaped but what would end the line."""
    if "\n" in text or "\r" in text:
        text = text.replace("\n", "\\n").replace("\r", "\\r")
    return text.encode("utf-8", "surrogateescape")


def escape_plain_name(text: str) -> bytes:
    """The same for header names, which a colon would end."""
    return escape_plain(text).replace(b":", b"\\c")


def escape_1_1(text: str) -> bytes:
    """For 1.1.  A carriage return stays unless it ends the text, where it would be taken for the end of the line."""
    if "\\" in text or ":" in text or "\n" in text or text.endswith("\r"):
        text = text.replace("\\", "\\\\").replace(":", "\\c").replace("\n", "\\n")
        if text.endswith("\r"):
            text = f"{text[:-1]}\\r"
    return text.encode("utf-8", "surrogateescape")


def escape_1_2(text: str) -> bytes:
    """For 1.2."""
    if "\\" in text or ":" in text or "\n" in text or "\r" in text:
        text = text.replace("\\", "\\\\").replace(":", "\\c").replace("\n", "\\n").replace("\r", "\\r")
    return text.encode("utf-8", "surrogateescape")


ESCAPES: Final[dict[str, tuple[Escape, Escape]]] = {
    V1_0: (escape_plain_name, escape_plain),
    V1_1: (escape_1_1, escape_1_1),
    V1_2: (escape_1_2, escape_1_2),
}
"""How names and values are written, by version."""
