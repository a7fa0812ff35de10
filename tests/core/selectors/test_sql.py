"""What selectors in SQL say of messages (AMQP Filter Expressions 1.0, 6; Jakarta Messaging 3.1, 3.8.1)."""

from __future__ import annotations

import pytest

from warren.core.selectors.fields import Fields
from warren.core.selectors.grammar import parse
from warren.core.selectors.like import Budget
from warren.core.selectors.selector import SelectorError
from warren.core.selectors.sql import STEPS_MAX, SqlSelector

FIELDS = Fields(
    {
        "header.priority": 7,
        "header.durable": True,
        "properties.subject": "orders",
        "properties.message_id": b"\x01\xff",
        "properties.creation_time": 1_000,
    },
    {
        "a": 1,
        "b": 2.5,
        "s": "it's",
        "yes": True,
        "no": False,
        "the name": "x",
        "br[ack]et": 3,
        "list": [1],
        "big": 2**63 - 1,
    },
    now_ms=5_000,
)


def value(expression: str) -> object:
    """What an expression is of these fields."""
    return parse(expression).root.value(FIELDS, Budget(STEPS_MAX))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # Values and names.
        ("a", 1),
        ("A", None),
        ("application_properties.a", 1),
        ("a.a", 1),
        ("[the name]", "x"),
        ("[br[[ack]]et]", 3),
        ("list", None),
        ("'it''s'", "it's"),
        ('"say ""it\'s"""', 'say "it\'s"'),
        ("0x01ff", b"\x01\xff"),
        ("TRUE", True),
        ("false", False),
        ("1.5", 1.5),
        ("1.5e2", 150.0),
        ("2E-1", 0.2),
        ("h.priority", 7),
        ("header.durable", True),
        ("p.subject", "orders"),
        ("properties.to", None),
        ("UTC()", 5_000),
        ("utc ( ) - p.creation_time", 4_000),
        # Arithmetic.
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("7 / 2", 3.5),
        ("7 % 4", 3),
        ("-7 % 4", -3),
        ("7 % -4", 3),
        ("2 * -3", -6),
        ("+a", 1),
        ("-s", None),
        ("-yes", None),
        ("a + b", 3.5),
        ("a + s", None),
        ("a + yes", None),
        ("a + nothing", None),
        ("a / 0", None),
        ("a / 0.0", None),
        ("a % 0", None),
        ("b % 2", None),
        # Comparisons.
        ("a = 1", True),
        ("a = 1.0", True),
        ("b > a", True),
        ("a >= 1", True),
        ("a <= 0", False),
        ("a <> 2", True),
        ("a != 1", False),
        ("yes = TRUE", True),
        ("yes = 1", False),
        ("yes <> 1", True),
        ("yes > FALSE", False),
        ("a = '1'", False),
        ("a < 'b'", False),
        ("s > 'is'", True),
        ("p.message_id = 0x01FF", True),
        ("p.message_id < 0x02", True),
        ("nothing = 1", None),
        ("nothing <> nothing", None),
        ("big = 9223372036854775807", True),
        ("big + 1 > big", True),
        # Logic: unknown is neither.
        ("yes AND yes", True),
        ("yes AND no", False),
        ("yes AND nothing", None),
        ("no AND nothing", False),
        ("nothing AND no", False),
        ("nothing AND nothing", None),
        ("no OR yes", True),
        ("no OR no", False),
        ("nothing OR yes", True),
        ("yes OR nothing", True),
        ("nothing OR no", None),
        ("NOT yes", False),
        ("NOT nothing", None),
        ("NOT a", None),
        ("NOT NOT yes", True),
        ("a AND yes", None),
        ("NOT no AND no", False),
        ("NOT a = 2", True),
        ("no AND no OR yes", True),
        ("yes OR no AND no", True),
        ("(yes OR no) AND no", False),
        ("a = 1 AND b > 2 OR s = 'x'", True),
        # What is special.
        ("a IN (3, 2, 1)", True),
        ("a NOT IN (3, 2)", True),
        ("a IN (nothing, '1')", False),
        ("a in (0.5 + 0.5)", True),
        ("nothing IN (1)", None),
        ("nothing NOT IN (1)", None),
        ("yes IN (1)", False),
        ("nothing IS NULL", True),
        ("a IS NULL", False),
        ("a IS NOT NULL", True),
        ("p.to IS NULL", True),
        ("s LIKE 'it%'", True),
        ("s NOT LIKE 'it%'", False),
        ("s LIKE 'i_''s'", True),
        ("s LIKE 'IT%'", False),
        ("'50%' LIKE '50!%' ESCAPE '!'", True),
        ("'500' LIKE '50!%' ESCAPE '!'", False),
        ("a LIKE '1'", None),
        ("nothing LIKE '%'", None),
    ],
)
def test_values(expression: str, expected: object) -> None:
    found = value(expression)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"), [("a = 1", True), ("a = 2", False), ("nothing = 1", False), ("a", False)]
)
def test_only_what_is_true_is_wanted(expression: str, expected: bool) -> None:
    assert SqlSelector(expression).matches(FIELDS) is expected


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "it ends where a value, a name or '(' should follow"),
        ("a =", "it ends where"),
        ("a = 1 1", "1 at character 7 isn't nothing more"),
        ("a = b = c", "'=' at character 7 isn't AND or OR"),
        ("a LIKE 'x' = yes", "'=' at character 12 isn't AND or OR"),
        ("(a", "')'"),
        ("a)", "')' at character 2 isn't nothing more"),
        ("a LIKE 5", "5 at character 8 isn't a string"),
        ("a LIKE b", "'b' at character 8 isn't a string"),
        ("a LIKE 'x' ESCAPE 'ab'", "one character"),
        ("a LIKE 'x!' ESCAPE '!'", "escape character"),
        ("a NOT b", "'b' at character 7 isn't LIKE or IN"),
        ("a IS 5", "'NULL'"),
        ("1 IS NULL", "IS NULL is for names"),
        ("a IN ()", "')' at character 7 isn't a value"),
        ("a IN (1", "')'"),
        ("a # b", "at character 3 can't be read"),
        ("'a", "the string that begins at character 1 doesn't end"),
        ("[a", "the name that begins at character 1 doesn't end"),
        ("[a[b]", "the name that begins at character 1 doesn't end"),
        ("[a\x01]", "control character"),
        ("5a", "can't be read"),
        ("0x1", "can't be read"),
        ("properties.nothing", "there is no field 'properties.nothing'"),
        ("header.subject", "there is no field"),
        ("footer.x", "there is no field"),
        ("lower(a)", "'lower' at character 1 isn't understood"),
        ("a = - - 1", "'-' at character 7"),
        ("a = NOT yes", "'NOT' at character 5 isn't a value"),
        ("UTC", "'('"),
        ("x" * 4097, "4096 are allowed"),
        ("+".join(["1"] * 101), "more than 200 words"),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_place(expression: str, words: str) -> None:
    with pytest.raises(SelectorError) as caught:
        SqlSelector(expression)
    assert words in str(caught.value)


def test_nesting_as_deep_as_there_may_be_words() -> None:
    assert value("(" * 99 + "a" + ")" * 99) == 1
    assert value("NOT " * 198 + "yes") is True
    with pytest.raises(SelectorError):
        parse("(" * 200)


def test_what_asks_for_the_time_says_so() -> None:
    assert SqlSelector("p.creation_time > UTC() - 60000").depends_on_time
    assert not SqlSelector("p.creation_time > 0").depends_on_time


def test_numbers_without_end_are_unknown() -> None:
    digits = "9" * 2000
    assert value(f"{digits} * {digits} > big") is True
    assert value(f"{digits} / 3 > 1") is None
    assert value("1e308 * 10 > big") is True


def test_work_beyond_the_budget_is_no_match_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    selector = SqlSelector("t LIKE '%a_b%'")
    for _ in range(2):
        assert not selector.matches(Fields({}, {"t": "a" * 2 * STEPS_MAX + "acb"}))
        assert selector.work >= STEPS_MAX
    assert [record.message.startswith("the selector ") for record in caplog.records] == [True]
    assert selector.matches(Fields({}, {"t": "a" * 100 + "acb"}))
    assert selector.work < 1000
