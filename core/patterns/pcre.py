"""PCRE, in which RabbitMQ's users write their patterns, put into the regular expressions that Python knows.

Both come from Perl, and most patterns mean the same to both.  Three kinds don't, and all of them stand in definitions
that people bring along:

1. what PCRE has and Python refuses: `[[:alpha:]]`, `\\Q...\\E`, `\\z`, `(?<name>...)`, `\\h`, `\\x{41}`, `a{2}{3}`, a
   set such as `[\\w-.]`, flags in the middle, alternatives of different length in a look-behind;
2. what both have and mean differently: `\\Z` (before a last newline), `\\v` (a set), `a{,3}` (plain text);
3. what only a program with PCRE's own machine can do: recursion, callouts, verbs, branch resets.

The first two are translated, the third is a ValueError that says so.  What is asked of a pattern here is whether it is
found in a name, never what it matched, so what changes only the latter (`\\K`, `(?U)`) is left out.

Names are matched as RabbitMQ does it, without PCRE's Unicode mode: classes are those of ASCII.  `\\p{L}` and the like
are translated for ASCII, too; RabbitMQ would take the bytes of other characters for Latin-1.

Beside the look-arounds, atomic groups and back references that the pattern itself has, what comes out uses nothing that
engines with linear time lack; `$` without the flag `m` also fits before a newline that is last, as in PCRE.

The reader below is one pass from left to right: `_Translation._branch` reads what stands between `(`, `|` and `)`, the
other methods one item each and return its translation.  (PCRE: pcrepattern(3).)

Longer than 400 lines because it is one reader: every method moves the same place in the pattern.
"""

from __future__ import annotations

import re
from typing import Final

from warren.core.patterns.classes import HORIZONTAL, POSIX, PROPERTIES, VERTICAL, complement, in_set
from warren.core.patterns.program import ExpressionTooLarge

DEPTH_MAX: Final = 90
"""Groups within groups, as many as Python's own compiler takes without running into the limit of recursion; nobody
writes a tenth of that."""

_POSIX_CLASS: Final = re.compile(r"([:.=])([^\]\\:.=]*)\1\]")
"""What stands there after the bracket."""

_SETS: Final = {"h": HORIZONTAL, "v": VERTICAL}
"""Classes that Python lacks (`\\h`) or takes for a single character (`\\v`); in upper case what isn't in them."""

_SAME: Final = frozenset("dDsSwW")
"""Classes that are the same in Python, inside and outside of sets."""

