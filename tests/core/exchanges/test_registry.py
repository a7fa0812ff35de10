"""The registry of exchange types, and the arguments of a declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest

from warren.core.errors import CommandInvalid, PreconditionFailed
from warren.core.exchanges.binding import Destination
from warren.core.exchanges.consistent_hash import ConsistentHashExchange
from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.exchanges.direct import DirectExchange
from warren.core.exchanges.fanout import FanoutExchange
from warren.core.exchanges.headers import HeadersExchange
from warren.core.exchanges.local_random import LocalRandomExchange
from warren.core.exchanges.modulus_hash import ModulusHashExchange
from warren.core.exchanges.random_exchange import RandomExchange
from warren.core.exchanges.recent_history import RecentHistoryExchange
from warren.core.exchanges.registry import create, exchange_type, register, type_names, unregister
from warren.core.exchanges.topic import TopicExchange
from warren.core.messages.field_table import FieldValue

BUILT_IN = {
    "direct": DirectExchange,
    "fanout": FanoutExchange,
    "headers": HeadersExchange,
    "topic": TopicExchange,
    "x-consistent-hash": ConsistentHashExchange,
    "x-delayed-message": DelayedMessageExchange,
    "x-local-random": LocalRandomExchange,
    "x-modulus-hash": ModulusHashExchange,
    "x-random": RandomExchange,
    "x-recent-history": RecentHistoryExchange,
}

NEEDED: dict[str, dict[str, FieldValue]] = {"x-delayed-message": {"x-delayed-type": "direct"}}
"""Arguments that a type can't be declared without."""


class NowhereExchange(FanoutExchange):
    """A type such as a plugin might bring: it routes to nothing."""

    __slots__ = ()

    type_name: ClassVar[str] = "x-nowhere"

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        return ()


@pytest.fixture
def registered() -> Iterator[None]:
    register(NowhereExchange)
    yield
    unregister(NowhereExchange)


def test_the_built_in_types() -> None:
    assert type_names() == sorted(BUILT_IN)
    assert {name: exchange_type(name) for name in BUILT_IN} == BUILT_IN


@pytest.mark.parametrize("type_name", ["x-nowhere", "", "Direct", "rubbish"])
def test_an_unknown_type_is_refused_with_the_known_ones(type_name: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        create(type_name, "x")
    assert caught.value.text == f"unknown exchange type '{type_name}'; the types are {', '.join(sorted(BUILT_IN))}"


def test_the_type_of_federation_links_is_refused_as_they_look_for() -> None:
    with pytest.raises(CommandInvalid, match="unknown exchange type 'x-federation-upstream'"):
        create("x-federation-upstream", "x")


def test_a_type_can_come_from_elsewhere(registered: None) -> None:
    assert isinstance(create("x-nowhere", "x"), NowhereExchange)
    assert "x-nowhere" in type_names()


def test_a_type_name_is_given_once(registered: None) -> None:
    class Impostor(FanoutExchange):
        type_name: ClassVar[str] = "x-nowhere"

    register(NowhereExchange)
    with pytest.raises(ValueError, match="'x-nowhere' is NowhereExchange already"):
        register(Impostor)
    unregister(Impostor)
    assert exchange_type("x-nowhere") is NowhereExchange


@pytest.mark.parametrize("type_name", sorted(BUILT_IN))
def test_a_new_exchange_is_as_declared(type_name: str) -> None:
    arguments: dict[str, FieldValue] = {"alternate-exchange": "other", "x-more": 1, **NEEDED.get(type_name, {})}
    exchange = create(
        type_name,
        "x",
        durable=True,
        auto_delete=True,
        internal=True,
        arguments=arguments,
        arguments_raw=b"raw",
    )
    assert (exchange.name, exchange.kind, exchange.type_name) == ("x", "exchange", type_name)
    assert (exchange.durable, exchange.auto_delete, exchange.internal) == (True, True, True)
    assert (exchange.arguments, exchange.arguments_raw, exchange.alternate) == (arguments, b"raw", "other")
    assert (list(exchange.bindings), exchange.targets("", None)) == ([], ())


def test_without_arguments_there_is_no_alternate() -> None:
    exchange = create("direct", "x")
    assert (exchange.arguments, exchange.arguments_raw, exchange.alternate) == ({}, b"\0\0\0\0", None)


@pytest.mark.parametrize(
    ("value", "type_text"),
    [
        (1, "signedint"),
        (2**31, "long"),
        (-(2**31), "signedint"),
        (-(2**31) - 1, "long"),
        (None, "void"),
        (b"other", "binary"),
        (["other"], "array"),
    ],
)
def test_an_alternate_that_is_no_name_is_refused(value: FieldValue, type_text: str) -> None:
    with pytest.raises(PreconditionFailed) as caught:
        create("fanout", "x", arguments={"alternate-exchange": value})
    assert caught.value.text == (
        f"invalid type '{type_text}' for arg 'alternate-exchange' in an exchange; it must be the name of another one"
    )
