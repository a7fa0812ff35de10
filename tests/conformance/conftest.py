"""Fixtures of the scenario tests: a workbench that cleans up, and the table of known differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar, cast

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.differences import AS_DECLARED, CLUSTER_DIFFERENCES, DIFFERENCES, FAILS, MAY_FAIL, Difference
from tests.conformance.scenario import Workbench
from tests.support.brokers import CLUSTERS, Broker

T = TypeVar("T")


@pytest.fixture
def bench(request: pytest.FixtureRequest, broker: Broker) -> Iterator[Workbench]:
    """Connections and unique names that are closed and deleted after the test."""
    workbench = Workbench(broker.address, durable=broker.is_cluster and not _found(request.node, AS_DECLARED))
    yield workbench
    workbench.clean_up()


@pytest.fixture
def channel(bench: Workbench) -> BlockingChannel:
    """A channel on a connection of its own."""
    return bench.channel()


@pytest.fixture
def expected(request: pytest.FixtureRequest, broker: Broker) -> Callable[[T], T]:
    """`expected(value)`: the value, or what this broker does instead (tests/conformance/differences.py)."""
    difference = difference_of(request.node)

    def expectation(value: T) -> T:
        if difference is None:
            return value
        assert difference.instead != value, "no difference: drop it from the table"
        actual = difference.instead
        return cast(T, actual(value) if callable(actual) else actual)

    return expectation


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that the table says another broker than Warren fails must fail there."""
    for item in items:
        if isinstance(item, pytest.Function):
            difference = difference_of(item)
            if difference is not None and difference.instead in (FAILS, MAY_FAIL):
                strict = difference.instead is FAILS
                item.add_marker(pytest.mark.xfail(reason=difference.reason, strict=strict))


def difference_of(item: pytest.Function) -> Difference | None:
    """The entry of its broker's table for this case, else the one for its whole test; Warren has no table."""
    broker = _broker_of(item)
    if broker == "rabbitmq":
        return _found(item, DIFFERENCES)
    return _found(item, CLUSTER_DIFFERENCES) if broker in CLUSTERS else None


def _found(item: pytest.Function, table: Mapping[str, T]) -> T | None:
    name = f"{item.path.name}::{item.originalname}"
    broker = _broker_of(item)
    case = item.callspec.id.removeprefix(broker).removesuffix(broker).strip("-") if broker else ""
    return table.get(f"{name}[{case}]", table.get(name))


def _broker_of(item: pytest.Function) -> str | None:
    callspec = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("broker_process")
