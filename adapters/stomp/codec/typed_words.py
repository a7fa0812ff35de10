r"""What people type where a command stands: words for help and for leaving, and telnet's own bytes.

A telnet client may say things to what it believes to be a telnet server, at the beginning and in between (RFC 854):

    FF FB..FE OPTION        WILL, WON'T, DO, DON'T: offers, which nobody has to answer
    FF FA ... FF F0         what belongs to an option that was agreed on
    FF F0..F9               commands without anything, such as FF F4 for Ctrl-C
    FF FF                   the byte FF itself
"""

from __future__ import annotations

import re
from typing import Final

from warren.adapters.stomp.codec.frames import HELP, QUIT

INTERPRET_AS_COMMAND: Final = 0xFF
"""What all of them begin with; neither a frame nor any text in UTF-8 does."""

WORDS: Final = {
    "HELP": HELP,
    "?": HELP,
    "H": HELP,
    "HELLO": HELP,
    "HI": HELP,
    "QUIT": QUIT,
    "EXIT": QUIT,
    "BYE": QUIT,
}
"""In capitals; people type them as they like."""

_said_by_telnet: Final = re.compile(rb"\xff(?:[\xfb-\xfe].?|\xfa.*?(?:\xff\xf0|\Z)|[\xf0-\xf9]|\xff|\Z)", re.DOTALL).sub


def without_telnet(line: bytes) -> bytes:
    """A line without what telnet says; what of it is cut off by the line's end goes, too."""
    return _said_by_telnet(_itself, line)


def _itself(found: re.Match[bytes]) -> bytes:
    return b"\xff" if found[0] == b"\xff\xff" else b""
