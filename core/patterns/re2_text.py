"""An expression written for RE2, which matches in time linear in the text.

RE2 takes all but what needs to remember or to look around (RE2's `syntax.txt`).  Everything is written out: characters
as ranges of code points, each choice and repetition in a group that captures nothing.
"""

from __future__ import annotations

from typing import Final

from warren.core.patterns.syntax import At, Choice, Group, Node, One, Place, Repeat, Row

REPEATS_MAX: Final = 1000
"""RE2 refuses larger numbers in braces, as it writes the repetition out."""

_PLACES: Final[dict[Place, str]] = {
    "start": r"\A",
    "line start": "(?m:^)",
    "end": r"\z",
    "line end": "(?m:$)",
    "last": r"\z",
    "boundary": r"\b",
    "no boundary": r"\B",
}
"""`end` holds only for a text that doesn't end with a line feed; for others, another engine is asked."""


def re2_text(node: Node) -> str | None:
    """The expression as RE2 writes it; None when RE2 can't say it."""
    match node:
        case One(characters):
            if len(characters) == 1 and characters[0][0] == characters[0][1]:
                return rf"\x{{{characters[0][0]:x}}}"
            return _class(characters) if characters else r"[^\x{0}-\x{10ffff}]"
        case Row(parts):
            return _joined(parts, "")
        case Choice(parts):
            joined = _joined(parts, "|")
            return joined and f"(?:{joined})"
        case Group(_, body):
            inner = re2_text(body)
            return None if inner is None else f"(?:{inner})"
        case Repeat(body, least, most, greedy):
            inner = re2_text(body)
            if inner is None or least > REPEATS_MAX or (most or 0) > REPEATS_MAX:
                return None
            return f"(?:{inner}){_times(least, most)}{'' if greedy else '?'}"
        case At(place):
            return _PLACES[place]
        case _:
            return None


def asks_for_end(node: Node) -> bool:
    """Whether `$` without the flag m is in it, which holds before a line feed at the end, too."""
    match node:
        case Row(parts) | Choice(parts):
            return any(map(asks_for_end, parts))
        case Group(_, body) | Repeat(body):
            return asks_for_end(body)
        case At(place):
            return place == "end"
        case _:
            return False


def _joined(parts: tuple[Node, ...], separator: str) -> str | None:
    texts = []
    for part in parts:
        text = re2_text(part)
        if text is None:
            return None
        texts.append(text)
    return separator.join(texts)


def _class(characters: tuple[tuple[int, int], ...]) -> str:
    return "[" + "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in characters) + "]"


def _times(least: int, most: int | None) -> str:
    match least, most:
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case 0, 1:
            return "?"
        case _:
            return f"{{{least},{'' if most is None else most}}}"
