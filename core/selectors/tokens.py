"""The words of a selector (AMQP Filter Expressions 1.0, 6.4)."""

from __future__ import annotations

import re
from typing import Final

from warren.core.selectors.selector import SelectorError

CHARACTERS_MAX: Final = 4096
"""Of an expression, as in RabbitMQ."""

TOKENS_MAX: Final = 200
"""Of an expression, as in RabbitMQ."""

KEYWORDS: Final = frozenset({"AND", "OR", "NOT", "LIKE", "IN", "IS", "NULL", "ESCAPE", "TRUE", "FALSE", "UTC"})

RESERVED: Final = frozenset({"EXISTS", "NAN", "INF", "LOWER", "UPPER", "LEFT", "RIGHT", "SUBSTRING", "DATE"})
"""Words of the specification that aren't understood here, nor taken for names; as in RabbitMQ."""

_TOKEN: Final = re.compile(
    r"""(?P<space>[\ \t\f\n\r]+)
    |(?P<binary>0x(?:[0-9A-Fa-f]{2})+(?![0-9A-Za-z_]))
    |(?P<float>[0-9]+(?:\.[0-9]+(?:[Ee][+-]?[0-9]+)?|[Ee][+-]?[0-9]+)(?![0-9A-Za-z_]))
    |(?P<integer>[0-9]+(?![0-9A-Za-z_]))
    |(?P<name>[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)?)
    |(?P<operator><>|!=|>=|<=|[=<>+\-*/%(),])""",
    re.VERBOSE,
)
"""All but what has quotes or brackets around it.  None of it can be read in two ways, so nothing is tried twice."""

NAME: Final = "name"
OPERATOR: Final = "operator"
KEYWORD: Final = "keyword"
LITERAL: Final = "literal"


class Token:
    """kind: NAME, OPERATOR, KEYWORD or LITERAL.  text: of the first three.  value: of a literal.  at: its place."""

    __slots__ = ("at", "kind", "text", "value")

    def __init__(self, kind: str, text: str, at: int, value: bool | int | float | str | bytes | None = None) -> None:
        self.kind = kind
        self.text = text
        self.at = at
        self.value = value


def tokens_of(expression: str) -> list[Token]:
    """All of them.  Raises SelectorError for what is none, and for too many."""
    if len(expression) > CHARACTERS_MAX:
        raise SelectorError(f"it has {len(expression)} characters; {CHARACTERS_MAX} are allowed")
    tokens: list[Token] = []
    at = 0
    while at < len(expression):
        if expression[at] in "'\"":
            text, end = _quoted(expression, at, expression[at])
            tokens.append(Token(LITERAL, "", at, text))
        elif expression[at] == "[":
            text, end = _bracketed(expression, at)
            tokens.append(Token(NAME, f"application_properties.{text}", at))
        else:
            end = _plain(expression, at, tokens)
        at = end
        if len(tokens) > TOKENS_MAX:
            raise SelectorError(f"it has more than {TOKENS_MAX} words and signs")
    return tokens


def _plain(expression: str, at: int, tokens: list[Token]) -> int:
    """Add the token here, unless it is space; where it ends."""
    found = _TOKEN.match(expression, at)
    if found is None:
        raise SelectorError(f"{expression[at : at + 10]!r} at character {at + 1} can't be read")
    kind, text = found.lastgroup, found.group()
    if kind == "operator":
        tokens.append(Token(OPERATOR, "<>" if text == "!=" else text, at))
    elif kind == "name":
        tokens.append(_word(text, at))
    elif kind == "integer":
        tokens.append(Token(LITERAL, "", at, int(text)))
    elif kind == "float":
        tokens.append(Token(LITERAL, "", at, float(text)))
    elif kind == "binary":
        tokens.append(Token(LITERAL, "", at, bytes.fromhex(text[2:])))
    return found.end()


def _word(text: str, at: int) -> Token:
    """Keywords are the same in capitals and not, names aren't."""
    upper = text.upper()
    if upper in RESERVED:
        raise SelectorError(f"{text!r} at character {at + 1} isn't understood; as a name it is written [{text}]")
    if upper == "TRUE" or upper == "FALSE":
        return Token(LITERAL, "", at, upper == "TRUE")
    return Token(KEYWORD, upper, at) if upper in KEYWORDS else Token(NAME, text, at)


def _quoted(expression: str, at: int, quote: str) -> tuple[str, int]:
    """The text between quotes, and where it ends; a quote in it is written twice."""
    parts = []
    begin = at + 1
    while True:
        end = expression.find(quote, begin)
        if end < 0:
            raise SelectorError(f"the string that begins at character {at + 1} doesn't end")
        parts.append(expression[begin:end])
        if expression[end + 1 : end + 2] != quote:
            return quote.join(parts), end + 1
        begin = end + 2


def _bracketed(expression: str, at: int) -> tuple[str, int]:
    """A name in brackets, which may be any; a bracket in it is written twice."""
    characters: list[str] = []
    place = at + 1
    while place < len(expression):
        character = expression[place]
        following = expression[place + 1 : place + 2]
        if character == "]" and following != "]":
            return "".join(characters), place + 1
        if character == "[" and following != "[":
            break
        if character < " " or character == "\x7f":
            raise SelectorError(f"the name that begins at character {at + 1} has a control character in it")
        characters.append(character)
        place += 2 if character in "[]" else 1
    raise SelectorError(f"the name that begins at character {at + 1} doesn't end")
