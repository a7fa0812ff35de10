"""docs/limits.md knows every limit of the source: a new one that nobody has decided about fails here.

Whoever adds a constant that may be a limit says in limits_page.py what it does to whom, and how those are told, or that
it refuses nothing; then `python -m tests.docs.limits_page` writes the page.
"""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from tests.docs import limits_in_source
from tests.docs.limits_in_source import CALLED_LIKE_A_LIMIT, constants, counted_names
from tests.docs.limits_page import ACTING, PAGE, QUIET, decided, page
from warren.gateway.configuration.catalogue import KEYS

OTHER_NAMES = {"connection_forced", "precondition_failed"}


def test_every_constant_is_decided_about_once() -> None:
    named = Counter(decided())
    assert [name for name in constants() if name not in named] == [], "say in limits_page.py what they do"
    assert [name for name, count in named.items() if count > 1] == []


def test_nothing_is_named_that_is_no_constant() -> None:
    found = constants(all_numbers=True)
    assert [name for name in decided() if name not in found] == []


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.docs.limits_page"


def test_every_limit_has_a_key_or_a_reason_and_somebody_is_told() -> None:
    for each in ACTING:
        named = re.findall(r"`([a-z0-9_]+)`", each.key)
        keys = [name for name in named if name in KEYS]
        assert keys or each.key.startswith(("none: ", "none of its own: ", "the client's own")), each.what
        assert each.told
        assert each.effect


def test_keys_are_keys() -> None:
    for each in ACTING:
        if each.key.startswith("`"):
            name = each.key.split("`")[1]
            assert name in KEYS, name


def test_what_is_counted_is_in_the_table_and_the_other_way_round() -> None:
    table = {each.counted for each in ACTING if each.counted}
    source = {name for name in counted_names() if name not in OTHER_NAMES}
    assert source == table


def test_every_constant_of_the_table_says_why_it_is_what_it_is() -> None:
    """Where it has no key, the reason stands in the key's column; a default has it in the source."""
    assert all(each.about for each in QUIET)


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("FROBS_MAX: Final = 3", True),
        ("FROBS_MAX = 3 * 1024", True),
        ("PATIENCE: Final = 3\n\ndef f(x):\n    return x > PATIENCE", True),
        ("PATIENCE: Final = 3\n\ndef f(x):\n    return x == PATIENCE", False),
        ("COLOUR: Final = 3", False),
        ("FROBS_MAX: Final = 'three'", False),
    ],
)
def test_a_new_limit_would_be_noticed(monkeypatch: pytest.MonkeyPatch, source: str, is_found: bool) -> None:
    monkeypatch.setattr(limits_in_source, "trees", lambda: [("core/new.py", ast.parse(source))])
    assert bool(constants()) is is_found


def test_a_name_that_is_counted_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "self.broker.limit_hits.count('frobs at once')\nraise limited(Wrong('no'), 'frobs of a frob')\n"
    monkeypatch.setattr(limits_in_source, "trees", lambda: [("core/new.py", ast.parse(source))])
    assert counted_names() == {"frobs at once", "frobs of a frob"}


def test_words_that_make_a_limit() -> None:
    assert CALLED_LIKE_A_LIMIT.search("READ_AT_ONCE")
    assert CALLED_LIKE_A_LIMIT.search("CLOSE_MS")
    assert not CALLED_LIKE_A_LIMIT.search("FRAME_END")
