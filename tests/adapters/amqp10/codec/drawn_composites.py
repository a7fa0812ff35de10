"""Objects of every declared type for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.adapters.amqp10.codec.strategies import keys, plain, symbols, texts
from warren.adapters.amqp10.codec import sasl, sections, termini
from warren.adapters.amqp10.codec.composites import COMPOSITES
from warren.adapters.amqp10.codec.performatives import Error
from warren.adapters.amqp10.codec.values import Milliseconds, ULong

assert sasl
assert sections


def values_of(kind: str) -> st.SearchStrategy[Any]:
    """Values of a field of this kind."""
    simple: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "ubyte": st.integers(0, 0xFF),
        "ushort": st.integers(0, 0xFFFF),
        "uint": st.integers(0, 2**32 - 1),
        "ulong": st.integers(0, 2**64 - 1),
        "string": texts,
        "symbol": symbols.map(str),
        "symbols": st.lists(symbols.map(str), min_size=1, max_size=3),
        "binary": st.binary(max_size=300),
        "map": st.dictionaries(keys, plain, max_size=3),
        "timestamp": st.integers(-(2**63), 2**63 - 1).map(Milliseconds),
        "message-id": st.one_of(texts, st.binary(max_size=20), st.uuids(), st.integers(0, 2**64 - 1).map(ULong)),
        "*": st.one_of(texts, st.just(termini.Accepted())),
        "error": st.just(Error("amqp:not-found", "gone")),
    }
    return simple[kind]


@st.composite
def objects(draw: st.DrawFn) -> Any:
    """An object of any declared type, with some of its fields set."""
    composite = draw(st.sampled_from(list(COMPOSITES.values())))
    made = composite.make()
    for place in composite.places:
        if place.mandatory or draw(st.booleans()):
            setattr(made, place.name, draw(values_of(place.kind)))
    return made


def shown(made: Any) -> Any:
    """What can be compared of an object, all the way down."""
    for composite in COMPOSITES.values():
        if type(made) is composite.make:
            return type(made), {place.name: shown(getattr(made, place.name)) for place in composite.places}
    return made
