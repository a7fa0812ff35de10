"""The kinds of listings, and what may be added to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.core_broker import core_broker, core_client
from warren.core.administration.listing.built_in import BUILT_IN
from warren.core.administration.listing.column import Column, Row
from warren.core.administration.listing.connections import ConnectionRow
from warren.core.administration.listing.kind import Kind, Vhosts
from warren.core.administration.listing.kinds import BUILT_IN_NAMES
from warren.core.broker import Broker
from warren.core.declaring.queues import declare_queue
from warren.core.queues import registry
from warren.core.queues.classic.queue import ClassicQueue


class RabbitRow(Row):
    """A plugin's objects."""

    __slots__ = ()

    @Column
    def ears(self) -> int:
        return 2


def rabbits(broker: Broker, vhosts: Vhosts) -> Iterator[Row]:
    yield RabbitRow()


RABBITS = Kind("rabbits", RabbitRow, rabbits, lambda broker, vhosts: 1, shown=("ears",))


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.name)
def test_a_kind_is_consistent(kind: Kind) -> None:
    broker = core_broker()
    columns = broker.listings.column_names(kind.name)
    assert set(kind.shown) <= set(columns)
    assert len(columns) == len(set(columns))
    assert not set(kind.unknown) & set(kind.row.columns), "a column that has a value"
    assert all(column.about for column in kind.row.columns.values())
    for vhosts in (None, ("/",), ("/", "nowhere"), ()):
        rows = list(kind.rows(broker, vhosts))
        assert kind.count(broker, vhosts) == len(rows)
        assert all(row.exists and set(row.names()) <= set(columns) for row in rows)


def test_those_that_are_loaded_later_are_known_by_name() -> None:
    assert [kind.name for kind in BUILT_IN] == list(BUILT_IN_NAMES)
    listings = core_broker().listings
    with pytest.raises(ValueError, match="already"):
        listings.register_later(["queues"], list)
    listings.register(RABBITS)
    assert listings.names() == [*BUILT_IN_NAMES, "rabbits"]


def test_a_plugin_offers_a_listing() -> None:
    broker = core_broker()
    broker.listings.register(RABBITS)
    assert broker.inspect("rabbits", None) == [{"ears": 2}]
    with pytest.raises(ValueError, match="already"):
        broker.listings.register(RABBITS)
    broker.listings.add_column("rabbits", "tails", lambda row: 1)
    assert broker.inspect("rabbits", None) == [{"ears": 2, "tails": 1}]
    assert "rabbits" not in core_broker().listings.names()
    broker.listings.unregister("rabbits")
    broker.listings.register(RABBITS)
    assert broker.inspect("rabbits", None) == [{"ears": 2}]


def test_a_queue_type_says_more_of_its_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    class CountingQueue(ClassicQueue):
        __slots__ = ()
        type_name = "counting"
        columns = {**ClassicQueue.columns, "state": lambda queue: "counting", "counted": lambda queue: 3}  # noqa: RUF012

    types: dict[str, Any] = dict(registry._types)
    monkeypatch.setattr(registry, "_types", types)
    registry.register(CountingQueue)
    broker = core_broker()
    declare_queue(core_client(broker), "plain")
    declare_queue(core_client(broker), "other", arguments={"x-queue-type": "counting"})
    plain, other = broker.inspect("queues", None)
    assert "counted" in broker.listings.column_names("queues")
    assert ("counted" in plain, plain["state"], plain["memory"]) == (False, "running", 0)
    assert (other["counted"], other["state"], other["memory"]) == (3, "counting", 0)


def test_a_protocol_says_more_of_its_connections() -> None:
    class OtherRow(ConnectionRow):
        __slots__ = ()

        @Column
        def wavelength(self) -> int:
            return 5

    assert "wavelength" in core_broker().listings.column_names("connections")
    assert OtherRow.columns["wavelength"].name == "wavelength"


def test_kinds_that_are_loaded_when_somebody_asks() -> None:
    listings = core_broker().listings
    asked: list[str] = []

    def load() -> list[Kind]:
        asked.append("rabbits")
        return [RABBITS]

    listings.register_later(["rabbits"], load)
    assert asked == []
    assert listings.kind("rabbits") is RABBITS
    assert "rabbits" in listings.names()
    assert asked == ["rabbits"]


def test_a_plugin_finds_a_name_taken_that_isnt_loaded_yet() -> None:
    listings = core_broker().listings
    listings.register_later(["rabbits"], lambda: [RABBITS])
    with pytest.raises(ValueError, match="already"):
        listings.register(RABBITS)