_CONTROL: Final = {"a": "\a", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

_SYNTAX: Final = frozenset("\\^$.|?*+()[]{}")

_FLAGS: Final = re.compile(r"\?([imsxUJ]*)(?:-([imsxUJ]*))?(?=[:)])")

_KEPT_FLAGS: Final = frozenset("ims")
"""`x` is carried out by the translation; how greedy a pattern is (`U`), and which of two groups of the same name is
meant (`J`), changes nothing about whether it is found."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")

_NOT_REPEATABLE: Final = ("", "^", "$", r"\A", r"\Z", r"(?-m:$)", r"\b", r"\B")

_REPEAT_MAX: Final = 65535
"""PCRE's."""

_QUANTIFIER: Final = re.compile(r"\{[0-9]{1,5}(?:,[0-9]{0,5})?\}")

_BYTE_MAX: Final = 0xFF
"""Without PCRE's Unicode mode there are no characters beyond."""

_NO_COUNTERPART: Final = "isn't supported: only PCRE itself can do that"


def translate(pattern: str) -> str:
    """The same in Python's syntax.

    Raises ValueError for what isn't valid or can't be put into it.  What Python's compiler finds wrong in the result
    (a group that isn't closed) is left for it to say.
    """
    return _Translation(pattern).whole()


class _Translation:
    """One pattern on its way; `_at` is where reading has come to."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._groups = 0
        self._depth = 0
        self._quoted = False
        self._renumbered = False
        self._referred = False

    def whole(self) -> str:
        """The translation of all of it."""
        found = self._branches(frozenset())
        if self._at < len(self._pattern):
            raise ValueError(f"unbalanced parenthesis at position {self._at}")
        if self._renumbered and self._referred:
            raise ValueError(f"a number of a group beside (?| {_NO_COUNTERPART}")
        return "|".join(found)

    # Branches and items

    def _branches(self, flags: frozenset[str]) -> list[str]:
        """The alternatives up to the end of a group.  Flags that are set in one hold in those that follow."""
        found: list[str] = []
        current = flags
        while True:
            before = current
            text, current = self._branch(before)
            found.append(_with_flags(text, flags, before))
            if not self._take("|"):
                return found

    def _branch(self, flags: frozenset[str]) -> tuple[str, frozenset[str]]:
        """(what stands up to `|`, `)` or the end, the flags in effect there)."""
        items: list[str] = []
        while True:
            self._skip(flags)
            if self._at >= len(self._pattern) or (not self._quoted and self._pattern[self._at] in "|)"):
                return "".join(items), flags
            set_here = self._flags_for_the_rest(flags)
            if set_here is not None:
                self._enter()
                rest, at_end = self._branch(set_here)
                self._depth -= 1
                return "".join(items) + _with_flags(rest, flags, set_here), at_end
            items.append(self._quantified(self._item(flags), flags))

    def _skip(self, flags: frozenset[str]) -> None:
        """Pass over what means nothing: comments, `\\E`, and with the flag `x` spaces."""
        while True:
            if self._take(r"\E"):
                self._quoted = False
            elif self._quoted:
                return
            elif self._take(r"\Q"):
                self._quoted = True
            elif self._take("(?#"):
                self._until(")")
            elif "x" in flags and self._at < len(self._pattern) and self._pattern[self._at] in " \t\n\r\f\v":
                self._at += 1
            elif "x" in flags and self._take("#"):
                end = self._pattern.find("\n", self._at)
                self._at = len(self._pattern) if end < 0 else end + 1
            else:
                return

    def _item(self, flags: frozenset[str]) -> str:
        char = self._next()
        if self._quoted:
            return _literal(char)
        if char == "\\":
            return self._escape()
        if char == "[":
            return self._set()
        if char == "(":
            return self._group(flags)
        if char in "*+?" or (char == "{" and _QUANTIFIER.match(self._pattern, self._at - 1)):
            raise ValueError(f"nothing to repeat at position {self._at - 1}")
        return char if char in ".^$" else _literal(char)

    def _quantified(self, item: str, flags: frozenset[str]) -> str:
        """The item with the quantifier that follows, if one does."""
        self._skip(flags)
        quantifier = "" if self._quoted else self._quantifier()
        if quantifier and item in _NOT_REPEATABLE:
            raise ValueError(f"nothing to repeat at position {self._at - len(quantifier)}")
        return item + quantifier

    def _quantifier(self) -> str:
        start = self._at
        found = _QUANTIFIER.match(self._pattern, start)
        if found is not None:
            if any(int(number) > _REPEAT_MAX for number in found[0].strip("{}").split(",") if number):
                raise ValueError(f"the quantifier {found[0]} is larger than {_REPEAT_MAX}")
            self._at = found.end()
        elif start < len(self._pattern) and self._pattern[start] in "*+?":
            self._at += 1
        else:
            return ""
        if self._at < len(self._pattern) and self._pattern[self._at] in "?+":
            self._at += 1
        return self._pattern[start : self._at]

    # Groups

    def _flags_for_the_rest(self, flags: frozenset[str]) -> frozenset[str] | None:
        """The flags after a `(?i)` that stands here, None when none does."""
        if self._quoted or not self._pattern.startswith("(?", self._at):
            return None
        found = _FLAGS.match(self._pattern, self._at + 1)
        if found is None or self._pattern[found.end()] != ")":
            return None
        self._at = found.end() + 1
        return _changed(flags, found)

    def _group(self, flags: frozenset[str]) -> str:
        if self._pattern.startswith("*", self._at):
            if self._at == 1 and (self._take("*UTF8)") or self._take("*UTF)")):
                return ""
            raise ValueError(f"(*...) at position {self._at - 1} {_NO_COUNTERPART}")
        if not self._take("?"):
            self._groups += 1
            return self._to_end("(", flags)
        for opening in (":", "=", "!", ">"):
            if self._take(opening):
                return self._to_end("(?" + opening, flags)
        for opening in ("<=", "<!"):
            if self._take(opening):
                return self._look_behind("(?" + opening, flags)
        for opening, closing in (("P<", ">"), ("<", ">"), ("'", "'")):
            if self._take(opening):
                self._groups += 1
                return self._to_end(f"(?P<{self._name(closing)}>", flags)
        if self._take("|"):
            self._renumbered = True
            return self._to_end("(?:", flags)
        if self._take("C"):
            self._until(")")
            return ""
        if self._take("P="):
            return f"(?P={self._name(')')})"
        if self._take("("):
            return self._conditional(flags)
        found = _FLAGS.match(self._pattern, self._at - 1)
        if found is not None:
            self._at = found.end() + 1
            inner = _changed(flags, found)
            return _with_flags("|".join(self._inside(inner)), flags, inner, always=True)
        raise ValueError(f"(?{self._pattern[self._at : self._at + 1]} at position {self._at - 2} {_NO_COUNTERPART}")

    def _to_end(self, opening: str, flags: frozenset[str]) -> str:
        return f"{opening}{'|'.join(self._inside(flags))})"

    def _look_behind(self, opening: str, flags: frozenset[str]) -> str:
        """Alternatives may differ in length in PCRE, so each gets a look-behind of its own."""
        branches = [f"{opening}{branch})" for branch in self._inside(flags)]
        if len(branches) == 1:
            return branches[0]
        return "(?:" + ("|" if opening.endswith("=") else "").join(branches) + ")"

    def _conditional(self, flags: frozenset[str]) -> str:
        """`(?(1)yes|no)`: whether a group has matched."""
        for opening, closing in (("<", ">)"), ("'", "')"), ("", ")")):
            if self._take(opening):
                condition = self._until(closing)
                break
        if not condition.isdecimal() and (condition in ("R", "DEFINE") or not _NAME.fullmatch(condition)):
            raise ValueError(f"the condition ({condition}) {_NO_COUNTERPART}")
        return self._to_end(f"(?({condition})", flags)

    def _inside(self, flags: frozenset[str]) -> list[str]:
        opened_at = self._at
        self._enter()
        found = self._branches(flags)
        self._depth -= 1
        if not self._take(")"):
            raise ValueError(f"missing ), unterminated subpattern at position {opened_at}")
        return found

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise ExpressionTooLarge(f"more than {DEPTH_MAX} groups within groups")

    # Escapes

    def _escape(self) -> str:
        """What follows a backslash outside of sets."""
        char = self._next()
        if char in _SAME or char in "bBA":
            return "\\" + char
        if char in "zZG":
            return {"z": r"\Z", "Z": r"(?-m:$)", "G": r"\A"}[char]
        if char == "K":
            return ""
        if char == "R":
            return rf"(?:\r\n|[{VERTICAL}])"
        if char == "N" and not self._pattern.startswith("{", self._at):
            return r"[^\n]"
        if char in "XCN":
            raise ValueError(f"\\{char} {_NO_COUNTERPART}")
        if char in "gk":
            return self._reference(char)
        if char in "123456789":
            number = self._digits(char)
            if number is not None:
                return self._group_reference(number)
        members = self._class(char)
        return f"[{members}]" if members is not None else _literal(self._character(char))

    def _class(self, char: str) -> str | None:
        """What the class `\\char` has in a set, None when it is none."""
        if char in _SAME:
            return "\\" + char
        if char.lower() in _SETS:
            members = _SETS[char.lower()]
            return members if char.islower() else complement(members)
        return self._property(char) if char in "pP" else None

    def _property(self, char: str) -> str:
        name = self._until("}") if self._take("{") else self._next()
        negated = (char == "P") != name.startswith("^")
        members = PROPERTIES.get(name.removeprefix("^"))
        if members is None:
            raise ValueError(f"unknown property \\{char}{{{name}}}; known are {', '.join(sorted(PROPERTIES))}")
        return complement(members) if negated else members

    def _character(self, char: str) -> str:
        """The one character that `\\char` and what belongs to it stand for."""
        if char in _CONTROL:
            return _CONTROL[char]
        if char == "c":
            return chr(ord(self._next().upper()) ^ 0x40)
        if char == "x":
            return self._by_number(
                self._until("}") if self._take("{") else self._while("0123456789abcdefABCDEF", 2), 16
            )
        if char == "o" and self._take("{"):
            return self._by_number(self._until("}"), 8)
        if char in "01234567":
            return self._by_number(char + self._while("01234567", 2), 8)
        if char in "LlUu":
            raise ValueError(f"\\{char} {_NO_COUNTERPART}")
        return char

    def _by_number(self, digits: str, base: int) -> str:
        try:
            number = int(digits or "0", base)
        except ValueError:
            number = _BYTE_MAX + 1
        if number > _BYTE_MAX:
            raise ValueError(f"the character code {digits} is not one of a byte")
        return chr(number)

    def _reference(self, char: str) -> str:
        """`\\g1`, `\\g{-1}`, `\\g{name}`, `\\k{name}`, `\\k<name>`, `\\k'name'`."""
        if self._take("{"):
            name = self._until("}")
        elif char == "k" and self._take("<"):
            name = self._until(">")
        elif char == "k" and self._take("'"):
            name = self._until("'")
        elif char == "g":
            name = ("-" if self._take("-") else "") + self._while("0123456789", 5)
        else:
            name = ""
        if name.removeprefix("-").isdecimal() and char == "g":
            number = int(name)
            return self._group_reference(self._groups + 1 + number if number < 0 else number)
        if not _NAME.fullmatch(name):
            raise ValueError(f"\\{char} at position {self._at} {_NO_COUNTERPART}")
        return f"(?P={name})"

    def _group_reference(self, number: int) -> str:
        """Bracketed, since a digit may follow."""
        self._referred = True
        return rf"(?:\{number})"

    def _digits(self, first: str) -> int | None:
        """The number of a group; None for that of a character, which has two digits and is no group's so far."""
        more = self._while("0123456789", 4)
        number = int(first + more)
        if number <= self._groups or (not more and first not in "89"):
            return number
        self._at -= len(more)
        return None

    # Sets

    def _set(self) -> str:
        opened_at = self._at - 1
        if _POSIX_CLASS.match(self._pattern, self._at) and self._pattern[self._at : self._at + 2] not in (":<", ":>"):
            raise ValueError(f"POSIX classes stand within a set, as in [[:alpha:]] (position {opened_at})")
        for word, translation in ((r"[:<:]]", r"\b(?=\w)"), (r"[:>:]]", r"\b(?<=\w)")):
            if self._take(word):
                return translation
        negated = "^" if self._take("^") else ""
        members: list[str] = []
        first = True
        while True:
            element = self._element(opened_at, first=first)
            if element is None:
                return f"[{negated}{''.join(members)}]"
            first = False
            members.append(self._range(element, opened_at))

    def _range(self, element: tuple[str, bool], opened_at: int) -> str:
        """The element, to the one behind a hyphen; a hyphen that comes after a class, or last, is one itself."""
        text, is_character = element
        if not is_character or not self._pattern.startswith("-", self._at) or self._quoted:
            return text
        after_low = self._at
        self._at += 1
        high = None if self._pattern.startswith("]", self._at) else self._element(opened_at, first=False)
        if high is None:
            self._at = after_low
            return text
        if not high[1]:
            raise ValueError(f"bad character range in the set at position {opened_at}")
        return f"{text}-{high[0]}"

    def _element(self, opened_at: int, *, first: bool) -> tuple[str, bool] | None:
        """(what it is in a set, whether it is a single character); None for the end of the set."""
        while True:
            if self._take(r"\E"):
                self._quoted = False
            elif not self._quoted and self._take(r"\Q"):
                self._quoted = True
            else:
                break
        if self._at >= len(self._pattern):
            raise ValueError(f"unterminated character set at position {opened_at}")
        char = self._next()
        if self._quoted:
            return in_set(char), True
        if char == "]" and not first:
            return None
        if char == "[":
            posix = self._posix()
            if posix is not None:
                return posix, False
        if char != "\\":
            return in_set(char), True
        char = self._next()
        members = self._class(char)
        if members is not None:
            return members, False
        if char in "BRXN":
            raise ValueError(f"\\{char} has no meaning in a character set")
        return in_set("\b" if char == "b" else self._character(char)), True

    def _posix(self) -> str | None:
        """The class of `[:name:]`, if that stands here."""
        found = _POSIX_CLASS.match(self._pattern, self._at)
        if found is None:
            return None
        name = found[2].removeprefix("^")
        members = POSIX.get(name) if found[1] == ":" else None
        if members is None:
            raise ValueError(f"unknown POSIX class [{found[0]}; known are {', '.join(sorted(POSIX))}")
        self._at = found.end()
        return members if name == found[2] else complement(members)

    # Reading

    def _take(self, text: str) -> bool:
        if not self._pattern.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _next(self) -> str:
        if self._at >= len(self._pattern):
            raise ValueError("the pattern ends in the middle of something")
        self._at += 1
        return self._pattern[self._at - 1]

    def _until(self, closing: str) -> str:
        end = self._pattern.find(closing, self._at)
        if end < 0:
            raise ValueError(f"missing {closing} after position {self._at}")
        found = self._pattern[self._at : end]
        self._at = end + len(closing)
        return found

    def _while(self, allowed: str, most: int) -> str:
        start = self._at
        while self._at < min(start + most, len(self._pattern)) and self._pattern[self._at] in allowed:
            self._at += 1
        return self._pattern[start : self._at]

    def _name(self, closing: str) -> str:
        name = self._until(closing)
        if not _NAME.fullmatch(name):
            raise ValueError(f"bad character in group name {name!r}")
        return name


def _changed(flags: frozenset[str], found: re.Match[str]) -> frozenset[str]:
    return (flags | frozenset(found[1])) - frozenset(found[2] or "")


def _with_flags(text: str, outside: frozenset[str], inside: frozenset[str], *, always: bool = False) -> str:
    """The text as it reads where other flags are in effect; always: as a group even where they are the same."""
    on = "".join(sorted((inside - outside) & _KEPT_FLAGS))
    off = "".join(sorted((outside - inside) & _KEPT_FLAGS))
    if not on and not off:
        return f"(?:{text})" if always else text
    return f"(?{on}{off and '-' + off}:{text})"


def _literal(char: str) -> str:
    return "\\" + char if char in _SYNTAX else char
