"""What expressions mean: as in Python's engine with ASCII classes, whichever engine matches them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.patterns.expression import InvalidExpression, compile_expression

WRITTEN = [
    "",
    ".*",
    "^$",
    "orders",
    "^orders",
    "orders$",
    r"^(amq\.gen.*|amq\.default)$",
    "(?i)^ORDERS-[k-m]$",
    r"^\w+$",
    r"^\S+\s\D\d*$",
    r"[^\W_]",
    "^[^a-y]$",
    "^[a-z]{2,3}$",
    "(?:ab){2}",
    "a{2,}?b",
    "x|y|",
    "(?s)a.b",
    "(?m)^b$",
    r"\Aa",
    r"a\Z",
    "a$",
    r"\bb\b",
    "(?-i:a)b",
    "a(?i:b)c",
    "(a*)*b",
    "(a|ab)(c|bcd)(d*)",
    "ä+",
    "[é-ü]",
    "(?x) a  b # comment",
]
"""What RE2 takes, too."""

LOOKING = [
    "^(?!secret)",
    "(?=a)a",
    "(?<=a)b",
    "(?<!a)b",
    "(?<!ab)c",
    r"(a+)\1",
    r"(?i)(a)\1",
    r"(a)?(?(1)b|c)",
    "(?>a+)a",
    "a++a",
    "(?>a|ab)c",
    "(?!)",
    "^(?=.*b)(?=.*a).{2,}$",
]
"""What only the counted steps take."""

TEXTS = [
    "",
    "a",
    "b",
    "c",
    "ab",
    "abc",
    "abcd",
    "aab",
    "aaa",
    "aA",
    "aBc",
    "AbC",
    "b a",
    "x b y",
    "secret",
    "public",
    "orders",
    "Orders-L",
    "my-orders",
    "amq.default",
    "amqxdefault",
    "a\n",
    "a\nb",
    "a\nb\n",
    "a\x0bb",
    "äÄ",
    "ü",
    "\u212a",
    "z",
    "\udcff",
    "a\udcffb",
]


@pytest.mark.parametrize("pattern", WRITTEN + LOOKING)
def test_both_engines_agree_with_pythons(pattern: str) -> None:
    python = re.compile(pattern, re.ASCII)
    with_re2, without = compile_expression(pattern), compile_expression(pattern, use_re2=False)
    for text in TEXTS:
        expected = python.search(text) is not None
        assert with_re2.found_in(text) == expected, text
        assert without.found_in(text) == expected, text


@pytest.mark.parametrize("pattern", WRITTEN)
def test_re2_takes_what_remembers_nothing(pattern: str) -> None:
    pytest.importorskip("re2")
    assert compile_expression(pattern).is_linear


@pytest.mark.parametrize("pattern", LOOKING)
def test_re2_does_not_take_what_looks_around(pattern: str) -> None:
    assert not compile_expression(pattern).is_linear


_atoms = st.sampled_from(["a", "b", "ab", ".", "[ab]", "[^a]", r"\w", "^", "$", r"\b", r"\Z", "(?=a)", "(?<!b)", r"\n"])
_patterns = st.recursive(
    _atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}", "*+"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map(lambda body: f"(?!{body})"),
        inner.map(lambda body: f"(?>{body})"),
    ),
    max_leaves=8,
)


@given(_patterns, st.text("ab\nc", max_size=8))
def test_any_expression_means_the_same_to_all_engines(pattern: str, text: str) -> None:
    expected = re.search(pattern, text, re.ASCII) is not None
    assert compile_expression(pattern).found_in(text) == expected
    assert compile_expression(pattern, use_re2=False).found_in(text) == expected


@pytest.mark.parametrize("pattern", ["(", "*", "[a", "a{2}{3}", "(?<=a*)b", "x" + "(" * 5000, "[[:alpha:]]"])
def test_what_is_no_expression(pattern: str) -> None:
    with pytest.raises(InvalidExpression, match=r"\S"):
        compile_expression(pattern)
