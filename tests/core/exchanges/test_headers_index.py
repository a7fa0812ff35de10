"""However many bindings a headers exchange has, a message costs those that share with it what is rarest of theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from tests.core.exchanges.targets import Target, names
from warren.core.exchanges import headers_index
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.headers_index import Criteria
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import FieldValue

MANY = 3000


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many bindings a message's headers were held against, and how many targets of sure ones were looked at."""
    counted: Counter[str] = Counter()
    all_there, find = Criteria.all_there, headers_index._find

    def counting(self: Criteria, headers: dict[str, object]) -> bool:
        counted["bindings"] += 1
        return all_there(self, headers)

    def counting_find(matching: headers_index.ByTarget, found: dict[Destination, int]) -> None:
        counted["targets"] += len(matching)
        find(matching, found)

    monkeypatch.setattr(Criteria, "all_there", counting)
    monkeypatch.setattr(headers_index, "_find", counting_find)
    return counted


def bound(*arguments: Mapping[str, FieldValue], target: Target | None = None) -> Exchange:
    exchange = create("headers", "x")
    for number, each in enumerate(arguments):
        exchange.add(Binding("x", target or Target(f"q{number}"), "", each))
    return exchange


def test_what_all_share_is_not_what_they_are_found_by(looks: Counter[str]) -> None:
    asked: list[Mapping[str, FieldValue]] = [{"type": "report", "number": number} for number in range(MANY)]
    exchange = bound(*asked)
    assert names(exchange.targets("", {"type": "report", "number": 7})) == ["q7"]
    assert looks["bindings"] <= 2
    assert names(exchange.targets("", {"type": "report", "number": -1})) == []
    assert looks["bindings"] <= 3, "the first was under the type, as nobody was there"


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_one_that_shares_nothing_is_not_looked_at(looks: Counter[str]) -> None:
    exchange = bound(*({"a": number, "b": None} for number in range(MANY)))
    assert names(exchange.targets("", {"c": 1})) == []
    assert not looks


@pytest.mark.interpreted("counts calls that the compiled form makes directly")
def test_any_of_several_to_one_queue_is_one(looks: Counter[str]) -> None:
    asked: list[Mapping[str, FieldValue]] = [
        {"x-match": "any", "type": "report", "number": number} for number in range(MANY)
    ]
    exchange = bound(*asked, target=Target("q"))
    assert names(exchange.targets("", {"type": "report", "number": 7})) == ["q"]
    assert looks == {"targets": 2}


def test_names_that_are_to_be_there(looks: Counter[str]) -> None:
    exchange = bound(*({f"name {number}": None, "common": None} for number in range(MANY)))
    assert names(exchange.targets("", {"name 9": "anything", "common": 1})) == ["q9"]
    assert looks["bindings"] <= 2


def test_combinations_cost_a_part_of_them(looks: Counter[str]) -> None:
    side = 50
    exchange = bound(*({"a": first, "b": second} for first in range(side) for second in range(side)))
    assert names(exchange.targets("", {"a": 3, "b": 4})) == [f"q{3 * side + 4}"]
    assert looks["bindings"] <= 2 * side
