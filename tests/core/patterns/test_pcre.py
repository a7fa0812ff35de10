"""Patterns that mean something else, or nothing, to Python: what RabbitMQ's engine (PCRE 8, without Unicode) matches.

The expectations were taken from Erlang's `re` module.
"""

from __future__ import annotations

import re

import pytest

from warren.core.patterns.compiling import compile_pattern
from warren.core.patterns.expression import compile_expression
from warren.core.patterns.pcre import DEPTH_MAX, translate

MATCHES: list[tuple[str, list[str], list[str]]] = [
    # What Python refuses.
    ("^[[:alpha:]]+$", ["abc", "Z"], ["", "a1", "ä", "a-b"]),
    ("^[[:alnum:]_-]{1,3}$", ["a_1", "-"], ["a.1", "abcd"]),
    ("^[[:^alpha:]]+$", ["12", "ä", "-"], ["a1"]),
    ("^[^[:space:][:punct:]]+$", ["ab1"], ["a b", "a!", "a_b"]),
    ("^[[:upper:]][[:lower:]]$", ["Ab"], ["ab", "AB"]),
    ("(?i)^[[:upper:]]$", ["a", "A"], ["1"]),
    ("^[[:digit:]][[:xdigit:]][[:blank:]][[:word:]]$", ["1f _"], ["1g _", "1f\n_"]),
    ("^[[:graph:]]+[[:print:]][[:cntrl:]][[:ascii:]]$", ["!~ \x01\x7f"], ["!~ \x01ä"]),
    ("[[:<:]]b[[:>:]]", ["a b c", "b"], ["ab", "bc"]),
    ("^\\Qa.b\\E$", ["a.b"], ["axb"]),
    ("^\\Qa.b\\E+$", ["a.b", "a.bb"], ["a.ba.b"]),
    ("^\\Q*", ["*a"], ["a*"]),
    ("^[\\Qa-z\\E]$", ["a", "-", "z"], ["b"]),
    ("a\\E\\Q\\Eb", ["ab"], ["a"]),
    ("^a\\z", ["a"], ["a\n", "ab"]),
    ("^\\h+$", [" \t"], ["\x0b", "a"]),
    ("^\\H$", ["a", "\x0b", "ä"], [" ", "\t"]),
    ("^[\\h\\d]+$", ["1 2"], ["1\n2", "a"]),
    ("^a\\Rb$", ["a\r\nb", "a\nb", "a\rb"], ["ab", "a b"]),
    ("(?s)^\\N$", ["a"], ["\n"]),
    ("^\\x{41}\\o{102}\\103$", ["ABC"], ["A"]),
    ("^\\cA\\e\\a$", ["\x01\x1b\x07"], ["cAe"]),
    ("^\\y\\_\\-\\@$", ["y_-@"], ["\\y"]),
    ("^(?<n>a|b)\\k<n>\\k{n}\\k'n'\\g{n}(?P=n)$", ["aaaaaa", "bbbbbb"], ["aaaaab"]),
    ("^(?'n'a)b\\k'n'$", ["aba"], ["abb"]),
    ("^(a|b)(c|d)\\g{-1}\\g2\\g{1}$", ["accca", "bdddb"], ["acccc"]),
    ("^(a)\\12?$", ["a\n", "a"], ["aa"]),
    ("^\\8$", ["8"], ["\\8"]),
    ("^[\\w-.]+@x$", ["a-b.c@x"], ["a+b@x"]),
    ("^[a[]$", ["a", "["], ["a["]),
    ("^[a&&b]$", ["a", "&"], ["&&"]),
    ("^[--/]$", ["-", ".", "/"], [",", "0"]),
    ("^[]a]$", ["]", "a"], ["[", ""]),
    ("^[^]a]$", ["b"], ["]", "a"]),
    ("a(?i)b|c", ["aB", "ab", "C"], ["AB"]),
    ("^(a(?i)b|c)d$", ["aBd", "Cd"], ["ABd", "aBD"]),
    ("^(?:(?i)a|b)c$", ["Ac", "Bc"], ["aC"]),
    ("(?i)a(?-i)b", ["Ab", "ab"], ["aB"]),
    ("(?<=a|bc)d", ["ad", "bcd"], ["d", "cd"]),
    ("(?<!a|bc)d", ["d", "cd", "dx"], ["ad", "bcd"]),
    ("^(?|(a)|(b))$", ["a", "b"], ["ab"]),
    ("(?C)a(?C1)b", ["ab"], ["a"]),
    ("(*UTF8)^a", ["ab"], ["ba"]),
    ("^\\p{Lu}\\p{Ll}*\\pN$", ["Ab1", "A1"], ["ab1"]),
    ("^\\P{L}\\p{^L}$", ["1-"], ["a-"]),
    ("^[\\p{Nd}x]$", ["1", "x"], ["a"]),
    ("\\Ga", ["ab"], ["ba"]),
    ("a\\Kb", ["ab"], ["a", "b"]),
    ("(?U)^a+?$", ["aaa"], ["b"]),
    # What Python means differently.
    ("a\\Z", ["a", "a\n"], ["a\n\n", "ab"]),
    ("(?m)a\\Z", ["a\n", "b\na"], ["a\nb"]),
    ("^\\v$", ["\n", "\x0b", "\x0c", "\r"], ["v", " "]),
    ("^\\V$", ["v", " "], ["\x0b"]),
    ("^a{,3}$", ["a{,3}"], ["a", "aa", ""]),
    ("^a{1}{$", ["a{"], ["a"]),
    ("^(?x) a b # ) (\n c $", ["abc"], ["a b c"]),
    ("^(?x)a\\ b[ ]c$", ["a b c"], ["abc"]),
    ("^((?x) a b)c d$", ["abc d"], ["abcd"]),
    ("(?#a comment (with *)b", ["b"], ["a"]),
    # What both understand.
    ("^(?:dev|prod)\\.(?!secret)\\w{2,}?$", ["dev.ab"], ["dev.secret", "test.ab"]),
    ("(?>a+)b", ["aab"], ["aa"]),
    ("a++b|c*+c", ["aab"], ["cc"]),
    ("^(a)?(?(1)b|c)$", ["ab", "c"], ["ac", "b"]),
    ("^(?<n>a)?(?(<n>)b|c)$", ["ab", "c"], ["ac", "b"]),
    ("(?m)^b$", ["a\nb"], ["ab"]),
    ("(?s)a.b", ["a\nb"], ["ab"]),
    ("a.b", ["a b"], ["a\nb"]),
    ("a|*"[:2], ["", "b"], []),
]


