"""A readable notation for the bytes of AMQP frames, in which the cases of this directory are written.

A text is a row of items, separated by blanks; what they stand for is joined:

    7  0xCE                    octets
    "text"                     the octets of a text; \\xHH for one octet
    octet:5 short:5 long:5 longlong:5        a number of 1, 2, 4 or 8 octets
    shortstr:"x" longstr:"x"   a text behind its length
    shortstr[ ... ] longstr[ ... ] table[ ... ]       anything behind its length
    repeat:100[ ... ]          the same again and again
    nested:100:F[ ... ]        a field table in a field table in..., with the innermost entries inside
    method:1:queue.declare[ ... ]      a method frame on channel 1; the arguments are spelt out
    header:1[ ... ]  body:1[ ... ]  heartbeat:0[ ... ]     the other frames; a header's payload is spelt out
    frame:9:1[ ... ]           a frame of any type on any channel
    size:5 or end:0 before a frame's bracket       what it says instead of its size or of 0xCE

`#` begins a comment that ends with the line.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from tests.support import amqp_bytes as wire

_TOKEN = re.compile(r"""\s*(?:\#[^\n]*\n?|("(?:[^"\\]|\\.)*"|[^\s\[\]"#]+(?:"(?:[^"\\]|\\.)*")?|[\[\]]))""")
_NUMBERS = {"octet": ">B", "short": ">H", "long": ">I", "longlong": ">Q"}
_LENGTHS: dict[str, Callable[[bytes], bytes]] = {
    "shortstr": wire.shortstr,
    "longstr": wire.longstr,
    "table": wire.longstr,
}
_FRAMES = {"header": wire.HEADER, "body": wire.BODY, "heartbeat": wire.HEARTBEAT}


class NotationError(ValueError):
    """A text that isn't in the notation."""


def octets(text: str) -> bytes:
    """What a text in the notation stands for.  Raises NotationError."""
    tokens = _tokens(text)
    parts, last = _items(tokens)
    if last is not None:
        raise NotationError("a bracket is closed that was never opened")
    return parts


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotationError(f"can't read {text[position : position + 20]!r}")
        position = match.end()
        if match.group(1) is not None:
            yield match.group(1)


def _items(tokens: Iterator[str]) -> tuple[bytes, str | None]:
    """Items up to the closing bracket or the end; also the token that ended them."""
    parts: list[bytes] = []
    words: list[str] = []
    for token in tokens:
        if token == "]":
            _no_words_left(words)
            return b"".join(parts), token
        if token == "[":
            inside, last = _items(tokens)
            if last is None:
                raise NotationError("a bracket is never closed")
            parts.append(_bracket(words, inside))
            words = []
        elif (value := _simple(token)) is not None:
            parts.append(value)
        else:
            words.append(token)
    _no_words_left(words)
    return b"".join(parts), None


def _no_words_left(words: list[str]) -> None:
    if words:
        raise NotationError(f"no bracket behind {words}")


def _simple(token: str) -> bytes | None:
    """The octets of an item that has no bracket; None if it is a word that needs one."""
    if token.startswith('"'):
        return _text(token)
    if token[0].isdigit():
        return wire.octet(int(token, 0))
    word, _, value = token.partition(":")
    if word in _NUMBERS:
        return struct.pack(_NUMBERS[word], int(value, 0))
    if word in _LENGTHS and value.startswith('"'):
        return _LENGTHS[word](_text(value))
    return None


def _text(quoted: str) -> bytes:
    def unescape(match: re.Match[bytes]) -> bytes:
        escaped = match.group(1)
        return bytes([int(escaped[1:], 16)]) if escaped.startswith(b"x") else escaped

    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", unescape, quoted[1:-1].encode())


def _bracket(words: list[str], inside: bytes) -> bytes:
    if not words:
        raise NotationError("nothing before a bracket")
    word, *numbers = words[0].split(":")
    options = {name: int(value, 0) for name, _, value in (each.partition(":") for each in words[1:])}
    if word in _LENGTHS:
        return _LENGTHS[word](inside)
    if word == "repeat":
        return inside * int(numbers[0])
    if word == "nested":
        return _nested(int(numbers[0]), numbers[1], inside)
    if word == "method":
        class_id, method_id = wire.METHOD_IDS[numbers[1]]
        payload = wire.short(class_id) + wire.short(method_id) + inside
        return wire.frame(wire.METHOD, int(numbers[0]), payload, **_frame_options(options))
    if word in _FRAMES:
        return wire.frame(_FRAMES[word], int(numbers[0]), inside, **_frame_options(options))
    if word == "frame":
        return wire.frame(int(numbers[0]), int(numbers[1]), inside, **_frame_options(options))
    raise NotationError(f"unknown word {word!r}")


def _frame_options(options: dict[str, int]) -> dict[str, int]:
    if unknown := options.keys() - {"size", "end"}:
        raise NotationError(f"unknown options {sorted(unknown)}")
    return options


def _nested(depth: int, tag: str, innermost: bytes) -> bytes:
    """The entries of a table (tag F) or the items of an array (tag A) that holds `depth` more, one in the other."""
    for _ in range(depth):
        name = wire.shortstr("t") if tag == "F" else b""
        innermost = name + tag.encode() + wire.longstr(innermost)
    return innermost
