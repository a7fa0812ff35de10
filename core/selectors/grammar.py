"""From the words of a selector to its parts (AMQP Filter Expressions 1.0, 6): what binds more loosely first,

    OR,  AND,  NOT,  comparisons with LIKE, IN and IS NULL,  + -,  * / %,  a sign,  parentheses, values and names

by climbing: one function reads an operand and what follows it, as long as that binds at least as closely as asked for.
Nesting is bounded by the number of words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.selectors.like import Pattern
from warren.core.selectors.nodes import (
    And,
    Application,
    Arithmetic,
    Comparison,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Now,
    Or,
    Section,
    Sign,
)
from warren.core.selectors.selector import SelectorError
from warren.core.selectors.tokens import KEYWORD, LITERAL, NAME, OPERATOR, Token, tokens_of

if TYPE_CHECKING:
    from warren.core.selectors.nodes import Node

_OR: Final = 1
_AND: Final = 2
_NEGATION: Final = 3
_COMPARISON: Final = 4
_SUM: Final = 5
_TIMES: Final = 6

_LEVELS: Final = {
    "OR": _OR,
    "AND": _AND,
    "=": _COMPARISON,
    "<>": _COMPARISON,
    "<": _COMPARISON,
    ">": _COMPARISON,
    "<=": _COMPARISON,
    ">=": _COMPARISON,
    "LIKE": _COMPARISON,
    "IN": _COMPARISON,
    "IS": _COMPARISON,
    "NOT": _COMPARISON,
    "+": _SUM,
    "-": _SUM,
    "*": _TIMES,
    "/": _TIMES,
    "%": _TIMES,
}
"""How closely what stands behind an operand binds it; NOT there is the beginning of NOT LIKE and NOT IN."""

PROPERTY_NAMES: Final = (
    "message_id",
    "user_id",
    "to",
    "subject",
    "reply_to",
    "correlation_id",
    "content_type",
    "content_encoding",
    "absolute_expiry_time",
    "creation_time",
    "group_id",
    "group_sequence",
    "reply_to_group_id",
)
"""Of AMQP 1.0's section `properties`, in its order (3.2.4)."""

_SECTIONS: Final = {
    "header": ("durable", "priority", "ttl"),
    "properties": PROPERTY_NAMES,
}
_SHORT: Final = {"h": "header", "p": "properties", "a": "application_properties"}

_END: Final = Token(OPERATOR, "", -1)


class Parsed:
    """root: the expression.  parts: how many there are.  is_timely: it asks for the time."""

    __slots__ = ("is_timely", "parts", "root")

    def __init__(self, root: Node, parts: int, *, is_timely: bool) -> None:
        self.root = root
        self.parts = parts
        self.is_timely = is_timely


def parse(expression: str) -> Parsed:
    """An expression, understood.  Raises SelectorError."""
    parser = _Parser(tokens_of(expression))
    root = parser.expression(_OR)
    parser.end()
    return Parsed(root, len(parser.tokens), is_timely=parser.is_timely)


class _Parser:
    """tokens: of the expression.  is_timely: it has asked for the time so far."""

    __slots__ = ("_at", "is_timely", "tokens")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.is_timely = False
        self._at = 0

    def end(self) -> None:
        """Raises SelectorError unless all of it was read."""
        if self._at < len(self.tokens):
            raise self._unexpected("nothing more")

    def expression(self, least: int) -> Node:
        """An operand, and what follows it that binds at least so closely."""
        left = self._operand(least)
        while True:
            word = self._next().text if self._next().kind in (OPERATOR, KEYWORD) else ""
            level = _LEVELS.get(word, 0)
            if level < least or not level:
                return left
            self._at += 1
            if level == _COMPARISON:
                left = self._compared(left, word)
                if _LEVELS.get(self._next().text, 0) == _COMPARISON:
                    raise self._unexpected("AND or OR")
                continue
            right = self.expression(level + 1)
            if level == _OR:
                left = Or(left, right)
            elif level == _AND:
                left = And(left, right)
            else:
                left = Arithmetic(word, left, right)

    def _operand(self, least: int) -> Node:
        token = self._next()
        self._at += 1
        if token.kind == KEYWORD and token.text == "NOT" and least <= _NEGATION:
            return Not(self.expression(_NEGATION))
        if token.kind == OPERATOR and token.text in ("+", "-") and least <= _TIMES + 1:
            if self._next().kind == OPERATOR and self._next().text in ("+", "-"):
                raise self._unexpected("a value, a name or '('")
            return Sign(self._operand(_TIMES + 2), is_minus=token.text == "-")
        if token.kind == OPERATOR and token.text == "(":
            inner = self.expression(_OR)
            self._expect(")")
            return inner
        if token.kind == LITERAL:
            return Literal(token.value)
        if token.kind == NAME:
            return _field(token)
        if token.kind == KEYWORD and token.text == "UTC":
            self._expect("(")
            self._expect(")")
            self.is_timely = True
            return Now()
        self._at -= 1
        raise self._unexpected("a value, a name or '('")

    def _compared(self, left: Node, word: str) -> Node:
        """A comparison, of which the operand on the left and the first word are read."""
        if word == "IS":
            is_not = self._take("NOT")
            self._expect("NULL")
            if not isinstance(left, Application | Section):
                raise SelectorError("IS NULL is for names of fields alone")
            return Not(IsNull(left)) if is_not else IsNull(left)
        if word == "NOT":
            following = self._next().text if self._next().kind == KEYWORD else ""
            if following not in ("LIKE", "IN"):
                raise self._unexpected("LIKE or IN")
            self._at += 1
            return Not(self._compared(left, following))
        if word == "LIKE":
            pattern = self._string("the pattern of a LIKE")
            escape = self._string("an escape character") if self._take("ESCAPE") else ""
            if escape and len(escape) != 1:
                raise SelectorError("what stands behind ESCAPE is a string of one character")
            return Like(left, Pattern(pattern, escape))
        if word == "IN":
            self._expect("(")
            choices = [self.expression(_SUM)]
            while self._take(","):
                choices.append(self.expression(_SUM))
            self._expect(")")
            return In(left, choices)
        return Comparison(word, left, self.expression(_SUM))

    def _next(self) -> Token:
        return self.tokens[self._at] if self._at < len(self.tokens) else _END

    def _take(self, text: str) -> bool:
        """Go behind this word, if it comes next."""
        token = self._next()
        if token.kind in (OPERATOR, KEYWORD) and token.text == text:
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f"'{text}'")

    def _string(self, what: str) -> str:
        token = self._next()
        if token.kind != LITERAL or not isinstance(token.value, str):
            raise self._unexpected(f"a string, {what}")
        self._at += 1
        return token.value

    def _unexpected(self, expected: str) -> SelectorError:
        if self._at >= len(self.tokens):
            return SelectorError(f"it ends where {expected} should follow")
        token = self.tokens[self._at]
        found = repr(token.value) if token.kind == LITERAL else f"'{token.text}'"
        return SelectorError(f"{found} at character {token.at + 1} isn't {expected}")


def _field(token: Token) -> Node:
    section, dot, name = token.text.partition(".")
    section = _SHORT.get(section, section) if dot else section
    if not dot:
        return Application(token.text)
    if section == "application_properties":
        return Application(name)
    if name not in _SECTIONS.get(section, ()):
        raise SelectorError(f"there is no field {token.text!r} (at character {token.at + 1})")
    return Section(f"{section}.{name}")