@pytest.mark.parametrize(("pattern", "matching", "other"), MATCHES, ids=[repr(row[0]) for row in MATCHES])
def test_what_is_found_is_what_rabbitmq_finds(pattern: str, matching: list[str], other: list[str]) -> None:
    expression = compile_pattern(pattern)
    assert [name for name in matching if not expression.found_in(name)] == []
    assert [name for name in other if expression.found_in(name)] == []
    in_steps = compile_expression(translate(pattern), use_re2=False)
    assert [name for name in matching if not in_steps.found_in(name)] == []
    assert [name for name in other if in_steps.found_in(name)] == []


REFUSED = [
    ("(?R)a", "isn't supported"),
    ("(?1)(a)", "isn't supported"),
    ("(?&n)(?<n>a)", "isn't supported"),
    ("\\g<n>(?<n>a)", "isn't supported"),
    ("(*UCP)a", "isn't supported"),
    ("(*ACCEPT)", "isn't supported"),
    ("a\\Xb", "isn't supported"),
    ("\\C", "isn't supported"),
    ("(?(?=a)b|c)", "isn't supported"),
    ("(?(R)b)", "isn't supported"),
    ("(?|(a)|(b))\\1", "isn't supported"),
    ("\\u0041", "isn't supported"),
    ("\\x{100}", "the character code 100"),
    ("[[:letter:]]", "unknown POSIX class [:letter:]; known are alnum"),
    ("[[.a.]]", "unknown POSIX class"),
    ("[:alpha:]", "stand within a set"),
    ("\\p{Greek}", "unknown property"),
    ("[a-\\d]", "bad character range"),
    ("[a", "unterminated character set at position 0"),
    ("a{2}{3}", "nothing to repeat at position 4"),
    ("a**", "nothing to repeat"),
    ("^*", "nothing to repeat"),
    ("|*", "nothing to repeat"),
    ("x{65536}", "larger than 65535"),
    ("(a", "missing ), unterminated subpattern at position 1"),
    ("a)", "unbalanced parenthesis at position 1"),
    ("a\\", "ends in the middle"),
    ("(?<1>a)", "bad character in group name"),
    ("(?#a", "missing )"),
    ("[\\R]", "no meaning in a character set"),
    ("(" * (DEPTH_MAX + 1) + ")" * (DEPTH_MAX + 1), "groups within groups"),
    ("(?i)" * (DEPTH_MAX + 1), "groups within groups"),
]


@pytest.mark.parametrize(("pattern", "why"), REFUSED, ids=[repr(row[0][:20]) for row in REFUSED])
def test_what_cannot_be_translated_says_why(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        compile_pattern(pattern)


def test_the_deepest_pattern_compiles() -> None:
    assert compile_pattern("(" * DEPTH_MAX + "a" + ")" * DEPTH_MAX).found_in("a")


@pytest.mark.parametrize("text", ["", "a.b", "^[x]$", "a-b&&c||~~", " #\t\n", "ä{1}", "\\Q\\E"])
def test_an_escaped_text_is_found_only_as_it_is(text: str) -> None:
    expression = compile_pattern(f"^{re.escape(text)}\\z")
    assert expression.found_in(text)
    assert not expression.found_in(text + "\n")


def test_plain_patterns_stay_as_they_are() -> None:
    for pattern in ("", ".*", "^(amq\\.gen.*|orders)$", "^[a-z]+$"):
        assert translate(pattern) == pattern
