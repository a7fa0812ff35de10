"""What stands in a character set for the classes that PCRE has and Python lacks, within ASCII."""

from __future__ import annotations

import re
import sys
from typing import Final

_ALNUM: Final = "a-zA-Z0-9"
_PUNCTUATION: Final = r"!-/:-@\[-`{-~"

POSIX: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": _ALNUM,
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\t-\r ",
    "blank": r"\t ",
    "punct": _PUNCTUATION,
    "print": " -~",
    "graph": "!-~",
    "cntrl": r"\x00-\x1f\x7f",
    "xdigit": "0-9A-Fa-f",
    "word": f"{_ALNUM}_",
    "ascii": r"\x00-\x7f",
}
"""POSIX classes, as what stands in a set."""

PROPERTIES: Final = {
    "Any": r"\s\S",
    "L": "a-zA-Z",
    "L&": "a-zA-Z",
    "Lu": "A-Z",
    "Ll": "a-z",
    "N": "0-9",
    "Nd": "0-9",
    "P": r"!-#%-*,-/:;?@\[-\]_{}",
    "S": r"$+<=>\^`|~",
    "Z": " ",
    "Zs": " ",
    "C": r"\x00-\x1f\x7f",
    "Cc": r"\x00-\x1f\x7f",
    "Xan": _ALNUM,
    "Xwd": f"{_ALNUM}_",
    "Xsp": r"\t-\r ",
    "Xps": r"\t-\r ",
    "Latin": "a-zA-Z",
}
"""Unicode's general categories and some that are PCRE's own, within ASCII."""

HORIZONTAL: Final = r"\t "
VERTICAL: Final = r"\n-\r"

_SET_SYNTAX: Final = frozenset("\\^-[]&~|")
"""Escaped in sets: some mean something there, the others may one day, of which Python warns."""

_ASCII_END: Final = 0x80


def in_set(char: str) -> str:
    """The character, as it is written in a set."""
    return "\\" + char if char in _SET_SYNTAX else char


def complement(members: str) -> str:
    """What a set has to hold for everything that isn't in these members."""
    inside = re.compile(f"[{members}]", re.ASCII)
    outside = [code for code in range(_ASCII_END) if inside.match(chr(code)) is None]
    ranges: list[list[int]] = []
    for code in outside:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    texts = [f"{in_set(chr(low))}-{in_set(chr(high))}" for low, high in ranges]
    beyond = "" if members == PROPERTIES["Any"] else f"{chr(_ASCII_END)}-{chr(sys.maxunicode)}"
    return "".join(texts) + beyond
