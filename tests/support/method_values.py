"""Hypothesis strategies for AMQP 0-9-1 methods, built from their own declarations."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from tests.support.field_values import tables
from warren.adapters.amqp091.codec.methods import Method
from warren.adapters.amqp091.codec.methods_wire import registered

BETWEEN_NODES: Final = 200
"""The class of methods that nodes of a cluster have, where their modules are imported."""

METHODS: list[type[Method]] = [registered[ids] for ids in sorted(registered) if ids[0] != BETWEEN_NODES]

argument_values: dict[str, st.SearchStrategy[Any]] = {
    "octet": st.integers(0, 2**8 - 1),
    "short": st.integers(0, 2**16 - 1),
    "long": st.integers(0, 2**32 - 1),
    "longlong": st.integers(0, 2**64 - 1),
    "shortstr": st.binary(max_size=255).map(lambda data: data.decode("utf-8", "surrogateescape")),
    "longstr": st.binary(max_size=300),
    "bit": st.booleans(),
    "table": tables,
}
"""By the wire type's name in the specification."""


def methods_of(
    method: type[Method], values: dict[str, st.SearchStrategy[Any]] = argument_values
) -> st.SearchStrategy[Method]:
    """Instances of this method with any arguments."""
    return st.builds(method, **{name: values[wire.name] for name, wire in method.ARGUMENTS})


any_method: st.SearchStrategy[Method] = st.sampled_from(METHODS).flatmap(methods_of)
